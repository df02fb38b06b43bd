"""The names of run directories: the hashed texts of soops 2026.2, reproduced."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from soops.kernel.study.conf import expand, read_study
from soops.kernel.study.identity import pkey
from soops.study import create_app

MONTY = {
    "--host": "random",
    "--no-show": "@defined",
    "--num": 100,
    "--repeat": 10,
    "--seed": "@undefined",
    "--silent": "@defined",
    "--switch": "@undefined",
    "python": "python3",
}
MIXED = {
    "--flag": "@defined",
    "--name": "it's",
    "--par": "@undefined",
    "--x": "1",
    "Zeta": (1,),
    "beta": "@undefined",
}
COMPUTED = {
    "--aa": 1,
    "--bb": 10,
    "--fail": "@undefined",
    "--flag": "@undefined",
    "--name": "n1",
    "--sleep": "@undefined",
}

NAMES = [
    pytest.param(MONTY, "a96da9ba9ee27be055166a3f64f641d2", id="the README of 2026.2"),
    pytest.param(
        dict(sorted({**MONTY, "--plot-opts": "@undefined"}.items())),
        "7a6b546a625c2d37569346a286f2b2b6",
        id="the README before",
    ),
    pytest.param(MIXED, "061ff6400d0b1b4523f464dbf6a36ca9", id="mixed types and quotes"),
    pytest.param(
        {**MIXED, "--name": "žluť", "--x": 1000.0},
        "0bc453c69173a60efc947dcd79275577",
        id="unicode and 1e3",
    ),
    pytest.param(
        {"--aa": 5, "--sleep": "@undefined"},
        "46dcfbc2fede7eef925f55a6a88f469b",
        id="an unhashed key left out, a default",
    ),
    pytest.param(COMPUTED, "9dad3ee1c75c5866f490a6177b92daf7", id="computed in place"),
    pytest.param(
        {**COMPUTED, "--name": "@undefined", "--bb": np.int64(10), "extra": 1},
        "b6400a7b93b90c89d872362940e9b6be",
        id="computed by numpy, and an extra key",
        marks=pytest.mark.skipif(
            repr(np.int64(10)) != "np.int64(10)", reason="numpy 1 writes its scalars otherwise"
        ),
    ),
    pytest.param({"--aa": 1}, "e4fba8de3d256f4eccd0cca78771e80b", id="the smallest"),
]


@pytest.mark.parametrize(("values", "name"), NAMES)
def test_a_name_of_2026_2_is_reproduced(values, name):
    assert pkey(values) == name


@pytest.mark.parametrize(("values", "name"), NAMES)
def test_what_is_hashed_is_the_text_of_the_dict(values, name):
    assert hashlib.md5(str(values).encode()).hexdigest() == name


def test_order_and_types_count():
    assert len({pkey(values) for values in ({"a": 1, "b": 2}, {"b": 2, "a": 1})}) == 2
    assert len({pkey({"a": value}) for value in (1, 1.0, "1", True)}) == 4


def test_a_text_of_the_command_line_leads_to_the_published_name():
    app = create_app()
    text = """python='python3', output_dir='output/study/%s', --num=100, --repeat=10,
        --switch='@undefined', --seed=@undefined, --host='random', --silent=@defined,
        --no-show='@defined'"""
    values = expand(app, read_study(app, text))
    del values["output_dir"]

    assert pkey(dict(sorted(values.items()))) == "a96da9ba9ee27be055166a3f64f641d2"
