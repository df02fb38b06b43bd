"""The steps ``pivot`` and ``statistics``: numbers, groups, files and what is said."""

from __future__ import annotations

import csv
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.api import App, SoopsError
from soops.base import Struct


@pytest.fixture
def step(tmp_path):
    """Return ``step(name, frame, **arguments)``, which returns the data of the step."""

    def run(name, frame, **kwargs):
        keys = kwargs.pop("par_keys", {"n", "tol", "replicate"})
        data = Struct(output_dir=str(tmp_path), par_keys=keys)
        return App.create().resolve("step", name)(frame, data=data, **kwargs)

    return run


@pytest.fixture
def frame():
    """Return replicates of four parameter sets; one run failed, one parameter is undefined."""
    rows = [
        {
            "n": n,
            "tol": tol,
            "replicate": r,
            "seed": 17 * i + r,
            "energy": n + r / 2,
            "steps": n * r,
        }
        for i, (n, tol) in enumerate([(10, 0.1), (10, "@undefined"), (2, 0.1), (2, "@undefined")])
        for r in range(3)
    ]
    frame = pd.DataFrame(rows)
    frame.loc[0, "energy"] = np.nan
    frame.attrs["units"] = {"energy": "eV", "n": "m"}
    return frame


def test_replicates_become_one_row_for_each_parameter_set(step, frame, tmp_path, caplog, capsys):
    table = step("statistics", frame).statistics

    assert table["n"].tolist() == [2, 2, 10, 10]
    assert table["tol"].tolist() == [0.1, "@undefined", 0.1, "@undefined"]
    assert table["energy_mean"].tolist() == [2.5, 2.5, 10.75, 10.5]
    assert table["energy_std"].tolist() == pytest.approx([0.5, 0.5, math.sqrt(0.125), 0.5])
    assert table["energy_count"].tolist() == [3, 3, 2, 3]
    assert "1 row of 12 left out: no number in 'energy'" in caplog.text
    assert "energy_mean" in capsys.readouterr().out
    stored = pd.read_csv(tmp_path / "statistics.csv")
    assert stored["energy_mean"].tolist() == [2.5, 2.5, 10.75, 10.5]
    assert table.attrs["units"] == {"n": "m", "energy_mean": "eV", "energy_std": "eV"}


def test_seeds_are_no_groups_and_no_values(step, frame):
    table = step("statistics", frame, over="replicate", what="sem").statistics

    assert list(table.columns) == ["n", "tol", "energy_sem", "steps_sem"]
    assert table["steps_sem"].tolist() == pytest.approx([2 / 3**0.5] * 2 + [10 / 3**0.5] * 2)


@pytest.mark.parametrize("undefined", [None, math.nan, "@undefined", pd.NA])
def test_undefined_parameters_are_a_group(step, undefined):
    frame = pd.DataFrame(
        {"tol": pd.Series([0.5, undefined, undefined], dtype=object), "e": [1.0, 2.0, 4.0]}
    )
    table = step("statistics", frame, par_keys={"tol"}, what=["mean", "count"]).statistics

    assert table["e_mean"].tolist() == [1.0, 3.0]
    assert table["e_count"].tolist() == [1, 2]


def test_all_kinds_of_undefined_are_one_group_and_true_is_not_one(step):
    cells = pd.Series([None, "@undefined", math.nan, 1, True, 1.0, [1], "1"], dtype=object)
    frame = pd.DataFrame({"p": cells, "e": range(8)})
    table = step("statistics", frame, par_keys={"p"}, what="count").statistics

    assert [str(value) for value in table["p"]] == ["1", "True", "1", "[1]", "None"]
    assert table["e_count"].tolist() == [2, 1, 1, 1, 3]


def test_a_group_without_a_number_stays_and_counts_none(step):
    frame = pd.DataFrame({"n": [1, 1, 2], "e": [None, None, 3.0], "f": [1, 2, 3]})
    table = step("statistics", frame, what=["mean", "count", "sum", "std"]).statistics

    assert table["e_count"].tolist() == [0, 1]
    assert np.isnan(table["e_mean"][0]) and np.isnan(table["e_sum"][0])
    assert np.isnan(table["f_std"][1])


def test_columns_of_soops_texts_and_arrays_are_no_values(step, frame, caplog):
    more = {"rdir": "r", "number": 5, "returncode": 0, "host": "a", "curve": [[1.0, 2.0]] * 12}
    table = step("statistics", frame.assign(**more), what="mean").statistics

    assert list(table.columns) == ["n", "tol", "energy_mean", "steps_mean"]
    assert "left out, for there are arrays in it: curve" in caplog.text


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6) | st.none()), min_size=1))
@settings(max_examples=40, deadline=None)
def test_means_are_those_of_numpy(rows):
    from soops_builtin.steps.groups import Groups, aggregate

    frame = pd.DataFrame(rows, columns=["n", "e"])
    groups = Groups(frame, ["n"])
    values = frame["e"].to_numpy(dtype=float)
    made = dict(
        zip(groups.values(0), aggregate(values, groups.ids, len(groups), "mean"), strict=True)
    )
    for n in {n for n, _ in rows}:
        present = [e for m, e in rows if m == n and e is not None]
        expected = np.mean(present) if present else math.nan
        assert made[n] == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)


def test_a_pivot_table_is_sorted_as_people_count(step, tmp_path, capsys):
    frame = pd.DataFrame(
        {
            "mesh": ["m10", "m9", "m10", "m9", "m9"],
            "--n-cell": [100, 100, 20, 20, 20],
            "e": [1.0, 2.0, 3.0, 4.0, 6.0],
        }
    )
    names = ["t/p.csv", "p.md", "p.txt"]
    table = step("pivot", frame, index="mesh", columns="n_cell", values="e", output=names).pivot

    assert table.to_dict("list") == {
        "mesh": ["m9", "m10"],
        "n_cell=20": [5.0, 3.0],
        "n_cell=100": [2.0, 1.0],
    }
    assert (
        tmp_path / "t/p.csv"
    ).read_text() == "mesh,n_cell=20,n_cell=100\nm9,5.0,2.0\nm10,3.0,1.0\n"
    assert (tmp_path / "p.md").read_text().splitlines() == [
        "| mesh | n_cell=20 | n_cell=100 |",
        "| --- | ---: | ---: |",
        "| m9 | 5 | 2 |",
        "| m10 | 3 | 1 |",
    ]
    assert (tmp_path / "p.txt").read_text() in capsys.readouterr().out


@pytest.mark.parametrize(
    ("how", "expected"),
    [("median", 5.0), ("min", 4), ("max", 7), ("sum", 16), ("count", 3), ("first", 4), ("last", 7)],
)
def test_aggregates(step, how, expected):
    frame = pd.DataFrame({"n": [1, 1, 1], "e": [4, 5, 7]})
    table = step("pivot", frame, index="n", values="e", aggregate=how).pivot

    assert table["e"].tolist() == [expected]
    assert type(table["e"].tolist()[0]) is type(expected)


def test_a_text_may_hold_what_ends_a_line(step, tmp_path):
    frame = pd.DataFrame({"n": ["a\rb", "c\nd"], "e": [0.5, 0.25]})
    step("pivot", frame, index="n", values="e", output=["p.csv"])

    with (tmp_path / "p.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["n", "e"], ["a\rb", "0.5"], ["c\nd", "0.25"]]


def test_a_cell_without_rows_is_empty(step, tmp_path):
    frame = pd.DataFrame({"n": [1, 2], "m": ["a", "b"], "e": [0.5, 0.25]})
    step("pivot", frame, index="n", columns="m", values="e", output=["p.csv", "p.md"])

    assert (tmp_path / "pivot.csv").exists() is False
    assert (tmp_path / "p.csv").read_text() == "n,m=a,m=b\n1,0.5,\n2,,0.25\n"
    assert "| 1 | 0.5 |  |" in (tmp_path / "p.md").read_text()


@pytest.mark.parametrize(
    ("name", "kwargs", "text"),
    [
        ("pivot", {"index": "nn", "values": "energy"}, "unknown column 'nn'; did you mean 'n'?"),
        ("pivot", {"index": "mass", "values": "energy"}, "known: n, tol, replicate, seed, energy"),
        ("pivot", {"index": "n", "values": "tol2"}, "did you mean 'tol'?"),
        ("statistics", {"values": "host"}, "there is no number in the column 'host'"),
        ("statistics", {"over": "repl"}, "unknown column 'repl'"),
    ],
)
def test_arguments_that_do_not_fit_the_table(step, frame, name, kwargs, text):
    with pytest.raises(SoopsError) as caught:
        step(name, frame.assign(host="a"), **kwargs)

    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
