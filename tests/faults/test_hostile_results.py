"""Results files of a stranger: no code runs from them; what cannot be read is refused."""

from __future__ import annotations

import datetime
import os
import pickle
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tables

from soops.api import FileRead, Scooped, ScoopedRow, SoopsError, StudyError
from soops.kernel.table.frame import build
from soops.unpickling import Refused, loads
from soops_builtin.scrapers.arrays import array
from soops_builtin.scrapers.json_toml import json_file, toml_file, yaml_file
from soops_builtin.scrapers.options_txt import options_txt
from soops_builtin.stores import csv_store, hdf5, parquet

COMMAND = "touch canary"


class Command:
    """Unpickling it runs a command: what a crafted file would hold."""

    def __reduce__(self) -> Any:
        return os.system, (COMMAND,)


class Hidden:
    """Runs the command by way of a name inside a module that looks harmless."""

    def __reduce__(self) -> Any:
        return getattr, (os, "system")


@pytest.fixture(autouse=True)
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "canary"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "results.h5"
    hdf5.write(table(), path)
    return path


def table(**values: Any) -> Scooped:
    read = FileRead(item="a", filenames=("/r/a",), mtimes=(1.0,), columns=("x",))
    values = {"rdir": "/r", "rfiles": ["a"], "x": [1.5, "a"], **values}
    own = {"time": datetime.datetime(2027, 1, 1)}
    return build(
        [ScoopedRow(directory="/r", values=values, files=(read,), own=own, parameter_keys=("x",))]
    )


def attribute_of(node: str, name: str = "note") -> Callable[[Path], None]:
    def craft(path: Path) -> None:
        with tables.open_file(path, "a") as file:
            file.get_node(node)._v_attrs[name] = Command()

    return craft


def cell_of(key: str) -> Callable[[Path], None]:
    def craft(path: Path) -> None:
        with pd.HDFStore(path, "a") as store:
            frame = store.get(key) if key != "par_keys" else pd.Series(["x"], dtype=object)
            cells = np.empty(len(frame), dtype=object)
            cells[:] = [Command() for _ in cells]
            if key == "par_keys":
                frame = pd.Series(cells, dtype=object)
            else:
                frame["evil"] = cells
            store.put(key, frame, track_times=False)

    return craft


def table_format(path: Path) -> None:
    with pd.HDFStore(path, "a") as store:
        store.put("df", pd.DataFrame({"x": [1]}), format="table", track_times=False)
        store.get_storer("df").attrs.info = Command()


def extra_array(path: Path) -> None:
    with tables.open_file(path, "a") as file:
        rows = file.create_vlarray("/df", "block9_values", tables.ObjectAtom())
        rows.append(Command())
        rows._v_attrs["shape"] = Command()


CRAFTED = {
    "attribute of the root": attribute_of("/"),
    "attribute of the table": attribute_of("/df"),
    "attribute that pandas reads": attribute_of("/df", "pandas_type"),
    "number of blocks": attribute_of("/df", "nblocks"),
    "attribute of an array": attribute_of("/df/axis1", "kind"),
    "attribute of the keys": attribute_of("/par_keys", "name"),
    "cell": cell_of("df"),
    "cell of the meta table": cell_of("mdf"),
    "parameter key": cell_of("par_keys"),
    "table format": table_format,
}


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
@pytest.mark.parametrize("craft", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_file_is_refused_and_runs_nothing(
    craft: Callable[[Path], None], results: Path, canary: Path
) -> None:
    craft(results)
    for read in (hdf5.read, hdf5.user_keys):
        try:
            read(results)
        except StudyError as exc:
            assert str(results) in str(exc)
            assert len(exc.lines()) == 3
        assert not canary.exists()
    if craft is not CRAFTED["attribute of the root"]:
        with pytest.raises(StudyError):
            hdf5.read(results)


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
@pytest.mark.parametrize("name", ["cell", "attribute that pandas reads", "number of blocks"])
def test_the_crafted_files_are_dangerous(name: str, results: Path, canary: Path) -> None:
    """Without this the test above could not fail."""
    CRAFTED[name](results)
    try:
        pd.read_hdf(results, "df")
    except Exception:
        assert canary.exists()
    assert canary.exists()


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_what_was_refused_is_named(results: Path) -> None:
    cell_of("df")(results)
    with pytest.raises(StudyError, match=r"could run code: (posix|nt)\.system"):
        hdf5.read(results)


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_a_file_that_is_written_on_runs_nothing_either(results: Path, canary: Path) -> None:
    stored = hdf5.read(results)
    extra_array(results)
    with tables.open_file(results, "a") as file:
        file.get_node("/df/block0_values")._v_attrs["value_type"] = Command()
        file.create_group("/", "mine")._v_attrs["note"] = Command()
    before = results.read_bytes()
    try:
        hdf5.write(stored, results)
    except StudyError:
        assert results.read_bytes() == before
    assert not canary.exists()


def test_reading_leaves_pytables_as_it_was(results: Path) -> None:
    hdf5.read(results)
    assert tables.atom.pickle is pickle
    assert tables.attributeset.pickle is pickle
    with pytest.raises(StudyError):
        hdf5.read(results.with_name("none.h5"))
    assert tables.atom.pickle is pickle


def test_an_unknown_pytables_is_not_trusted(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tables.attributeset, "pickle")
    with pytest.raises(StudyError, match="cannot be read safely"):
        hdf5.read(results)


@pytest.mark.parametrize("size", [0, 1, 8, 100, 2000, 0.25, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_is_an_error(results: Path, size: float) -> None:
    data = results.read_bytes()
    results.write_bytes(data[: int(size * len(data)) if isinstance(size, float) else size])
    with pytest.raises(StudyError) as caught:
        hdf5.read(results)
    assert str(results) in str(caught.value)


# --- pickles by hand ----------------------------------------------------------------------


def short(text: str) -> bytes:
    raw = text.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def name(module: str, attribute: str) -> bytes:
    return short(module) + short(attribute) + b"\x93"


SYSTEM = name("os", "system") + short(COMMAND) + b"\x85R"
RECONSTRUCT = name("numpy._core.multiarray", "_reconstruct")
NDARRAY = name("numpy", "ndarray")
DTYPE = name("numpy", "dtype") + short("O8") + b"\x89\x88\x87R"
PAYLOADS = {
    "system": SYSTEM,
    "eval": name("builtins", "eval") + short("1") + b"\x85R",
    "getattr": name("builtins", "getattr"),
    "import": name("builtins", "__import__"),
    "a dotted name": name("datetime", "sys.modules"),
    "of an allowed module": name("numpy", "load"),
    "by the old names": b"cos\nsystem\n(S'touch canary'\ntR",
    "of Python 2": b"c__builtin__\neval\n",
    "an instance": b"(S'touch canary'\nios\nsystem\n",
    "an encoding that is imported": name("_codecs", "encode")
    + short("x") + short("rot13") + b"\x86R",
    "a persistent object": b"Pevil\n",
    "a registered extension": b"\x82\x01",
    "a change of a function": name("_codecs", "encode") + b"}" + short("x") + b"K\x01sb",
    "a slot of a function": name("_codecs", "encode") + b"N}" + short("__call__") + b"K\x01s\x86b",
    "a change of a class": name("soops.base", "Struct") + b"N}" + short("keys") + b"K\x01s\x86b",
    "a change of a type": name("builtins", "set") + b"N}" + short("x") + b"K\x01s\x86b",
    "a function as a value": name("_codecs", "encode"),
    "a function in a list": b"]" + name("_codecs", "encode") + b"a",
    "a function in a dict": b"}" + short("k") + name("numpy", "dtype") + b"s",
    "a function as a key": b"}" + name("numpy", "dtype") + b"K\x01s",
    "a function in a set": b"\x8f(" + name("numpy", "dtype") + b"\x90",
    "a type as a value": name("builtins", "set"),
    "a subclass of arrays": RECONSTRUCT + name("builtins", "set") + b"K\x00\x85C\x01b\x87R",
    "an array without state": RECONSTRUCT + NDARRAY + b"K\x00\x85C\x01b\x87R",
    "a structured dtype": name("numpy", "dtype") + short("V8") + b"\x89\x88\x87R",
    "a dtype of fields": name("numpy", "dtype") + short("f8,O") + b"\x89\x88\x87R",
    "a scalar object": name("numpy._core.multiarray", "scalar") + DTYPE + b"C\x08AAAAAAAA\x86R",
    "bytes as objects": name("numpy._core.numeric", "_frombuffer")
    + b"(C\x08AAAAAAAA" + DTYPE + b"K\x01\x85" + short("C") + b"tR",
    "memory that is not there": name("numpy._core.numeric", "_frombuffer")
    + b"(C\x08AAAAAAAA" + name("numpy", "dtype") + short("f8") + b"\x89\x88\x87R"
    + b"J\xff\xff\xff\x7f\x85" + short("C") + b"tR",
}  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_crafted_pickle_is_no_value(payload: bytes, canary: Path) -> None:
    try:
        value = loads(b"\x80\x04" + payload + b".")
    except (Refused, pickle.UnpicklingError, ValueError, TypeError, AttributeError):
        value = None
    assert not canary.exists()
    # Whatever was made, it is data: nothing that could be called, nothing that is ours.
    assert not callable(value)
    assert type(value) in (type(None), np.ndarray)
    assert value is None or not value.dtype.hasobject or value.tolist() in ([None], [b"A" * 8])


def test_the_crafted_pickles_are_dangerous(canary: Path) -> None:
    pickle.loads(b"\x80\x04" + PAYLOADS["system"] + b".")
    assert canary.exists()


def test_a_dtype_that_lies_about_memory_is_refused() -> None:
    assert loads(pickle.dumps(np.array([1.0]), 2)).tolist() == [1.0]
    fields = {"a": (np.dtype("O"), 0)}
    state = (3, "|", None, ("a",), fields, 8, 1, 0)  # an object field without its flag

    class Crafted:
        def __reduce__(self) -> Any:
            return np.dtype, ("V8", False, True), state

    with pytest.raises(Refused):
        loads(pickle.dumps(Crafted(), 2))


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    deep = b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b"."
    with pytest.raises(RecursionError):
        loads(deep)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_pickles_are_errors_or_plain_values(seed: int, canary: Path) -> None:
    chance = random.Random(seed)
    # An 'r' makes the unpickler of CPython fill a memo of any size: no code, but minutes.
    harmless = [byte for byte in range(256) if byte != ord("r")]
    data = bytearray(pickle.dumps([np.arange(3.0), {"a": (1, "b")}, {1}, b"x"], seed % 6))
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.choice(harmless)
        try:
            value = loads(bytes(damaged))
        except Exception:
            continue
        assert not callable(value)
    assert not canary.exists()


# --- the other stores ---------------------------------------------------------------------


def test_text_results_are_read_and_never_evaluated(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "results.csv"
    csv_store.write(table(), path)
    evil = [
        f"__import__('os').system({COMMAND!r})",
        f"[__import__('os').system({COMMAND!r})]",
        f"{{1: open({COMMAND!r}, 'w')}}",
        f"(lambda: os.system({COMMAND!r}))()",
        "[x for x in [1]]",
        "[" * 10_000,
        "[np.load('evil.npy')]",
    ]
    assert not any('"' in text for text in evil)
    rows = "".join(f'{i},/r,[],"{text}",\n' for i, text in enumerate(evil))
    path.write_text(f",rdir,rfiles,x,time\n{rows}")
    assert csv_store.read(path).frame["x"].tolist() == evil
    assert not canary.exists()


@pytest.mark.parametrize("store", [csv_store, parquet], ids=["csv", "parquet"])
def test_damaged_results_are_an_error_or_a_table(store: Any, tmp_path: Path) -> None:
    path = tmp_path / ("results.csv" if store is csv_store else "results.parquet")
    store.write(table(y=b"x", z=np.arange(2), d={"a": (1,)}), path)
    data = path.read_bytes()
    chance = random.Random(1)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.choice([None, chance.randrange(len(data))])])
        try:
            store.read(path)
        except StudyError as exc:
            assert path.stem in str(exc)


@pytest.mark.parametrize(
    "cell",
    [
        '{"@": "array", "v": {"shape": [1], "dtype": "O", "data": "QUFBQUFBQUE="}}',
        '{"@": "array", "v": {"shape": [9], "dtype": "f8", "data": "QQ=="}}',
        '{"@": "numpy", "v": {"dtype": "O", "data": "QUFBQUFBQUE="}}',
        '{"@": "numpy", "v": {"dtype": "[(\'a\', \'O\')]", "data": "QUFBQUFBQUE="}}',
        '{"@": "eval", "v": "1"}',
        '{"x": 1}',
        '{"@": "dict", "v": [[[1], 2]]}',
        "[" * 50_000,
        "not JSON",
    ],
)
def test_a_crafted_cell_of_parquet_is_an_error(cell: str, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "results.parquet"
    parquet.write(table(), path)
    old = pyarrow.parquet.read_table(path)
    place = old.schema.get_field_index("x")
    new = old.set_column(place, "x", pyarrow.array([cell], type=pyarrow.large_string()))
    pyarrow.parquet.write_table(new.replace_schema_metadata(old.schema.metadata), path)
    with pytest.raises(StudyError):
        parquet.read(path)


# --- the files that are scooped -----------------------------------------------------------


def test_options_are_read_and_never_evaluated(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "options.txt"
    texts = [f"__import__('os').system({COMMAND!r})", "max", "[id]", "os", "{1: eval('1')}"]
    path.write_text("options\n-------\n\n" + "\n".join(f"k{i}: {t}" for i, t in enumerate(texts)))
    assert list(options_txt(path).values()) == texts
    assert not canary.exists()


def test_pickled_arrays_are_refused(tmp_path: Path, canary: Path) -> None:
    cells = np.array([Command(), 1], dtype=object)
    np.save(tmp_path / "a.npy", cells)
    np.savez(tmp_path / "a.npz", a=cells)
    for file in ("a.npy", "a.npz"):
        with pytest.raises(ValueError, match="allow_pickle=False"):
            array(tmp_path / file, load_kwargs={"allow_pickle": True})
    assert not canary.exists()


def test_yaml_makes_plain_values_only(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"a: !!python/object/apply:os.system ['{COMMAND}']")
    with pytest.raises(Exception, match="could not determine a constructor"):
        yaml_file(path)
    assert not canary.exists()


def test_yaml_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (tmp_path / "a.yaml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="more than 1000000 values"):
        yaml_file(tmp_path / "a.yaml")


@pytest.mark.parametrize("read", [json_file, toml_file, yaml_file])
def test_deeply_nested_files_are_errors(read: Any, tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a = " * (read is toml_file) + "[" * 3_000)
    with pytest.raises((ValueError, RecursionError, SoopsError, yaml_error())):
        read(tmp_path / "deep")


def yaml_error() -> type[Exception]:
    import yaml

    return yaml.YAMLError  # type: ignore[no-any-return]


def test_a_header_of_an_array_that_asks_for_memory_is_an_error(tmp_path: Path) -> None:
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head + b"\n"
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises((ValueError, MemoryError, OSError)):
        array(tmp_path / "a.npy")
