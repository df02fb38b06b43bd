"""Rows -> table: columns, types, order, sorting, filtering, and the update of a table."""

from __future__ import annotations

import datetime
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soops.api import (
    App,
    FileRead,
    RunRecord,
    Scooped,
    ScoopedRow,
    ScoopInfo,
    ScoopItem,
    State,
    StudyError,
)
from soops.kernel.records.record import write_record
from soops.kernel.table.directories import find_run_directories
from soops.kernel.table.frame import build, column, filter_rows, sort_rows
from soops.kernel.table.rows import scoop_rows
from soops.kernel.table.update import merge, parameter_keys_of, plan_update

NOW = datetime.datetime(2027, 1, 2, 3, 4, 5, 678901)


@pytest.fixture(autouse=True)
def home_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def row(name: str, values: dict[Any, Any], **kwargs: Any) -> ScoopedRow:
    files = kwargs.pop("files", ("log.txt",))
    directory = f"/runs/{name}"
    return ScoopedRow(
        directory=directory,
        values={"rdir": directory, "rfiles": list(files), **values},
        files=tuple(
            FileRead(
                item=file,
                filenames=(f"{directory}/{file}",),
                mtimes=(1.5,),
                columns=tuple(values),
            )
            for file in files
        ),
        own={"time": NOW, **kwargs.pop("own", {})},
        **kwargs,
    )


def cells(series: Any) -> list[Any]:
    """Return cells with every missing value as the word."""
    return ["missing" if value is pd.NaT or value != value else value for value in series.tolist()]


# --- columns ------------------------------------------------------------------------------


def test_columns_are_in_the_order_of_their_first_appearance() -> None:
    table = build([row("0", {"b": 1}), row("1", {"a": 2, "b": 3}), row("2", {7: 4, ("t",): 5})])
    assert list(table.frame.columns) == ["rdir", "rfiles", "b", "a", 7, ("t",), "time"]
    assert isinstance(table.frame.columns, pd.Index)
    assert not isinstance(table.frame.columns, pd.MultiIndex)
    assert table.frame["time"].tolist() == [pd.Timestamp(NOW)] * 3
    assert table.frame["rfiles"].tolist() == [["log.txt"]] * 3


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2], "int64", [1, 2]),
        ([1, math.nan], "object", [1, "missing"]),
        ([1, None], "object", [1, "missing"]),
        ([12345678901234567, math.nan], "object", [12345678901234567, "missing"]),
        ([2**70, 1], "object", [2**70, 1]),
        ([1, 2.5], "float64", [1.0, 2.5]),
        ([2**60 + 1, 0.5], "object", [2**60 + 1, 0.5]),
        ([1.5, None, math.nan], "float64", [1.5, "missing", "missing"]),
        ([True, False], "bool", [True, False]),
        ([True, None], "object", [True, None]),
        ([True, 1], "object", [True, 1]),
        ([1 + 2j, 3], "complex128", [1 + 2j, 3 + 0j]),
        ([None, None], "object", [None, None]),
        ([np.int64(3), math.nan], "object", [3, "missing"]),
        ([np.float32(0.5), 1], "float64", [0.5, 1.0]),
        (["1", 1], "object", ["1", 1]),
        ([[1, 2], [3, 4]], "object", [[1, 2], [3, 4]]),
        ([(1, 2), math.nan], "object", [(1, 2), "missing"]),
        ([{"a": 1}, None], "object", [{"a": 1}, None]),
        ([b"x", None], "object", [b"x", None]),
        ([], "object", []),
    ],
)
def test_a_column_has_the_type_of_its_values(
    values: list[Any], kind: str, expected: list[Any]
) -> None:
    made = column(values)
    assert str(made.dtype) == kind
    assert cells(made) == expected
    assert [type(value) for value in cells(made)] == [type(value) for value in expected]


def test_texts_are_texts_also_where_some_are_missing() -> None:
    made = column(["1.10", math.nan, "007", None])
    assert cells(made) == ["1.10", "missing", "007", "missing"]
    assert made.dtype == pd.Series(["a", math.nan]).dtype


def test_a_text_that_is_no_utf8_is_kept() -> None:
    names = [os.fsdecode(b"r-\xff"), "x"]
    assert cells(column(names)) == names


def test_times_are_times_and_missing_ones_are_missing() -> None:
    made = column([NOW, math.nan, NOW])
    assert made.dtype.kind == "M"
    assert cells(made) == [pd.Timestamp(NOW), "missing", pd.Timestamp(NOW)]
    dates = [datetime.date(2020, 1, 2), None]
    assert cells(column(dates))[0] == dates[0]


def test_arrays_of_equal_length_stay_arrays() -> None:
    made = column([np.array([1, 2]), np.array([3, 4]), math.nan])
    assert [type(value) for value in made.tolist()] == [np.ndarray, np.ndarray, float]
    assert made[1].tolist() == [3, 4]


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.complex_numbers()
)
anything = st.recursive(
    scalars | st.binary() | st.datetimes() | st.tuples(scalars, scalars),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.one_of(st.lists(kind, max_size=6) for kind in (anything, scalars, st.integers())))
@example([2**53 + 1, 0j])
@settings(deadline=None, max_examples=100)
def test_no_value_is_changed_but_for_missing_ones(values: list[Any]) -> None:
    def same(old: Any, new: Any) -> bool:
        if old is None:
            return new is None or new is pd.NaT or new != new
        if isinstance(old, (float, complex)) and old != old:
            return bool(new != new)
        return bool(new == old)

    made = column(values)
    assert len(made) == len(values)
    assert all(map(same, values, made.tolist()))


# --- columns of our own -------------------------------------------------------------------


def test_records_give_columns_only_where_there_are_some() -> None:
    record = {"state": "done", "returncode": 0, "number": 4}
    assert "state" not in build([row("0", {"a": 1})]).frame
    table = build([row("0", {"a": 1}), row("1", {"a": 2}, own=record)])
    assert list(table.frame.columns)[-4:] == ["time", "state", "returncode", "number"]
    assert cells(table.frame["state"]) == ["missing", "done"]
    assert cells(table.frame["returncode"]) == ["missing", 0]
    assert type(table.frame["number"][1]) is int


def test_our_columns_step_aside_for_scooped_ones() -> None:
    record = {"state": "failed", "returncode": 1, "number": 0}
    scooped = {"time": 2.5, "state": "liquid", "soops_state": "x"}
    table = build([row("0", scooped, own=record), row("1", {}, own=record)])
    frame = table.frame
    assert cells(frame["time"]) == [2.5, "missing"]
    assert frame["soops_time"].tolist() == [pd.Timestamp(NOW)] * 2
    assert cells(frame["state"]) == ["liquid", "missing"]
    assert cells(frame["soops_state"]) == ["x", "missing"]
    assert frame["soops_soops_state"].tolist() == ["failed", "failed"]


# --- the meta table -----------------------------------------------------------------------


def test_meta_has_a_row_for_each_item() -> None:
    read = FileRead(item="a.txt", filenames=("/r/a.txt",), mtimes=(0.25,), columns=("x", "y"))
    many = FileRead(item="*.t", filenames=("/r/1.t", "/r/2.t"), mtimes=(1.0, 2.0), columns=())
    gone = FileRead(item="no", filenames=("/r/no",), mtimes=(math.nan,), columns=())
    meta = build(
        [
            row("0", {}),
            ScoopedRow(
                directory="/r", values={}, files=(read, many, gone), errors={"no": "KeyError: 1"}
            ),
        ]
    ).meta
    assert meta["data_row"].tolist() == [0, 1, 1, 1]
    assert meta["data_columns"].tolist() == [(), ("x", "y"), (), ()]
    assert meta["filename"].tolist()[1:] == ["/r/a.txt", "/r/1.t", "/r/no"]
    assert meta["filenames"].tolist()[2] == ["/r/1.t", "/r/2.t"]
    quarter = datetime.datetime(1970, 1, 1, 0, 0, 0, 250000)
    assert meta["mtimes"].tolist()[1] == [quarter]
    assert math.isnan(meta["mtimes"].tolist()[3][0])
    assert meta["error"].tolist() == ["", "", "", "KeyError: 1"]


def test_errors_and_parameter_keys_are_collected() -> None:
    table = build(
        [
            row("0", {"b": 1, "a": 2}, parameter_keys=("b", "a")),
            row("1", {}, errors={"log.txt": "ValueError: x"}, parameter_keys=("c", "a")),
        ]
    )
    assert table.parameter_keys == ("b", "a", "c")
    assert table.errors == {"/runs/1": {"log.txt": "ValueError: x"}}


# --- sorting and filtering ----------------------------------------------------------------


def meta_agrees(table: Scooped) -> bool:
    """Whether each row of meta points at the row of its file."""
    rdirs = table.frame["rdir"].tolist()
    return [rdirs[place] for place in table.meta["data_row"]] == [
        str(Path(name).parent) for name in table.meta["filename"]
    ]


def test_meta_follows_the_rows(tmp_path: Path) -> None:
    rows = [row(str(n), {"x": -n % 3, "y": n}, files=("a", "b")[: 1 + n % 2]) for n in range(7)]
    table = sort_rows(build(rows), ["x", "y"])
    assert table.frame["x"].tolist() == sorted(table.frame["x"])
    assert table.frame["y"].tolist() == [0, 3, 6, 2, 5, 1, 4]
    assert table.frame.index.tolist() == list(range(7))
    assert meta_agrees(table)
    assert table.meta["data_row"].tolist() == [0, 1, 1, 2, 3, 4, 4, 5, 5, 6]
    kept = filter_rows(table, ["b"])
    assert kept.frame["y"].tolist() == [3, 5, 1]
    assert meta_agrees(kept)
    assert len(kept.meta) == 6


def test_sorting_by_directory_counts_numbers_as_numbers() -> None:
    names = ["study2/1000-a", "study10/1-b", "study2/999-c", "study2/101-d"]
    table = sort_rows(build([row(name, {}) for name in names]), ["rdir"])
    assert [path[6:] for path in table.frame["rdir"]] == [
        "study2/101-d",
        "study2/999-c",
        "study2/1000-a",
        "study10/1-b",
    ]


def test_any_values_can_be_sorted() -> None:
    given = [None, "b", 2, [3], 1.5, "a", math.nan, True, {"k": 1}, (1,), NOW]
    rows = [row(str(n), {"v": value, "n": n}) for n, value in enumerate(given)]
    table = sort_rows(build(rows), ["v"])
    assert table.frame["n"].tolist() == [7, 4, 2, 5, 1, 10, 9, 3, 8, 0, 6]
    assert meta_agrees(table)


def test_an_unknown_column_is_an_error_with_near_misses() -> None:
    with pytest.raises(StudyError, match="unknown column 'elapsde'") as caught:
        sort_rows(build([row("0", {"elapsed": 1})]), ["elapsde"])
    assert caught.value.hint == "did you mean 'elapsed'?"


def test_a_filter_that_leaves_nothing_is_an_error() -> None:
    table = build([row("0", {}, files=("a.txt", "b.txt"))])
    with pytest.raises(StudyError, match="leaves no row") as caught:
        filter_rows(table, ["c.txt"])
    assert caught.value.hint == "files that were read: a.txt, b.txt"


# --- updating -----------------------------------------------------------------------------


def scrape(path: str, rdata: Any = None) -> dict[str, Any]:
    text = Path(path).read_text()
    if text == "bad":
        raise ValueError("bad")
    return {"x": int(text)}


INFO = ScoopInfo(items=(ScoopItem(pattern="x.txt", scraper=scrape, is_parameters=True),))
MANY = ScoopInfo(
    items=(
        *INFO.items,
        ScoopItem(pattern="*.log", scraper=lambda path, rdata=None: {"logs": len(path)}),
    )
)


def write(root: Path, name: str, text: str, mtime: int = 1_000_000) -> Path:
    path = root / name / "x.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (mtime, mtime))
    return path.parent


def scoop(root: Path, info: ScoopInfo = INFO) -> Scooped:
    return build(scoop_rows(find_run_directories([root], info), info, App.create(found=())))


def update(stored: Scooped, root: Path, info: ScoopInfo = INFO) -> tuple[Scooped, list[str]]:
    found = find_run_directories([root], info)
    plan = plan_update(stored, found, info, [str(root)])
    rows = scoop_rows(plan.todo, info, App.create(found=()))
    names = [Path(directory).name for directory in plan.todo]
    return merge(stored, plan, rows, found), names


def without_times(table: Scooped) -> tuple[Any, ...]:
    frame = table.frame.drop(columns="time")
    return (
        frame.to_dict("list"),
        frame.dtypes.to_dict(),
        table.meta.astype(str).to_dict("list"),
        table.meta.dtypes.to_dict(),
        table.parameter_keys,
        table.errors,
    )


def test_only_what_is_new_or_changed_is_read_again(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path, f"{number:03d}", str(number))
    stored = scoop(tmp_path)
    assert update(stored, tmp_path) == (stored, [])

    write(tmp_path, "001", "11", mtime=2_000_000)
    write(tmp_path, "004", "4")
    write(tmp_path, "1000", "5")
    shutil.rmtree(tmp_path / "002")
    updated, read = update(stored, tmp_path)
    assert read == ["001", "004", "1000"]
    assert updated.frame["x"].tolist() == [0, 11, 3, 4, 5]
    assert without_times(updated) == without_times(scoop(tmp_path))
    assert updated.frame["time"][0] == stored.frame["time"][0]
    assert updated.frame["time"][1] > stored.frame["time"][1]


def test_a_failed_item_is_tried_again_each_time(tmp_path: Path) -> None:
    write(tmp_path, "000", "1")
    directory = write(tmp_path, "001", "bad")
    stored = scoop(tmp_path)
    assert list(stored.errors) == [str(directory)]
    again, read = update(stored, tmp_path)
    assert read == ["001"]
    assert list(again.errors) == [str(directory)]
    write(tmp_path, "001", "2")  # of the same time as before
    mended, read = update(again, tmp_path)
    assert read == ["001"]
    assert mended.errors == {}
    assert mended.frame["x"].dtype == np.int64
    assert mended.frame["x"].tolist() == [1, 2]


def test_directories_are_told_apart_by_where_they_really_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "study", "000", "1")
    stored = scoop(tmp_path / "study")
    (tmp_path / "link").symlink_to(tmp_path / "study")
    monkeypatch.chdir(tmp_path)
    for same in ("study/", "./study", "link", "study/../study/000"):
        assert update(stored, Path(same)) == (stored, [])


def test_rows_of_other_directories_stay(tmp_path: Path) -> None:
    write(tmp_path / "one", "000", "1")
    write(tmp_path / "one", "001", "2")
    stored = scoop(tmp_path / "one")
    write(tmp_path / "two", "000", "3")
    shutil.rmtree(tmp_path / "one" / "000")
    both, read = update(stored, tmp_path / "two")
    assert read == ["000"]
    assert both.frame["x"].tolist() == [2, 3]
    assert meta_agrees(both)


def test_what_is_no_run_directory_any_more_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, "000", "1")
    directory = write(tmp_path, "001", "2")
    stored = scoop(tmp_path)
    (directory / "x.txt").unlink()
    updated, read = update(stored, tmp_path)
    assert read == []
    assert without_times(updated) == without_times(scoop(tmp_path))


def test_a_new_file_of_a_pattern_is_a_change(tmp_path: Path) -> None:
    directory = write(tmp_path, "000", "1")
    (directory / "a.log").touch()
    stored = scoop(tmp_path, MANY)
    assert update(stored, tmp_path, MANY)[1] == []
    (directory / "b.log").touch()
    updated, read = update(stored, tmp_path, MANY)
    assert read == ["000"]
    assert updated.frame["logs"].tolist() == [2]
    (directory / "a.log").unlink()
    assert update(updated, tmp_path, MANY)[1] == ["000"]


def test_a_run_that_was_done_again_is_read_again(tmp_path: Path) -> None:
    directory = write(tmp_path, "000", "1")
    stored = scoop(tmp_path)
    record = {"identity": "i", "pkey": "p", "number": 0, "directory": "000", "command": "true"}
    write_record(directory, RunRecord(**record, parameters={}, state=State.FAILED, returncode=1))
    failed, read = update(stored, tmp_path)
    assert read == ["000"]
    assert failed.frame[["state", "returncode", "number"]].iloc[0].tolist() == ["failed", 1, 0]
    assert update(failed, tmp_path) == (failed, [])
    (directory / "soops-run.json").unlink()
    assert update(failed, tmp_path)[1] == ["000"]


def test_a_table_of_other_items_is_out_of_date(tmp_path: Path) -> None:
    directory = write(tmp_path, "000", "1")
    (directory / "a.log").touch()
    stored = scoop(tmp_path)
    updated, read = update(stored, tmp_path, MANY)
    assert read == ["000"]
    assert updated.frame["logs"].tolist() == [1]


def test_an_update_keeps_what_is_ours_apart_from_what_is_scooped() -> None:
    own = {"state": "done", "returncode": 0, "number": 1}
    stored = build([row("1", {"a": 1}, own=own)])
    fresh = [row("2", {"state": "solid", "time": 3}, own={**own, "number": 2})]
    plan = plan_update(stored, [], ScoopInfo(items=()))
    kept = type(plan)(todo=("/runs/2",), keep={"/runs/1": 0}, n_new=1, n_changed=0, n_gone=0)
    frame = merge(stored, kept, fresh, ["/runs/1", "/runs/2"]).frame
    assert cells(frame["state"]) == ["missing", "solid"]
    assert cells(frame["time"]) == ["missing", 3]
    assert frame["soops_state"].tolist() == ["done", "done"]
    assert frame["soops_time"].tolist() == [pd.Timestamp(NOW)] * 2
    assert frame["number"].tolist() == [1, 2]


def test_the_parameters_can_be_told_from_the_items(tmp_path: Path) -> None:
    (write(tmp_path, "000", "1") / "a.log").touch()
    assert parameter_keys_of(scoop(tmp_path, MANY), MANY) == ("x",)


def test_a_table_of_something_else_is_refused() -> None:
    other = Scooped(frame=pd.DataFrame({"a": [1]}), meta=pd.DataFrame(), parameter_keys=())
    with pytest.raises(StudyError, match="no column 'rdir'"):
        plan_update(other, [], INFO)
