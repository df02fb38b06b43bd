"""The file of the index: how it is opened, trusted, and closed. ``index`` uses it, and who
changes run directories tells it that the file is not to be believed.

The index is a cache, so nothing is flushed to the disk while it is used; instead it is only
believed when it was closed in order. ``.soops/index.state`` then holds its checksum. It is
removed before the first change, so a killed driver, a lost page or a flipped bit leads to an
index that is made anew, never to one that is wrong.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import zlib
from typing import Any, cast, get_type_hints

from soops.kernel.records.directories import IndexRow
from soops.kernel.records.disk import (
    DamagedFileError,
    DiskError,
    create_file,
    read_file,
    read_pieces,
)
from soops.kernel.records.lock import STATE_DIR, read_holder

__all__ = [
    "COLUMNS",
    "KNOWN",
    "from_known",
    "from_row",
    "from_sql",
    "in_memory",
    "is_busy",
    "mark_clean",
    "mark_used",
    "open_file",
    "order",
    "roll_back",
    "snapshot",
    "to_row",
    "to_sql",
]

log = logging.getLogger("soops")

COLUMNS = tuple(get_type_hints(IndexRow))
#: What there is to know of a run for who plans: of many thousands, without what is long.
KNOWN = (
    *("directory", "number", "pkey", "identity", "state", "cause", "returncode", "signal"),
    *("started", "ended", "elapsed", "host", "attempts"),
)
#: Raised whenever the columns change: an index of another version is made anew.
VERSION = 1
#: Seconds that a driver and a reader wait for each other.
DRIVER_PATIENCE, READER_PATIENCE = 0.2, 2.0
#: Bytes of the file that are read at a time.
_PIECE = 1 << 20
#: Bytes above which a reader's copy is not in memory: some 300000 runs.
LARGE = 128 << 20

#: Rows are put in by directory; these orders are made when the first ones are there.
_ORDERS = ("pkey", "identity", "number")
_SCHEMA = f"""
CREATE TABLE runs ({", ".join(COLUMNS)}, PRIMARY KEY (directory));
CREATE TABLE problems (directory PRIMARY KEY, reason);
PRAGMA user_version = {VERSION};
"""


def in_memory(content: bytes | None = None, *, checked: bool = False) -> sqlite3.Connection:
    """Return an index that is nowhere but in this process, empty or with this content.

    Raises
    ------
    sqlite3.Error
        When the content is not that of an index.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if content is None:
            connection.executescript(_SCHEMA)
        else:
            connection.deserialize(content)
            if not checked:
                _check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_file(root: str) -> sqlite3.Connection | None:
    """Return the index of a root for its driver, empty when it cannot be believed.

    None when there can be none: the disk is read-only, or its locks do not work.
    """
    path = _path(root)
    try:
        new = not _is_clean(root)
        if new:
            _remove(root)
        connection = sqlite3.connect(path, timeout=DRIVER_PATIENCE, isolation_level=None)
    except (OSError, sqlite3.Error) as exc:
        log.info("the index of %r is off: %s", root, exc)
        return None
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = OFF")
        if new:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        else:
            connection.executescript("BEGIN IMMEDIATE; ROLLBACK;")
    except sqlite3.Error as exc:
        connection.close()
        log.info("the index of %r is off: %s", root, exc)
        return None
    return connection


def snapshot(root: str) -> sqlite3.Connection | None:
    """Return a copy of the index of a root, for who does not hold its lock.

    None when there is none that can be believed; then the directories are to be read.
    """
    path = _path(root)
    try:
        if os.path.exists(path) and os.path.getsize(path) > LARGE:
            return _copy_on_disk(path) if _is_clean(root) or _is_in_use(root) else None
        content = _clean_content(root)
        if content is not None:
            return in_memory(content, checked=True)
        return in_memory(_copy(path)) if _is_in_use(root) else None
    except (sqlite3.Error, OSError, AttributeError, ValueError) as exc:
        log.debug("the index %r is not used: %s", path, exc)
        return None


def order(connection: sqlite3.Connection) -> None:
    """Make the orders in which rows are looked up, those that are not there.

    Raises
    ------
    sqlite3.Error
        When the file cannot be written, or somebody reads it.
    """
    for column in _ORDERS:
        connection.execute(f"CREATE INDEX IF NOT EXISTS runs_{column} ON runs ({column})")


def mark_used(root: str) -> None:
    """Say, before the first change, that the file is not to be believed.

    Raises
    ------
    DiskError
        Then nothing may be changed.
    """
    path = _path(root, "state")
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as exc:
        try:
            os.truncate(path, 0)  # which asks nothing of the directory
        except OSError:
            raise DiskError(path, exc, "removed") from exc


def mark_clean(root: str) -> None:
    """Say, after the file was closed, that it is whole. Failing to is no error."""
    try:
        create_file(_path(root, "state"), _state_of_file(_path(root)))
    except (OSError, DamagedFileError) as exc:
        log.debug("the index of %r will be made anew: %s", root, exc)


def _path(root: str, suffix: str = "sqlite3") -> str:
    return f"{root}/{STATE_DIR}/index.{suffix}"


def _state_of(data: bytes) -> bytes:
    return _state(len(data), zlib.crc32(data))


def _state_of_file(path: str) -> bytes:
    """Return the same of a file, without holding it as a whole."""
    size = checksum = 0
    for data in read_pieces(path, _PIECE):
        size += len(data)
        checksum = zlib.crc32(data, checksum)
    return _state(size, checksum)


def _state(size: int, checksum: int) -> bytes:
    return b"clean %d %d %08x\n" % (VERSION, size, checksum)


def _clean_content(root: str) -> bytes | None:
    """Return the content of an index that was closed in order and not touched since."""
    path = _path(root)
    try:
        state = read_file(_path(root, "state"))
        if os.path.exists(f"{path}-journal"):
            return None
        content = read_file(path)
    except (OSError, DamagedFileError):
        return None
    return content if state == _state_of(content) else None


def _is_clean(root: str) -> bool:
    path = _path(root)
    try:
        state = read_file(_path(root, "state"))
        return not os.path.exists(f"{path}-journal") and state == _state_of_file(path)
    except (OSError, DamagedFileError):
        return False


def _remove(root: str) -> None:
    """Remove an index that cannot be believed; one that is damaged is put aside."""
    path, state = _path(root), _path(root, "state")
    if os.path.lexists(path):
        if os.path.lexists(state):
            log.warning("%r is damaged: it was put aside, and is made anew", path)
            os.replace(path, f"{path}.damaged")
        else:
            log.info("%r was not closed: it is made anew from the run directories", path)
            os.unlink(path)
    for leftover in (state, f"{path}-journal"):
        if os.path.lexists(leftover):
            os.unlink(leftover)


def _is_in_use(root: str) -> bool:
    holder = read_holder(root)
    return holder is not None and holder.is_alive() is not False


def _copy(path: str) -> bytes:
    """Return the content of an index that a driver uses; its writes wait meanwhile."""
    # Reading takes the lock that serialize() needs, and waits for it.
    with contextlib.closing(_open_to_read(path)) as connection, connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection.serialize()


def _copy_on_disk(path: str) -> sqlite3.Connection:
    """Return a copy of an index that is a temporary file of SQLite."""
    copy = sqlite3.connect("", isolation_level=None)
    try:
        with contextlib.closing(_open_to_read(path)) as connection:
            connection.backup(copy)
        _check(copy)
    except BaseException:
        copy.close()
        raise
    return copy


def _open_to_read(path: str) -> sqlite3.Connection:
    # Not by URI parameters in a text: a path may hold any character.
    address = "file:" + "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02x}"
        for byte in os.fsencode(os.path.abspath(path))
    )
    return sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=READER_PATIENCE)


def _check(connection: sqlite3.Connection) -> None:
    """Raise unless this is an index of our version, whole from end to end."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise sqlite3.DatabaseError(f"version {version}, not {VERSION}")
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise sqlite3.DatabaseError(str(answer))


# --- rows and errors ---------------------------------------------------------------------


def to_row(row: IndexRow) -> tuple[Any, ...]:
    """Return a row as SQLite takes it."""
    values = tuple(row.values())
    if "".join([value for value in values if type(value) is str]).isascii():
        return values
    return tuple(map(to_sql, values))


def to_sql(value: Any) -> Any:
    """Return a value as SQLite takes it; a file name that is no text as its bytes."""
    if type(value) is not str or value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(value)
        except UnicodeEncodeError:  # the half of a character, which JSON can tell of
            return value.encode("utf-8", "backslashreplace").decode()
    return value


def from_sql(value: Any) -> Any:
    """Return the value that :func:`to_sql` was given."""
    return os.fsdecode(value) if type(value) is bytes else value


def from_row(values: tuple[Any, ...]) -> IndexRow:
    """Return the row that :func:`to_row` was given."""
    row = _named(COLUMNS, values)
    row["finished"] = bool(row["finished"])
    return cast("IndexRow", row)


def from_known(values: tuple[Any, ...]) -> dict[str, Any]:
    """Return ``KNOWN`` columns of a row."""
    return _named(KNOWN, values)


def _named(columns: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    if bytes in map(type, values):
        values = tuple(map(from_sql, values))
    return dict(zip(columns, values, strict=True))


def is_busy(exc: Exception) -> bool:
    """Return whether somebody else only has to let go of the file."""
    code = getattr(exc, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that failed, if there is one."""
    try:
        connection.execute("ROLLBACK")
    except sqlite3.Error:
        pass  # there was no transaction, or SQLite has rolled back already
