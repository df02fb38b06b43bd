"""The three stores: what is written comes back, and nothing stored is ever lost."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import decimal
import math
import os
import sys
import threading
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.api import FileRead, PluginError, Scooped, ScoopedRow, StudyError
from soops.base import Struct
from soops.kernel.table.frame import build
from soops.unpickling import loads
from soops_builtin.stores import csv_store, hdf5, parquet
from soops_builtin.stores.cells import decode, encode, first_strange

NOW = datetime.datetime(2027, 1, 2, 3, 4, 5, 678901)
STORES = {"results.h5": hdf5, "results.csv": csv_store, "results.parquet": parquet}
every_store = pytest.mark.parametrize("name", STORES)
#: Those that keep types.
exact_store = pytest.mark.parametrize("name", ["results.h5", "results.parquet"])


def table(*values: dict[Any, Any], directory: str = "/runs", **kwargs: Any) -> Scooped:
    rows = [
        ScoopedRow(
            directory=f"{directory}/{number}",
            values={"rdir": f"{directory}/{number}", "rfiles": ["a.txt"], **given},
            files=(
                FileRead(
                    item="a.txt",
                    filenames=(f"{directory}/{number}/a.txt",),
                    mtimes=(1700000000.123456,),
                    columns=tuple(given),
                ),
                FileRead(
                    item="no.txt",
                    filenames=(f"{directory}/{number}/no.txt",),
                    mtimes=(math.nan,),
                    columns=(),
                ),
            ),
            own={"time": NOW},
            parameter_keys=tuple(given)[:1],
            errors={"no.txt": "FileNotFoundError: no"} if number else {},
        )
        for number, given in enumerate(values)
    ]
    return dataclasses.replace(build(rows), **kwargs)


def plain(value: Any) -> Any:
    """Return something that is equal only for equal values of equal types."""
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, [plain(item) for item in value.flat]
    if isinstance(value, dict):
        items = dict.items(value)
        return type(value).__name__, [(plain(key), plain(item)) for key, item in items]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(map(repr, value))
    return type(value).__name__, repr(value)


def columns(frame: Any) -> dict[Any, Any]:
    return {
        name: (str(frame[name].dtype), [plain(cell) for cell in frame[name].tolist()])
        for name in frame.columns
    }


def assert_same(old: Scooped, new: Scooped) -> None:
    assert columns(old.frame) == columns(new.frame)
    assert list(old.frame.columns) == list(new.frame.columns)
    assert columns(old.meta) == columns(new.meta)
    assert old.parameter_keys == new.parameter_keys


MANY = {
    "num": 100,
    "tol": 1e-6,
    "inf": math.inf,
    "nan": math.nan,
    "host": "random",
    "code": "007",
    "empty": "",
    "text": "two\nlines, \"quotes\" and 'more' žluť",
    "flag": True,
    "none": None,
    "big": 2**70,
    "complex": 1.5 - 2j,
    "floats": [1.0, math.nan, 3.0],
    "words": ["a", "b"],
    "mixed": [1, "b", None, [2.5, (True,)]],
    "tuple": (1, 2),
    "dict": {"a": 1, 2: [3], (4,): None},
    "vector": np.arange(3.0),
    "matrix": np.arange(6, dtype=np.int32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">f4"),
    "bools": np.array([True, False]),
    "stamps": np.array(["2020-01-01", "NaT"], dtype="M8[ms]"),
    "letters": np.array(["ab", "c"]),
    "objects": np.array([[1, "a"], [None, [2]]], dtype=object),
    "empty_array": np.zeros((0, 3)),
    "scalar": [np.float32(0.1), np.int8(3), np.bool_(True), np.datetime64("2020-01-01")],
    "date": datetime.date(2020, 1, 2),
    "datetime": datetime.datetime(2020, 1, 2, 3, tzinfo=datetime.UTC),
    "delta": datetime.timedelta(seconds=5),
    "deltas": [datetime.timedelta(days=1, microseconds=5), pd.Timedelta("1h")],
    "stamp": [pd.Timestamp("2020-01-01 12:00"), pd.NaT],
    "bytes": [b"\x00\xff", bytearray(b"x")],
    "set": [{1, 2}, frozenset({"a"})],
    "decimal": [decimal.Decimal("1.10")],
    "ordered": OrderedDict(b=1, a=2),
    "path": [Path("a/b")],
    "struct": Struct(lw=2, keys=[1, Struct(deep=np.arange(2))]),
    "range": [range(1, 9, 2)],
}


@exact_store
def test_what_is_written_comes_back_with_its_types(name: str, tmp_path: Path) -> None:
    other = {key: value for key, value in MANY.items() if key not in ("num", "host", "flag")}
    old = table(MANY, other, MANY, {"extra": 1, 7: "seven", ("t", 1): 2.5})
    STORES[name].write(old, tmp_path / name)
    new = STORES[name].read(tmp_path / name)
    assert_same(old, new)
    assert new.path == tmp_path / name


@exact_store
def test_arrays_are_writable_and_their_own(name: str, tmp_path: Path) -> None:
    STORES[name].write(table({"x": np.arange(3.0)}, {"x": np.arange(3.0)}), tmp_path / name)
    cells = STORES[name].read(tmp_path / name).frame["x"].tolist()
    cells[0][0] = 9.0
    assert cells[1][0] == 0.0


def _object_array(items: list[Any]) -> Any:
    array = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        array[place] = item
    return array


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(max_size=9),
    st.datetimes(),
    st.dates(),
    st.timedeltas(),
    st.integers(-128, 127).map(np.int8),
    st.floats(width=32).map(np.float32),
)
keys = st.one_of(st.text(), st.integers(), st.tuples(st.text(), st.integers()))
cells = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=3)
        | st.lists(inner, max_size=3).map(_object_array)
    ),
    max_leaves=6,
)


@exact_store
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), cells), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30)
def test_any_plain_values_come_back(
    name: str, tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("store") / name
    old = table(*rows)
    STORES[name].write(old, path)
    assert_same(old, STORES[name].read(path))


@given(cells)
@settings(deadline=None, max_examples=100)
def test_the_text_of_a_cell_gives_the_cell(cell: Any) -> None:
    assert first_strange([cell]) is None
    assert plain(decode(encode(cell))) == plain(cell)


@every_store
def test_directories_that_are_no_utf8_are_kept(name: str, tmp_path: Path) -> None:
    odd = os.fsdecode(b"/runs \xff\xfe")
    STORES[name].write(table({"x": odd}, {"x": "y"}, directory=odd), tmp_path / name)
    new = STORES[name].read(tmp_path / name)
    assert new.frame["rdir"].tolist() == [f"{odd}/0", f"{odd}/1"]
    assert new.frame["x"].tolist() == [odd, "y"]
    assert new.meta["filenames"].tolist()[2] == [f"{odd}/1/a.txt"]


@every_store
def test_columns_that_differ_only_by_type_are_two(name: str, tmp_path: Path) -> None:
    STORES[name].write(table({1: "int", "1": "str"}), tmp_path / name)
    frame = STORES[name].read(tmp_path / name).frame
    assert frame.iloc[0, 2:4].tolist() == ["int", "str"]
    if name != "results.csv":
        assert list(frame.columns)[2:4] == [1, "1"]


@every_store
def test_meta_and_errors_come_back(name: str, tmp_path: Path) -> None:
    old = table({"x": 1}, {"x": 2})
    STORES[name].write(old, tmp_path / name)
    assert columns(STORES[name].read(tmp_path / name).meta) == columns(old.meta)


# --- nothing stored is lost ---------------------------------------------------------------


def snapshot(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@every_store
def test_an_empty_table_never_takes_the_place_of_a_full_one(name: str, tmp_path: Path) -> None:
    STORES[name].write(table({"x": 1}), tmp_path / name)
    before = snapshot(tmp_path)
    with pytest.raises(StudyError, match="empty table"):
        STORES[name].write(table(), tmp_path / name)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("value", [threading.Lock(), lambda: 1], ids=["lock", "lambda"])
@exact_store
def test_a_value_that_cannot_be_stored_changes_nothing(
    name: str, tmp_path: Path, value: Any
) -> None:
    STORES[name].write(table({"x": 1}), tmp_path / name)
    before = snapshot(tmp_path)
    with pytest.raises(StudyError, match="the column 'y' holds") as caught:
        STORES[name].write(table({"x": 2, "y": [value]}), tmp_path / name)
    assert caught.value.source is not None
    assert caught.value.source.path == str(tmp_path / name)
    assert snapshot(tmp_path) == before


@every_store
def test_a_full_disk_changes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    STORES[name].write(table({"x": 1}), tmp_path / name)
    before = snapshot(tmp_path)

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StudyError, match="cannot be written: No space left on device"):
        STORES[name].write(table({"x": 2}), tmp_path / name)
    monkeypatch.undo()
    assert snapshot(tmp_path) == before


@every_store
def test_an_error_in_the_middle_of_writing_changes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet

    STORES[name].write(table({"x": 1}), tmp_path / name)
    before = snapshot(tmp_path)
    put = pd.HDFStore.put

    def fail_at_the_second(self: Any, key: str, *args: Any, **kwargs: Any) -> None:
        if key == "mdf":
            raise OSError(5, "Input/output error")
        put(self, key, *args, **kwargs)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(pd.HDFStore, "put", fail_at_the_second)
    monkeypatch.setattr(pyarrow.parquet, "write_table", fail)
    monkeypatch.setattr(csv_store, "_write_frame", fail)
    with pytest.raises(StudyError, match="Input/output error"):
        STORES[name].write(table({"x": 2}), tmp_path / name)
    assert snapshot(tmp_path) == before


@every_store
def test_missing_directories_are_made_and_links_stay_links(name: str, tmp_path: Path) -> None:
    STORES[name].write(table({"x": 1}), tmp_path / "new" / "deep" / name)
    link = tmp_path / name
    link.symlink_to(tmp_path / "new" / "deep" / name)
    STORES[name].write(table({"x": 2}), link)
    assert link.is_symlink()
    assert STORES[name].read(tmp_path / "new" / "deep" / name).frame["x"].tolist() == [2]


@every_store
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no stored results") as caught:
        STORES[name].read(tmp_path / name)
    assert name in str(caught.value)


# --- HDF5 ---------------------------------------------------------------------------------


def test_pandas_reads_the_file(tmp_path: Path) -> None:
    # pandas before 3 reads the column name "nan" as a number.
    old = table({key: value for key, value in MANY.items() if key != "nan"})
    hdf5.write(old, tmp_path / "r.h5")
    frame = pd.read_hdf(tmp_path / "r.h5", "df")
    assert columns(frame) == columns(old.frame)
    assert columns(pd.read_hdf(tmp_path / "r.h5", "mdf")) == columns(old.meta)
    assert pd.read_hdf(tmp_path / "r.h5", "par_keys").tolist() == ["num"]


def put(path: Path, **values: Any) -> None:
    with pd.HDFStore(path, "a") as store:
        for key, value in values.items():
            store.put(key, value, track_times=False)


def test_data_of_the_user_stay_with_their_table_only(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    hdf5.write(table({"x": 1}), path)
    put(path, plugin_ldf=pd.Series([1.5, 2.5]))
    assert hdf5.user_keys(path) == ["/plugin_ldf"]

    stored = hdf5.read(path)
    changed = dataclasses.replace(stored, frame=stored.frame.assign(y=[7]))
    hdf5.write(changed, path)
    assert hdf5.user_keys(path) == ["/plugin_ldf"]
    assert pd.read_hdf(path, "plugin_ldf").tolist() == [1.5, 2.5]
    assert hdf5.read(path).frame["y"].tolist() == [7]

    # A table scooped anew: what was computed from the old one is out of date.
    hdf5.write(table({"x": 2}), path)
    assert hdf5.user_keys(path) == []
    # A table that comes from elsewhere does not keep what is not its own either.
    put(path, other=pd.Series([1]))
    hdf5.write(dataclasses.replace(stored, path=tmp_path / "elsewhere.h5"), path)
    assert hdf5.user_keys(path) == []


def test_columns_of_other_types_become_objects(tmp_path: Path) -> None:
    old = table({"x": 1}, {"x": 2})
    frame = old.frame.assign(
        c=pd.Categorical(["a", "b"]), n=pd.array([1, None], dtype="Int64"), p=pd.NA
    )
    hdf5.write(dataclasses.replace(old, frame=frame), tmp_path / "r.h5")
    new = hdf5.read(tmp_path / "r.h5").frame
    assert new["c"].tolist() == ["a", "b"]
    assert new["n"][0] == 1
    assert pd.isna(new["n"][1])
    assert pd.isna(new["p"]).all()


class Odd:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd)

    __hash__ = object.__hash__


def test_other_objects_are_written_for_pandas_but_not_read_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hdf5.write(table({"x": Odd()}), tmp_path / "r.h5")
    assert "the column 'x' holds Odd objects" in caplog.text
    # A test module is importable by its name only here.
    sys.modules.setdefault(Odd.__module__, sys.modules[__name__])
    assert pd.read_hdf(tmp_path / "r.h5", "df")["x"].tolist() == [Odd()]
    with pytest.raises(StudyError, match=r"could run code: .*\.Odd"):
        hdf5.read(tmp_path / "r.h5")


def test_no_warning_filter_is_left_behind(tmp_path: Path) -> None:
    before = list(warnings.filters)
    hdf5.write(table({"x": [1]}, {"x": {}}), tmp_path / "r.h5")
    assert warnings.filters == before
    with pytest.warns(pd.errors.PerformanceWarning):
        pd.DataFrame({"x": [[1], {}]}).to_hdf(tmp_path / "other.h5", key="df")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "r.h5", df=pd.DataFrame({"a": [1]}))
    with pytest.raises(StudyError, match="it has no mdf, par_keys"):
        hdf5.read(tmp_path / "r.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(StudyError, match="cannot be read"):
        hdf5.read(tmp_path / "text.h5")


@given(cells)
@settings(deadline=None, max_examples=100)
def test_a_plain_pickle_is_read_as_pickle_reads_it(value: Any) -> None:
    import pickle

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(value, protocol)
        assert plain(loads(data)) == plain(pickle.loads(data))


def test_shared_and_recursive_values_are_read(tmp_path: Path) -> None:
    import pickle

    array = np.arange(3.0)
    ring: list[Any] = [array, {"again": array}]
    ring.append(ring)
    new = loads(pickle.dumps(ring, 5))
    assert new[2] is new
    assert new[0] is new[1]["again"]
    assert new[0].tolist() == [0.0, 1.0, 2.0]


# --- CSV ----------------------------------------------------------------------------------


def test_arrays_are_written_in_full(tmp_path: Path) -> None:
    long = np.arange(5000) / 7
    values = {"a": long, "l": long.tolist(), "n": [long, {"x": long.astype(int)}]}
    csv_store.write(table(values), tmp_path / "r.csv")
    assert "..." not in (tmp_path / "r.csv").read_text()
    frame = csv_store.read(tmp_path / "r.csv").frame
    assert frame["a"][0] == long.tolist()
    assert frame["l"][0] == long.tolist()
    assert frame["n"][0] == [long.tolist(), {"x": [int(x) for x in long]}]


def test_the_text_is_that_of_pandas(tmp_path: Path) -> None:
    old = table(
        {"n": 1, "x": 0.1, "s": 'a "b", c', "f": True, "l": [1, "a"], "e": "", "t": (1, 2)},
        {"n": 2, "x": None, "s": "d", "f": False, "l": None, "e": "x", "t": (1, 2)},
    )
    csv_store.write(old, tmp_path / "r.csv")
    old.frame.to_csv(tmp_path / "p.csv")
    assert (tmp_path / "r.csv").read_text() == (tmp_path / "p.csv").read_text()
    old.meta.to_csv(tmp_path / "pm.csv")
    assert (tmp_path / "r-meta.csv").read_text() == (tmp_path / "pm.csv").read_text()


def test_text_comes_back_as_what_it_looks_like(tmp_path: Path) -> None:
    rows = (
        {"i": 1, "f": 1.0, "b": True, "s": "x", "z": "007", "m": 1, "l": [1, 2.5, None], "o": 1},
        {"i": 2, "f": 2.5, "b": False, "s": "", "z": "7", "m": "b", "l": [], "o": None},
    )
    csv_store.write(table(*rows), tmp_path / "r.csv")
    frame = csv_store.read(tmp_path / "r.csv").frame
    assert str(frame["i"].dtype) == "int64"
    assert str(frame["f"].dtype) == "float64"
    assert str(frame["b"].dtype) == "bool"
    assert frame["time"].tolist() == [pd.Timestamp(NOW)] * 2
    assert frame["rfiles"].tolist() == [["a.txt"], ["a.txt"]]
    assert frame["z"].tolist() == ["007", "7"]
    assert frame["m"].tolist() == ["1", "b"]
    assert frame["l"].tolist() == [[1, 2.5, None], []]
    assert frame["o"][0] == 1
    assert type(frame["o"][0]) is int


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=4), st.integers(1, 5))
def test_any_text_is_one_cell(tmp_path_factory, cells, block) -> None:
    """Also one that holds what ends a line: the csv module left carriage returns as they are."""
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_store, "BLOCK", block)
        csv_store.write(table(*({"a,\r": one, "b": two} for one, two in cells)), path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [(row["a,\r"], row["b"]) for row in rows] == cells
    assert [row[""] for row in rows] == [str(place) for place in range(len(cells))]


@pytest.mark.parametrize("text", ["", "a,b\n1\n", "a\n\x00\n"])
def test_a_damaged_text_is_an_error_or_a_table(tmp_path: Path, text: str) -> None:
    csv_store.write(table({"x": 1}), tmp_path / "r.csv")
    (tmp_path / "r.csv").write_text(text)
    try:
        csv_store.read(tmp_path / "r.csv")
    except StudyError as exc:
        assert "cannot be read" in exc.message
        return
    assert text == "a\n\x00\n"


# --- parquet ------------------------------------------------------------------------------


def test_numbers_and_lists_of_numbers_are_columns_of_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet

    row = {"n": 1, "x": 0.5, "s": "a", "l": [1.0, 2.0], "v": np.arange(2.0), "w": ["a"], "m": {}}
    parquet.write(table({**row, "o": 1}, row), tmp_path / "r.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "r.parquet")
    kinds = {name: str(schema.field(name).type) for name in [*row, "o", "time", "rfiles"]}
    assert kinds == {
        "n": "int64",
        "x": "double",
        "s": "large_string",
        "l": "list<element: double>",
        "v": "list<element: double>",
        "w": "list<element: string>",
        "m": "large_string",
        "o": "int64",
        "time": "timestamp[us]" if int(pd.__version__.split(".")[0]) >= 3 else "timestamp[ns]",
        "rfiles": "list<element: string>",
    }
    assert pd.read_parquet(tmp_path / "r.parquet")["x"].tolist() == [0.5, 0.5]


def test_without_pyarrow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for call in (parquet.read, lambda path: parquet.write(table({"x": 1}), path)):
        with pytest.raises(PluginError) as caught:
            call(tmp_path / "r.parquet")
        assert "pip install 'soops[parquet]'" in (caught.value.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_a_parquet_file_of_another_program_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "r.parquet")
    with pytest.raises(StudyError, match="cannot be read"):
        parquet.read(tmp_path / "r.parquet")


def test_a_text_without_rows_is_a_table_of_columns_without_values(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(",rdir,a,a\n")
    csv_store.meta_path(path).write_text(",mtimes,error\n")

    read = csv_store.read(path)

    assert list(read.frame.columns) == ["rdir", "a", "a"]
    assert len(read.frame) == len(read.meta) == 0
    assert set(map(str, read.frame.dtypes)) == {"object"}
