"""Checks of the options of the builtin scrapers, HDF5 files, single cells, counts of matches."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables

from soops.api import App
from soops.testing import ScraperContract
from soops_builtin.plugin import soops_scrapers
from soops_builtin.scrapers.arrays import array
from soops_builtin.scrapers.csv_table import csv_table
from soops_builtin.scrapers.regex import regex

SPECS = {spec.name: spec for spec in soops_scrapers()}


def named(target: Any) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


# --- checks -------------------------------------------------------------------------------

GROUP = r"rank (?P<rank>\d+)"
RIGHT = [
    ("options", {"split": ["opts"], "recur": True}),
    ("csv", {}),
    ("csv", {"orient": "last", "columns": ("a", "b"), "delimiter": ";", "comment": "#"}),
    ("csv", {"cells": {"t_end": ["time", -1]}, "header": False, "prefix": "a_"}),
    ("json", {"keys": ["a.b"], "flatten": True, "sep": "."}),
    ("toml", {"keys": {"a.b": "b"}}),
    ("yaml", {"key": "x"}),
    ("array", {"columns": ["x"], "key": "a", "load_kwargs": {"skiprows": 1}}),
    ("array", {"keys": {"group/x": "x"}}),
    ("regex", {"pattern": GROUP, "types": {"rank": "int"}, "which": "all"}),
    ("regex", {"pattern": [GROUP, r"(?P<t>\d+) (?P<u>\w+)"], "unit": {"t": "u", "rank": 2}}),
    ("regex", {"pattern": GROUP, "which": "count", "required": False}),
    ("soops-parameters", {"strip": True}),
]
WRONG = [
    ("options", {"split": "opts"}, "split is a list of texts, not 'opts'"),
    ("options", {"keep": 1}, "keep is true or false"),
    ("csv", {"orient": "lst"}, "orient is one of list, first"),
    ("csv", {"column": ["a"]}, "unknown option 'column': did you mean 'columns'"),
    ("csv", {"columns": "abc"}, "columns is a list of texts"),
    ("csv", {"delimiter": "::"}, "delimiter is one character, not '::'"),
    ("csv", {"cells": {"t": ["time"]}}, r"the cell 't' is \[column, row number\]"),
    ("csv", {"cells": {"t": ["time", True]}}, "the cell 't'"),
    ("csv", {"cells": ["time", -1]}, "cells is a table"),
    ("csv", {"header": "no"}, "header is true or false"),
    ("json", {"keys": {"a": "x", "b": "x"}}, "keys calls two values by one name: x, x"),
    ("json", {"keys": [1]}, "keys is a list of texts"),
    ("toml", {"key": "x"}, "unknown option 'key': did you mean 'keys'"),
    ("toml", {"keys": {"a": 1}}, "keys is a table of texts"),
    ("yaml", {"flatten": "yes"}, "flatten is true or false"),
    ("array", {"columns": ["x"], "keys": ["x"]}, "exclude each other"),
    ("array", {"load_kwargs": 1}, "load_kwargs is a table"),
    ("regex", {}, "the option 'pattern' is needed"),
    ("regex", {"pattern": []}, "there is no pattern"),
    ("regex", {"pattern": 3}, "pattern is a list of texts"),
    ("regex", {"pattern": r"(?P<x"}, "is wrong: "),
    ("regex", {"pattern": r"rank (\d+)"}, "has no named group"),
    ("regex", {"pattern": GROUP, "types": {"rank": "integer"}}, "the type of 'rank'"),
    ("regex", {"pattern": GROUP, "types": {"rank": ["int"]}}, "the type of 'rank'"),
    ("regex", {"pattern": GROUP, "types": {"rnk": "int"}}, "no pattern has a group 'rnk'"),
    ("regex", {"pattern": GROUP, "unit": {"rank": "miles"}}, "unknown unit 'miles' of 'rank'"),
    ("regex", {"pattern": GROUP, "unit": {"rank": True}}, "is a text or a number"),
    ("regex", {"pattern": GROUP, "which": "second"}, "which is one of"),
    ("regex", {"pattern": GROUP, "which": "count", "types": {"rank": "int"}}, "have no types"),
    ("soops-parameters", {"strip": "--"}, "strip is true or false"),
]


@pytest.mark.parametrize(("name", "options"), RIGHT)
def test_right_options_pass(name: str, options: dict[str, Any]) -> None:
    assert named(SPECS[name].check)(**options) is None


@pytest.mark.parametrize(("name", "options", "words"), WRONG)
def test_wrong_options_are_said(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        named(SPECS[name].check)(**options)


def test_every_builtin_scraper_has_a_check_that_is_light() -> None:
    registry = App.create().registry("scraper")
    targets = [registry.get(name).check for name in SPECS]
    assert all(targets)
    assert {name for name, _ in RIGHT} == {name for name, *_ in WRONG} == set(SPECS)
    code = f"""
import sys, importlib
for target in {targets!r}:
    module, _, name = target.partition(":")
    getattr(importlib.import_module(module), name)
heavy = {{"numpy", "pandas", "tables", "yaml", "dask", "matplotlib"}} & set(sys.modules)
sys.exit(", ".join(heavy) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name, options, words in WRONG if "true or false" not in words],
)
def test_what_a_check_refuses_the_scraper_refuses(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    path = tmp_path / "file.txt"
    path.write_text("1 2\n")
    with pytest.raises((ValueError, TypeError)):
        named(SPECS[name].target)(path, **options)


# --- cells of CSV, matches of a pattern ---------------------------------------------------

TABLE = "time,x,name\n0,1.5,a\n1,,b\n2,3,c\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"cells": {"t_end": ["time", -1], "x0": ["x", 0]}}, {"t_end": 2, "x0": 1.5}),
        ({"cells": {"n": ["name", 1]}, "columns": ["time"]}, {"time": [0, 1, 2], "n": "b"}),
        (
            {"cells": {"n": ["name", 2]}, "columns": ["time"], "orient": "last", "prefix": "p_"},
            {"p_time": 2, "n": "c"},
        ),
    ],
)
def test_single_cells_of_a_csv_file(
    tmp_path: Path, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(TABLE)
    assert csv_table(path, **options) == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cells": {"t": ["tme", 0]}}, "no column 'tme'; there are time, x, name"),
        ({"cells": {"t": ["time", 3]}}, "there is no row 3: the table has 3 rows"),
        ({"cells": {"x": ["time", 0]}, "columns": ["x"]}, "a cell and a column are called 'x'"),
    ],
)
def test_cells_that_are_not_there(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(TABLE)
    with pytest.raises((LookupError, ValueError), match=words):
        csv_table(path, **options)


def test_matches_of_a_pattern_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("WARNING a\nERROR b\nWARNING c\n")
    pattern = [r"(?P<warnings>WARNING)|(?P<errors>ERROR)", r"(?P<fatal>FATAL)"]
    assert regex(path, pattern=pattern, which="count") == {"warnings": 2, "errors": 1, "fatal": 0}
    assert regex([path, path], pattern=pattern[1], which="count") == {"fatal": [0, 0]}


# --- HDF5 ---------------------------------------------------------------------------------


def make_hdf5(path: Path) -> Path:
    with tables.open_file(path, "w") as file:
        file.create_array("/", "t", np.arange(4.0))
        file.create_array("/", "energy", np.float64(-1.5))
        file.create_carray("/mesh", "x", obj=np.arange(6).reshape(2, 3), createparents=True)
        rows = np.array([(1, 0.5), (2, 1.5)], dtype=[("n", "i4"), ("r", "f8")])
        file.create_table("/mesh", "steps", obj=rows)
        words = file.create_vlarray("/", "words", tables.VLStringAtom())
        words.append(b"abc")
    return path


class TestHdf5(ScraperContract):
    @pytest.fixture
    def scraper(self) -> Any:
        return array

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        return make_hdf5(tmp_path / "a.h5")


def plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in values.items()
    }


def test_datasets_of_hdf5(tmp_path: Path) -> None:
    path = make_hdf5(tmp_path / "a.h5")
    assert plain(array(path)) == {
        "t": [0.0, 1.0, 2.0, 3.0],
        "energy": -1.5,
        "mesh/x": [[0, 1, 2], [3, 4, 5]],
        "mesh/steps/n": [1, 2],
        "mesh/steps/r": [0.5, 1.5],
    }
    assert type(array(path)["energy"]) is float
    chosen = array(path, keys={"/mesh/x": "x", "mesh/steps/n": "n"})
    assert plain(chosen) == {"x": [[0, 1, 2], [3, 4, 5]], "n": [1, 2]}
    assert plain(array([path, path], keys=["energy"])) == {"energy": [-1.5, -1.5]}


def test_arrays_of_npz_can_be_renamed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(2), y=np.arange(3))
    assert plain(array(tmp_path / "a.npz", keys={"y": "z"})) == {"z": [0, 1, 2]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keys": ["mesh/y"]}, "no dataset 'mesh/y'; there are energy, t, words, mesh/"),
        ({"keys": ["words"]}, "the dataset 'words' is not one of numbers"),
        ({"columns": ["t"]}, "use keys"),
    ],
)
def test_datasets_that_cannot_be_had(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises((KeyError, ValueError), match=words):
        array(make_hdf5(tmp_path / "a.h5"), **options)


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("touch canary",)


@pytest.mark.parametrize("where", ["attribute", "cell"])
def test_a_crafted_file_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make_hdf5(tmp_path / "a.h5")
    with tables.open_file(path, "a") as file:
        if where == "attribute":
            file.root.t._v_attrs.note = Command()
        else:
            file.create_vlarray("/", "objects", tables.ObjectAtom()).append(Command())
    for keys in (None, ["t"], ["objects"]):
        try:
            array(path, keys=keys)
        except (ValueError, KeyError):
            continue
    assert not (tmp_path / "canary").exists()
    if where == "attribute":
        with pytest.raises(ValueError, match="more than plain values"):
            array(path)
