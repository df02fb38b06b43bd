"""Many run directories read by several processes: forks of this one, which know its reader.

Only ``syncing`` uses it. Helpers read what has a record and is in order; all else, and what
a helper that died had begun, is read by the process itself. No helper opens the index, holds
the lock, or outlives the reading.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import cast

from soops.kernel.errors import StudyError
from soops.kernel.records.directories import DirectoryReader, IndexRow
from soops.kernel.records.record import load_record
from soops.kernel.values.forks import MOST_PIECES, Forks, may_fork
from soops.kernel.values.processors import available_cpus

__all__ = ["MANY", "read_each"]

#: Below so many directories one process is as quick.
MANY = 2000
#: SQLite takes rows in about four times as fast as one process reads them.
MOST_HELPERS = 4
#: Directories in a chunk.
CHUNK = 100

_COLUMNS = tuple(IndexRow.__annotations__)

Read = tuple[str, IndexRow | None, str | None]


def read_each(reader: DirectoryReader, names: Sequence[str]) -> Iterator[Read]:
    """Yield each name with what ``reader.read(name)`` returns, many of them in any order.

    Parameters
    ----------
    reader : DirectoryReader
        Reads one directory.
    names : sequence of str
        Directories relative to its root.
    """
    count = min(available_cpus() - 1, MOST_HELPERS) if len(names) >= MANY else 0
    if count < 1 or not may_fork():
        yield from _read(reader, names)
        return
    size = max(CHUNK, -(-len(names) // MOST_PIECES))
    chunks = [names[i : i + size] for i in range(0, len(names), size)]

    def work(number: int) -> bytes:
        return json.dumps([_plain(reader, name) for name in chunks[number]]).encode("ascii")

    with Forks(work, len(chunks), count) as helpers:
        for number, sent in helpers.pieces():
            if sent is None:
                yield from _read(reader, chunks[number])
                continue
            for name, values in zip(chunks[number], json.loads(sent), strict=True):
                if values is None:
                    yield (name, *reader.read(name))
                else:
                    row = dict(zip(_COLUMNS, values, strict=True))
                    yield name, cast("IndexRow", row), None


def _read(reader: DirectoryReader, names: Sequence[str]) -> Iterator[Read]:
    for name in names:
        yield (name, *reader.read(name))


def _plain(reader: DirectoryReader, name: str) -> list[object] | None:
    """Return the values of a directory by its record; None when there is more to it."""
    named = reader.parse(name)
    try:
        record = load_record(f"{reader.root}/{name}")
    except StudyError:
        return None
    if record is None or (named is not None and named[1] != record["pkey"]):
        return None
    return list(reader.of_record(name, record, named).values())
