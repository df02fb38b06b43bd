"""The step ``group_table``."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from soops_study_tools.tables import group_table


@pytest.fixture
def df():
    return pd.DataFrame(
        {
            "rdir": ["a", "b", "c", "d"],
            "host": ["x|y", "x|y", "z", "z"],
            "n": [[1], [1], [1], [2]],
            "seed": [1, 2, 3, 4],
            "wins": [1.0, 2.0, 3.0, 5.0],
            "ok": [True, True, True, False],
        }
    )


@pytest.fixture
def data(tmp_path):
    return SimpleNamespace(
        output_dir=str(tmp_path / "new"), par_keys={"host", "seed"}, multi_par_keys=["host"]
    )


def table(data, name: str = "groups.md") -> list[str]:
    return Path(data.output_dir, name).read_text(encoding="utf-8").splitlines()


def test_a_row_for_each_group_of_the_parameters(df, data):
    assert group_table(df, data) is None

    assert table(data) == [
        "| host | runs | mean wins |",
        "|------|-----:|----------:|",
        "| x\\|y |    2 |       1.5 |",
        "| z    |    2 |         4 |",
    ]


def test_values_that_cannot_be_hashed_make_groups_too(df, data):
    group_table(df, data, by=["n"], columns=["wins"], how="max", filename="n.md")

    assert table(data, "n.md")[2:] == ["| [1] |    3 |        3 |", "| [2] |    1 |        5 |"]


def test_the_table_of_the_steps_is_left_as_it_is(df, data):
    before = df.copy(deep=True)

    group_table(df, data)

    pd.testing.assert_frame_equal(df, before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"how": "mode"}, "how must be one of mean, median"),
        ({"by": ["hots"]}, "no column 'hots'; there are: rdir, host"),
        ({"columns": ["loss"]}, "no column 'loss'"),
    ],
)
def test_what_is_not_there_is_said(df, data, options, words):
    with pytest.raises(ValueError, match=words):
        group_table(df, data, **options)


def test_no_group_is_one_row(df, tmp_path):
    data = SimpleNamespace(output_dir=tmp_path, par_keys=set(), multi_par_keys=[])

    group_table(df, data, columns=["wins"], how="sum")

    assert table(data)[2:] == ["|    4 |       11 |"]
