"""The index of a runs root: a cache of what its directories say, ``.soops/index.sqlite3``.

The driver keeps it while it runs; the plan looks runs up in it; readers (find, info, jobs,
scoop) take a copy and let go at once. Deleting it loses nothing. Where it cannot be kept,
on a read-only disk or without file locks, the same class works in memory.
"""

from __future__ import annotations

import itertools
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from soops.kernel.records import index_file, syncing
from soops.kernel.records.directories import (
    DirectoryReader,
    IndexRow,
    Problem,
    decoded,
    read_directories,
    record_row,
)
from soops.kernel.records.index_file import (
    COLUMNS,
    KNOWN,
    from_known,
    from_row,
    from_sql,
    is_busy,
    roll_back,
    to_row,
    to_sql,
)
from soops.kernel.records.journal import Entry
from soops.kernel.records.rundir import RunTemplate
from soops.kernel.records.syncing import Reading, Synced, compare, drop_copies, is_set_aside
from soops.kernel.study.identity import dumps
from soops.kernel.values import State

__all__ = [
    "Index",
    "IndexRow",
    "Problem",
    "Synced",
    "read_directories",
    "record_row",
]

log = logging.getLogger("soops")

#: Rows written, or keys looked up, at a time.
BATCH = 500
#: Tries to write while readers are in the way.
TRIES = 10

_PUT = f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * len(COLUMNS))})"


class Index:
    """The rows of the runs below one root; a context manager.

    Parameters
    ----------
    root : path
        The runs root.
    write : bool
        Keep the file: only for the driver that holds the lock. Otherwise a copy is taken,
        and nothing is ever written.
    empty : bool
        With ``write=False``: begin with nothing, whatever the file holds.

    It begins empty when there is no file that can be believed, so :meth:`sync` comes next.
    """

    def __init__(self, root: str | os.PathLike[str], *, write: bool, empty: bool = False) -> None:
        self.root = os.fspath(root)
        self._pending: dict[str, IndexRow] = {}
        self._reader = DirectoryReader(self.root)
        self._changed = False
        self._connection: sqlite3.Connection | None = None
        if write:
            self._connection = index_file.open_file(self.root)
        elif not empty:
            self._connection = index_file.snapshot(self.root)
        self._found = self._connection is not None
        self._writes = write
        self._kept = write and self._found
        if self._connection is None:
            self._connection = index_file.in_memory()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def kept(self) -> bool:
        """Whether what is put into the index reaches the disk."""
        return self._kept

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        if self._connection is None:
            return
        try:
            self.commit()
        finally:
            self._connection.close()
            self._connection = None
        if self._kept and self._changed and not self._pending:
            index_file.mark_clean(self.root)

    # --- writing --------------------------------------------------------------------------

    def upsert(self, rows: Iterable[IndexRow]) -> None:
        """Put rows in, or in the place of those of the same directory; see :meth:`commit`.

        Their ``parameters`` are a mapping, or its JSON text as :func:`record_row` gives it.
        """
        for row in rows:
            if not isinstance(row["parameters"], str):
                row = {**row, "parameters": dumps(row["parameters"])}
            self._pending[row["directory"]] = row

    def commit(self) -> bool:
        """Write what waits in one transaction; False when a reader was in the way.

        Then it waits on, and is looked up all the same. An index that cannot be written
        any more is given up with a warning, and made anew at the next start.
        """
        if not self._pending:
            return True
        if not self._write(list(self._pending.values())):
            return False
        self._pending.clear()
        return True

    def _write(
        self,
        rows: Iterable[IndexRow],
        dropped: Iterable[str] = (),
        problems: Iterable[Problem] | None = None,
    ) -> bool:
        """Change the tables in one transaction; ``problems`` replaces all of them."""
        connection = self._open
        if self._writes and not self._changed:
            index_file.mark_used(self.root)  # also of a file that this driver cannot keep
            self._changed = True
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "DELETE FROM runs WHERE directory = ?", ((to_sql(name),) for name in dropped)
            )
            connection.executemany(_PUT, map(to_row, rows))
            if problems is not None:
                connection.execute("DELETE FROM problems")
                connection.executemany(
                    "INSERT OR REPLACE INTO problems VALUES (?, ?)",
                    ((to_sql(name), to_sql(reason)) for name, reason in problems),
                )
            connection.execute("COMMIT")
        except sqlite3.Error as exc:
            roll_back(connection)
            if is_busy(exc):
                return False
            self._give_up(exc)
        return True

    def _give_up(self, exc: Exception) -> None:
        """Go on in memory, with what the directories say."""
        log.warning("the index of %r is off: %s; it is made anew at the next start", self.root, exc)
        self._open.close()
        self._kept = False
        self._pending.clear()
        self._connection = index_file.in_memory()
        self._sync(self._reader, {})

    # --- looking up -----------------------------------------------------------------------

    def lookup_pkeys(self, pkeys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what is ``KNOWN`` of the runs of these keys."""
        return self._lookup("pkey", pkeys, whole=False)

    def lookup_identities(self, identities: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the same of these identities; of several with one, that of lowest number."""
        return self._lookup("identity", [mark for mark in identities if mark], whole=False)

    def _lookup(self, column: str, keys: Sequence[str], *, whole: bool) -> dict[str, Any]:
        self.commit()
        found: dict[str, Any] = {}
        columns = COLUMNS if whole else KNOWN
        named: Callable[[tuple[Any, ...]], Any] = from_row if whole else from_known
        query = f"SELECT {', '.join(columns)} FROM runs WHERE {column} IN"
        for start in range(0, len(keys), BATCH):
            part: Sequence[Any] = keys[start : start + BATCH]
            if not "".join(part).isascii():
                part = list(map(to_sql, part))
            order = f"({', '.join('?' * len(part))}) ORDER BY number"
            for values in self._open.execute(f"{query} {order}", part).fetchall():
                row = named(values)
                if found.setdefault(row[column], row) is not row:
                    self._add(found, row, column)
        if self._pending:
            wanted = set(keys)
            for waiting in self._pending.values():
                if waiting[column] in wanted:  # type: ignore[literal-required]
                    self._add(found, waiting, column)
        return found

    def _add(self, found: dict[str, Any], row: Any, column: str) -> None:
        key = row[column]
        other = found.setdefault(key, row)
        if other["directory"] != row["directory"] and column == "identity":
            log.warning(
                "the runs in %r and %r have equal parameters; the first is taken",
                other["directory"],
                row["directory"],
            )
        elif other["directory"] == row["directory"]:
            found[key] = row

    def lookup_directories(self, directories: Sequence[str]) -> dict[str, IndexRow]:
        """Return the rows of these directories; their ``parameters`` stay JSON text."""
        return self._lookup("directory", directories, whole=True)

    def unmarked(self) -> set[int]:
        """Return the numbers of runs without a record that no driver has called finished."""
        self.commit()
        rows = self._open.execute(
            "SELECT number FROM runs WHERE NOT finished AND state = ?", (State.UNKNOWN.value,)
        )
        return {number for (number,) in rows.fetchall()}

    def next_number(self) -> int:
        """Return the number after the largest in use."""
        self.commit()
        (largest,) = self._open.execute("SELECT max(number) FROM runs").fetchone()
        waiting = [row["number"] for row in self._pending.values()]
        return max([-1, *waiting, largest if largest is not None else -1]) + 1

    def rows(self) -> Iterator[IndexRow]:
        """Yield all rows by number, with typed parameters."""
        self.commit()
        return map(decoded, self._select("ORDER BY number, directory"))

    def in_states(self, *states: State) -> list[IndexRow]:
        """Return the rows in one of these states; their ``parameters`` stay JSON text."""
        self.commit()
        marks = ", ".join("?" * len(states))
        return self._select(f"WHERE state IN ({marks})", [state.value for state in states])

    def between_attempts(self) -> list[str]:
        """Return the directories that have no record but that of an attempt set aside."""
        return [row["directory"] for row in self.in_states(State.LOST) if is_set_aside(row)]

    def glance(self, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return some columns of all rows, by number; ``parameters`` are JSON text."""
        self.commit()
        query = f"SELECT {', '.join(columns)} FROM runs ORDER BY number, directory"
        return self._open.execute(query).fetchall()

    def problems(self) -> list[Problem]:
        """Return the directories that could not be read, or not in full, and why."""
        rows = self._open.execute("SELECT directory, reason FROM problems ORDER BY directory")
        return [(from_sql(name), from_sql(reason)) for name, reason in rows.fetchall()]

    def _select(self, clause: str, keys: Sequence[str] = ()) -> list[IndexRow]:
        names = ", ".join(COLUMNS)
        rows = self._open.execute(f"SELECT {names} FROM runs {clause}", keys).fetchall()
        return [from_row(row) for row in rows]

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("the index is closed")
        return self._connection

    # --- directories ----------------------------------------------------------------------

    def sync(
        self,
        template: RunTemplate | None = None,
        under_way: Iterable[Entry] = (),
        unhashed: Collection[str] = (),
    ) -> Synced:
        """Bring the rows in line with the directories: look at the root, read what is new.

        Known directories are not read again, but for those under way and those that could
        not be read before.

        Parameters
        ----------
        template : RunTemplate, optional
            Of the study; None: the one that the root remembers.
        under_way : iterable of Entry
            What the journal has: those that did not end become QUEUED or RUNNING.
        unhashed : collection of str
            Parameters that do not count for keys.

        Raises
        ------
        DiskError
            When the root cannot be listed.
        """
        if template is None:
            template = syncing.remembered_template(self.root)
        self._reader = DirectoryReader(self.root, template, unhashed)
        self.commit()
        return self._sync(self._reader, {entry.directory: entry for entry in under_way})

    def read_again(self, names: Sequence[str], under_way: Iterable[Entry]) -> None:
        """Read known directories again; the others stay as the last :meth:`sync` saw them."""
        entries = {entry.directory: entry for entry in under_way}
        self._write_patiently(list(Reading(self._reader, entries).rows(names)))

    def rebuild(
        self,
        template: RunTemplate | None = None,
        under_way: Iterable[Entry] = (),
        unhashed: Collection[str] = (),
    ) -> Synced:
        """Forget all rows and read every directory; as :meth:`sync` otherwise."""
        self._pending.clear()
        self._write_patiently([], dropped=self._known(), problems=[])
        return self.sync(template, under_way, unhashed)

    def check(
        self,
        template: RunTemplate | None = None,
        under_way: Iterable[Entry] = (),
        unhashed: Collection[str] = (),
    ) -> list[str]:
        """Return how the rows differ from what the directories say, and what is unreadable.

        Nothing is changed. Parameters are those of :meth:`sync`.
        """
        if not self._found:
            return ["there is no index, or none that was closed in order; it will be made anew"]
        with Index(self.root, write=False, empty=True) as truth:
            synced = truth.sync(template, under_way, unhashed)
            return syncing.describe_differences(self.rows(), truth.rows(), synced.problems)

    def _known(self) -> list[str]:
        rows = self._open.execute("SELECT directory FROM runs").fetchall()
        return [from_sql(name) for (name,) in rows]

    def _sync(self, reader: DirectoryReader, entries: Mapping[str, Entry]) -> Synced:
        before = self.problems()
        again = {*entries, *(name for name, _ in before)}
        names, gone = compare(reader, self._known(), again)
        reading = Reading(reader, entries)
        rows = reading.rows(names)
        while batch := list(itertools.islice(rows, BATCH)):
            self._write_patiently(batch)
        if gone:
            self._write_patiently([], dropped=gone)
        self._order()
        problems = sorted([*reading.problems, *(self._drop_copies(reader) if names else ())])
        if problems != before:
            self._write_patiently([], problems=problems)
        return Synced(read=len(names), dropped=len(gone), problems=problems, ended=reading.ended)

    def _order(self) -> None:
        """Let rows be found by key, identity and number: quicker when most are there."""
        for _ in range(TRIES):
            try:
                return index_file.order(self._open)
            except sqlite3.Error as exc:
                if not is_busy(exc):
                    return self._give_up(exc)
        self._give_up(TimeoutError("a reader holds it"))

    def _drop_copies(self, reader: DirectoryReader) -> list[Problem]:
        """Leave one row for each key: a backup of a run directory is no second run."""
        twice = self._open.execute(
            "SELECT pkey FROM runs GROUP BY pkey HAVING count(*) > 1"
        ).fetchall()
        problems = []
        for key in twice:
            problems += drop_copies(reader, self._select("WHERE pkey = ?", key))
        if problems:
            self._write_patiently([], dropped=[name for name, _ in problems])
        return problems

    def _write_patiently(
        self,
        rows: Sequence[IndexRow],
        dropped: Sequence[str] = (),
        problems: Sequence[Problem] | None = None,
    ) -> None:
        for _ in range(TRIES):
            if self._write(rows, dropped, problems):
                return
        self._give_up(TimeoutError("a reader holds it"))
