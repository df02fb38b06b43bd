"""The builtin scrapers: what they read, and that they keep the contract of scrapers."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soops.api import PluginError, RunRecord, State
from soops.ioutils import save_options
from soops.kernel.records.record import write_record
from soops.testing import ScraperContract
from soops_builtin.scrapers.arrays import array
from soops_builtin.scrapers.csv_table import csv_table
from soops_builtin.scrapers.json_toml import json_file, toml_file, yaml_file
from soops_builtin.scrapers.options_txt import options_txt
from soops_builtin.scrapers.parameters import parameters
from soops_builtin.scrapers.regex import regex

LOG = """\
solver: start
elapsed: 0.5 s, memory: 100 MiB, rank 3
elapsed: 1500 ms, memory: 2 GB, rank 4
residual: 1.5D-03 iterations: 12 converged: yes
name: run_1
"""
PARAMETERS_CSV = (
    "pkey,finished,iset,--num,--x,--flag,--mass,code,output_dir,script_dir\n"
    "0123,True,007,10,1.10,@defined,@undefined,007,out/007-0123,.\n"
)


def writer(name: str, text: str) -> Callable[[Any, Path], Path]:
    @pytest.fixture
    def sample(self: Any, tmp_path: Path) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return sample


def giving(scraper: Any, **options: Any) -> Any:
    @pytest.fixture
    def given(self: Any) -> Any:
        return lambda path, rdata=None: scraper(path, rdata=rdata, **options)

    return given


class TestOptions(ScraperContract):
    scraper = giving(options_txt)
    sample = writer("options.txt", "options\n-------\n\nnum: 1\nopts: {'a': 1}\n")


class TestCsv(ScraperContract):
    scraper = giving(csv_table)
    sample = writer("table.csv", "t,x\n0,1.5\n1,\n")


class TestJson(ScraperContract):
    scraper = giving(json_file)
    sample = writer("a.json", '{"a": 1, "b": [1, 2, {"c": null}]}')


class TestToml(ScraperContract):
    scraper = giving(toml_file)
    sample = writer("a.toml", "a = 1\n[b]\nc = 'x'\n")


class TestYaml(ScraperContract):
    scraper = giving(yaml_file)
    sample = writer("a.yaml", "a: 1\nb: [x, 2.5]\n")


class TestRegex(ScraperContract):
    scraper = giving(regex, pattern=r"elapsed: (?P<elapsed>\S+)")
    sample = writer("log.txt", LOG)


class TestParameters(ScraperContract):
    scraper = giving(parameters)
    sample = writer("soops-parameters.csv", PARAMETERS_CSV)


class TestTextArray(ScraperContract):
    scraper = giving(array)
    sample = writer("a.txt", "1 2\n3 4\n")


class TestNpy(ScraperContract):
    scraper = giving(array)

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        np.save(tmp_path / "a.npy", np.arange(3.0))
        return tmp_path / "a.npy"


class TestNpz(ScraperContract):
    scraper = giving(array)

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.eye(2))
        return tmp_path / "a.npz"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "file.txt") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_wildcard_gives_a_list_for_each_value(write: Any) -> None:
    files = [write('{"a": 1, "b": 2}', "1.json"), write('{"a": 3, "c": 4}', "2.json")]
    assert json_file([str(path) for path in files]) == {
        "a": [1, 3],
        "b": [2, None],
        "c": [None, 4],
    }


# --- options.txt --------------------------------------------------------------------------


def test_options_have_the_types_of_values(tmp_path: Path) -> None:
    options = {
        "num": 100,
        "tol": 1e-6,
        "nan": math.inf,
        "show": False,
        "seed": None,
        "mode": "max",
        "ident": "id",
        "day": "2020-10-12",
        "ratio": "3/4",
        "version": "1.10",
        "code": "007",
        "hex": "0x10",
        "empty": "",
        "blank": " x",
        "pair": "a : b",
        "opts": {"lw": 2, "name": "x"},
        "orders": [1, 2.5, "a"],
        "scalars": [np.float64(1.5), np.int64(2), np.True_],
    }
    save_options(tmp_path / "options.txt", [("options", options)])
    assert options_txt(tmp_path / "options.txt") == options


def test_options_of_all_groups_and_lines_are_read(write: Any) -> None:
    path = write(
        "command line\n------------\n\na.py --x: 1\n\noptions\n-------\n\n"
        "a: [[1 2]\n [3 4]]\nb: 1\n\nmore\n----\n\nc: x: y\n",
        "options.txt",
    )
    assert options_txt(path) == {"a": "[[1 2]\n [3 4]]", "b": 1, "c": "x: y"}


def test_options_that_are_dicts_can_be_split(write: Any) -> None:
    path = write("options\n-------\n\nopts: {'lw': 2, 'more': {'x': 1}}\nnum: 3\n")
    assert options_txt(path, split=["opts"]) == {
        "num": 3,
        "opts__lw": 2,
        "opts__more": {"x": 1},
    }
    assert options_txt(path, split=["opts", "num", "none"], recur=True, keep=True) == {
        "num": 3,
        "opts": {"lw": 2, "more": {"x": 1}},
        "opts__lw": 2,
        "opts__more__x": 1,
    }


# --- CSV ----------------------------------------------------------------------------------


def test_columns_of_a_csv_file(write: Any) -> None:
    path = write("﻿n, x,code,flag,empty\n1,0.5,007,True,\n2,nan,12,False,\n\n-3,1e3,x,True,\n")
    given = csv_table(path)
    assert {name: given[name] for name in ("n", "code", "flag")} == {
        "n": [1, 2, -3],
        "code": ["007", "12", "x"],
        "flag": [True, False, True],
    }
    assert given["x"][::2] == [0.5, 1000.0]
    assert math.isnan(given["x"][1])
    assert all(map(math.isnan, given["empty"]))
    assert [type(value) for value in given["n"]] == [int, int, int]


def test_what_to_take_of_a_csv_file(write: Any) -> None:
    path = write("# made by x\nt;x\n0;1\n1;2\n")
    shape = {"delimiter": ";", "comment": "#"}
    assert csv_table(path, orient="last", **shape) == {"t": 1, "x": 2}
    assert csv_table(path, orient="first", prefix="a_", **shape) == {"a_t": 0, "a_x": 1}
    assert csv_table(path, columns=["x"], **shape) == {"x": [1, 2]}
    assert csv_table(path, orient="records", key="rows", **shape) == {
        "rows": [{"t": 0, "x": 1}, {"t": 1, "x": 2}]
    }
    assert csv_table(write("1,2\n3,4\n"), header=False) == {"c0": [1, 3], "c1": [2, 4]}


@pytest.mark.parametrize(
    ("text", "options", "error"),
    [
        ("", {}, "no rows"),
        ("a,b\n1\n", {}, "row 2 has 1 cells, not 2"),
        ("a,a\n1,2\n", {}, "two columns have one name"),
        ("a\n1\n", {"columns": ["b"]}, "no column 'b'; there are a"),
        ("a\n", {"orient": "last"}, "no rows below"),
        ("a\n1\n", {"orient": "lst"}, "orient is one of list, first, last, records"),
    ],
)
def test_a_csv_file_that_is_no_table_is_an_error(
    write: Any, text: str, options: dict[str, Any], error: str
) -> None:
    with pytest.raises((ValueError, KeyError), match=error):
        csv_table(write(text), **options)


# --- arrays -------------------------------------------------------------------------------


def test_arrays_keep_shape_and_dtype(tmp_path: Path) -> None:
    matrix = np.arange(6, dtype=np.int16).reshape(3, 2)
    np.save(tmp_path / "a.npy", matrix)
    np.savez(tmp_path / "a.npz", m=matrix, v=np.ones(2))
    np.savetxt(tmp_path / "a.txt", matrix, fmt="%d", header="x y")
    given = array(tmp_path / "a.npy", key="m")["m"]
    assert given.dtype == np.int16
    assert given.tolist() == matrix.tolist()
    assert {name: value.shape for name, value in array(tmp_path / "a.npz").items()} == {
        "m": (3, 2),
        "v": (2,),
    }
    assert list(array(tmp_path / "a.npz", columns=["v"])) == ["v"]
    for file in ("a.npy", "a.txt"):
        columns = array(tmp_path / file, columns=["x", "y"])
        assert {name: value.tolist() for name, value in columns.items()} == {
            "x": [0, 2, 4],
            "y": [1, 3, 5],
        }
    skipped = array(tmp_path / "a.txt", load_kwargs={"skiprows": 2, "dtype": int})
    assert skipped["array"].tolist() == [[2, 3], [4, 5]]
    with pytest.raises(ValueError, match="3 columns"):
        array(tmp_path / "a.txt", columns=["x", "y", "z"])


# --- JSON, TOML, YAML ---------------------------------------------------------------------

DATA = {"a": {"b": [10, {"c": 1}], "d.e": 2, "f": {}}, "g": None}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, DATA),
        ({"flatten": True}, {"a__b": [10, {"c": 1}], "a__d.e": 2, "a__f": {}, "g": None}),
        ({"flatten": True, "sep": "."}, {"a.b": [10, {"c": 1}], "a.d.e": 2, "a.f": {}, "g": None}),
        ({"keys": ["a.b.1.c", "a.d.e", "g"]}, {"a.b.1.c": 1, "a.d.e": 2, "g": None}),
        ({"keys": {"a.b.0": "first"}}, {"first": 10}),
    ],
)
def test_what_to_take_of_a_json_file(
    write: Any, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert json_file(write(json.dumps(DATA)), **options) == expected
    assert yaml_file(write(json.dumps(DATA)), **options) == expected


@pytest.mark.parametrize("name", ["x", "a.b.7", "a.b.c", "g.h", "a.b.1.c.d"])
def test_a_missing_key_is_named(write: Any, name: str) -> None:
    with pytest.raises(KeyError, match=f"there is no '{name.split('.')[-1]}'|there is no"):
        json_file(write(json.dumps(DATA)), keys=[name])


def test_a_json_file_may_hold_any_value(write: Any) -> None:
    assert json_file(write("[1, 2]"), key="steps") == {"steps": [1, 2]}
    assert yaml_file(write("3"), key="n") == {"n": 3}


def test_toml_has_tables(write: Any) -> None:
    path = write("x = 1\n[a]\nday = 2020-01-02\n")
    assert set(toml_file(path, flatten=True)) == {"x", "a__day"}
    assert toml_file(path, keys={"a.day": "day"})["day"].isoformat() == "2020-01-02"


def test_without_pyyaml_the_error_says_what_to_install(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(PluginError) as caught:
        yaml_file(write("a: 1"))
    assert caught.value.hint == "pip install 'soops[yaml]'"


# --- regular expressions ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pattern": r"rank (?P<rank>\d+)"}, {"rank": 4}),
        ({"pattern": r"rank (?P<rank>\d+)", "which": "first"}, {"rank": 3}),
        ({"pattern": r"rank (?P<rank>\d+)", "which": "all"}, {"rank": [3, 4]}),
        ({"pattern": r"rank (?P<rank>\d+)", "types": {"rank": "float"}}, {"rank": 4.0}),
        ({"pattern": r"rank (?P<rank>\d+)", "types": {"rank": "str"}}, {"rank": "4"}),
        ({"pattern": r"rank (?P<rank>\d+)", "types": {"rank": lambda t: [t]}}, {"rank": ["4"]}),
        ({"pattern": r"residual: (?P<r>\S+)"}, {"r": 0.0015}),
        ({"pattern": r"converged: (?P<ok>\w+)", "types": {"ok": "bool"}}, {"ok": True}),
        ({"pattern": r"name: (?P<name>\w+)"}, {"name": "run_1"}),
        ({"pattern": r"^solver: (?P<what>\w+)$"}, {"what": "start"}),
        (
            {"pattern": r"\Asolver: (?P<what>.*)elapsed: 0", "multiline": False},
            {"what": "start\n"},
        ),
        (
            {"pattern": [r"rank (?P<rank>\d+)", r"iterations: (?P<n>\d+)"]},
            {"rank": 4, "n": 12},
        ),
        ({"pattern": r"rank (?P<rank>\d+)(?P<more>x)?"}, {"rank": 4, "more": None}),
        ({"pattern": r"nothing (?P<x>\d+)", "required": False}, {}),
    ],
)
def test_named_groups_are_values(
    write: Any, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    given = regex(write(LOG), **options)
    assert given == expected
    assert [type(value) for value in given.values()] == [type(value) for value in expected.values()]


def test_units_give_seconds_and_bytes(write: Any) -> None:
    given = regex(
        write(LOG + "used: 25 %\n"),
        pattern=[
            r"elapsed: (?P<elapsed>\S+) (?P<tu>\w+), memory: (?P<memory>\S+) (?P<mu>\w+)",
            r"used: (?P<used>\d+)",
            r"rank (?P<rank>\d+)",
        ],
        unit={"elapsed": "tu", "memory": "mu", "used": "%", "rank": 10},
        which="all",
    )
    assert given == {
        "elapsed": [0.5, 1.5],
        "memory": [100 * 2**20, 2 * 10**9],
        "used": [0.25],
        "rank": [30, 40],
    }


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"pattern": r"none (?P<x>\d)"}, "no match of 'none"),
        ({"pattern": r"rank (\d)"}, "has no named group"),
        ({"pattern": r"rank (?P<x"}, "is wrong"),
        ({"pattern": r"name: (?P<n>\w+)", "types": {"n": "int"}}, "n is 'run_1'"),
        ({"pattern": r"name: (?P<n>\w+)", "types": {"n": "integer"}}, "the type of 'n'"),
        ({"pattern": r"name: (?P<n>\w+)", "types": {"m": "int"}}, "no pattern has a group 'm'"),
        ({"pattern": r"rank (?P<n>\d)", "unit": {"n": "miles"}}, "unknown unit 'miles'"),
        ({"pattern": r"rank (?P<n>\d)", "which": "second"}, "which is one of"),
        ({"pattern": r"converged: (?P<n>y)", "types": {"n": "bool"}}, "n is 'y'"),
    ],
)
def test_what_does_not_fit_is_an_error(write: Any, options: dict[str, Any], error: str) -> None:
    with pytest.raises((ValueError, LookupError), match=error):
        regex(write(LOG), **options)


# --- parameters ---------------------------------------------------------------------------


def test_parameters_come_from_the_record_with_their_types(tmp_path: Path) -> None:
    (tmp_path / "soops-parameters.csv").write_text(PARAMETERS_CSV)
    assert parameters(tmp_path / "soops-parameters.csv") == {
        "--num": 10,
        "--x": "1.10",
        "--flag": "@defined",
        "--mass": "@undefined",
        "code": "007",
    }
    assert parameters(tmp_path / "soops-parameters.csv", strip=True, undefined=False) == {
        "num": 10,
        "x": "1.10",
        "flag": "@defined",
        "code": "007",
    }
    given = {"--num": "10", "--x": (1, None), "--flag": True}
    write_record(
        tmp_path,
        RunRecord(
            identity="i",
            pkey="p",
            number=7,
            directory="r",
            parameters=given,
            command="true",
            state=State.DONE,
        ),
    )
    for name in ("soops-parameters.csv", "soops-run.json"):
        assert parameters(tmp_path / name) == given


def test_a_file_without_parameters_is_an_error(write: Any) -> None:
    with pytest.raises(ValueError, match="damaged"):
        parameters(write("pkey,finished\n", "soops-parameters.csv"))
