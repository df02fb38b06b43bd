"""Tables whose bytes are no longer those that were written: refused, never read wrongly."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from soops.api import FileRead, Scooped, ScoopedRow, StudyError
from soops.kernel.table.frame import build
from soops_builtin.stores import hdf5, parquet

STORES = {"h5": hdf5, "parquet": parquet}
#: Places in a file that are tried without --long.
FEW = 100


def table() -> Scooped:
    values = {"rdir": "/r", "rfiles": ["a"], "x": [1.5, 2.5], "y": {"a": "b"}, "z": 3}
    read = FileRead(item="a", filenames=("/r/a",), mtimes=(1.0,), columns=("x", "y", "z"))
    own = {"time": datetime.datetime(2027, 1, 1)}
    return build([ScoopedRow(directory="/r", values=values, files=(read,), own=own)])


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Any:
    return STORES[request.param]


@pytest.fixture
def path(tmp_path: Path, store: Any) -> Path:
    path = tmp_path / f"results.{store.__name__.rpartition('.')[2]}"
    store.write(table(), path)
    return path


def check(store: Any, path: Path, good: Scooped) -> bool:
    """Return whether a file is refused; what is read of one that is not is all right."""
    try:
        read = store.read(path)
    except StudyError as exc:
        assert str(path) in str(exc)
        assert len(exc.lines()) <= 3
        return True
    pd.testing.assert_frame_equal(read.frame, good.frame)
    pd.testing.assert_frame_equal(read.meta, good.meta)
    assert read.parameter_keys == good.parameter_keys
    return False


def places(size: int, config: pytest.Config, most: int) -> range:
    return range(0, size, max(1, size // (most if config.getoption("--long") else FEW)))


@pytest.mark.timeout(1200)
def test_a_flipped_bit_is_found(store, path, pytestconfig):
    good, data = store.read(path), path.read_bytes()
    tried = places(len(data), pytestconfig, 5000)
    refused = 0
    for place in tried:
        flipped = bytes([data[place] ^ 1 << place % 8])
        path.write_bytes(data[:place] + flipped + data[place + 1 :])
        refused += check(store, path, good)
    print(f"{path.suffix}: {len(tried)} flips, {refused} refused")
    assert refused > len(tried) // 3  # the others are where nothing depends on them


def test_what_is_not_there_any_more_is_missed(store, path, pytestconfig):
    data = path.read_bytes()
    for size in places(len(data), pytestconfig, 1000):
        path.write_bytes(data[:size])
        with pytest.raises(StudyError):
            store.read(path)


def test_noise_in_the_middle_is_found(store, path):
    data = path.read_bytes()
    third = len(data) // 3
    path.write_bytes(data[:third] + b"\xff\0noise" * 40 + data[third + 280 :])
    with pytest.raises(StudyError, match="cannot be read"):
        store.read(path)


def test_other_programs_read_a_sealed_table(tmp_path):
    path = tmp_path / "results.h5"
    hdf5.write(table(), path)

    assert list(pd.read_hdf(path, "df")["z"]) == [3]
    assert b"soops-seal" in path.read_bytes()[-60:]


def test_a_program_that_adds_to_a_table_cuts_its_seal_off_and_the_next_writing_seals(tmp_path):
    path = tmp_path / "results.h5"
    hdf5.write(table(), path)
    with pd.HDFStore(path, "a") as file:
        file.put("more", pd.Series([1, 2]), track_times=False)

    assert b"soops-seal" not in path.read_bytes()
    assert hdf5.user_keys(path) == ["/more"]

    hdf5.write(hdf5.read(path), path)
    assert hdf5.user_keys(path) == ["/more"]
    assert path.read_bytes().count(b"soops-seal") == 1
    assert list(pd.read_hdf(path, "more")) == [1, 2]
