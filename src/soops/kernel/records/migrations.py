"""Logs of migrations, ``.soops/migrations/NNNN.STATE.jsonl``: what a migration changes.

A log holds the whole plan, with the old and the new text of every file that is rewritten. It
is on the disk before the first of them is, so a migration that was cut off can be carried out
or taken back, and one that is done can be taken back. ``runs.migrate`` writes logs; a driver
asks :func:`require_settled`.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import field
from types import TracebackType
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.records.disk import (
    CLOEXEC,
    DamagedFileError,
    DiskError,
    flush_directories,
    write_all,
)
from soops.kernel.records.lock import STATE_DIR
from soops.kernel.values.frozen import dataclass

__all__ = [
    "DONE",
    "PENDING",
    "UNDOING",
    "Log",
    "LogWriter",
    "Step",
    "newest_log",
    "require_settled",
]

#: Being carried out; carried out; being taken back. One that was taken back is removed.
PENDING, DONE, UNDOING = "pending", "done", "undoing"

_FOLDER = "migrations"
_NAME = re.compile(r"([0-9]{4,9})\.(pending|done|undoing)\.jsonl").fullmatch
_SCHEMA = 1
#: Bytes of lines that are written at a time.
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to one directory.

    Attributes
    ----------
    old, new : str
        Its name before and after, relative to the runs root; they may be equal.
    old_pkey, new_pkey : str
        The key before and after; empty for the directory of soops' own files.
    files : mapping
        Name of a file in the directory to its bytes before and after.
    """

    old: str
    new: str
    old_pkey: str = ""
    new_pkey: str = ""
    files: Mapping[str, tuple[bytes, bytes]] = field(default_factory=dict)

    def reversed(self) -> Step:
        """Return the step that takes this one back."""
        return Step(
            old=self.new,
            new=self.old,
            old_pkey=self.new_pkey,
            new_pkey=self.old_pkey,
            files={name: (after, before) for name, (before, after) in self.files.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log on the disk.

    Attributes
    ----------
    root : str
        The runs root.
    number : int
        Logs are numbered; the newest has the highest.
    state : str
        ``pending``, ``done`` or ``undoing``.
    """

    root: str
    number: int
    state: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{_folder(self.root)}/{self.number:04d}.{self.state}.jsonl"

    def changes(self) -> dict[str, Any]:
        """Return what the migration was asked to do, in JSON form.

        Raises
        ------
        DamagedFileError, DiskError
            Naming the file.
        """
        given = next(self._items()).get("changes")
        if not isinstance(given, dict):
            raise DamagedFileError(self.path, "it does not say what was asked for")
        return given

    def steps(self) -> Iterator[Step]:
        """Yield the steps in the order in which they are carried out.

        Raises
        ------
        DamagedFileError, DiskError
            Naming the file.
        """
        items = self._items()
        next(items)
        for item in items:
            try:
                yield _from_item(item)
            except (KeyError, TypeError, ValueError, AttributeError) as exc:
                raise DamagedFileError(self.path, "a line of it is no step") from exc

    def settle(self, state: str | None) -> Log | None:
        """Give the log another state, or remove it; return the log as it is then.

        Raises
        ------
        DiskError
            Naming the file.
        """
        after = Log(root=self.root, number=self.number, state=state) if state else None
        try:
            if after is None:
                os.unlink(self.path)
            elif after != self:
                os.rename(self.path, after.path)
            flush_directories([_folder(self.root)])
        except OSError as exc:
            raise DiskError(self.path, exc, "renamed" if after else "removed") from exc
        return after

    def _items(self) -> Iterator[dict[str, Any]]:
        try:
            with open(self.path, "rb") as file:  # it may be large
                line = b""
                for line in file:
                    yield _parse(self.path, line)
                if not line:
                    raise DamagedFileError(self.path, "it is empty")
        except OSError as exc:
            raise DiskError(self.path, exc, "read") from exc


class LogWriter:
    """Writes a new log, first under a name at which nobody looks; a context manager.

    Parameters
    ----------
    root : path
        The runs root; its lock is held.
    changes : mapping
        What was asked for, in JSON form.
    """

    def __init__(self, root: str | os.PathLike[str], changes: Mapping[str, Any]) -> None:
        newest = newest_log(root)
        number = newest.number + 1 if newest else 1
        self.log = Log(root=os.fspath(root), number=number, state=PENDING)
        self._temporary = f"{_folder(root)}/{number:04d}.jsonl.tmp"
        self._waiting: list[bytes] = [_line({"schema": _SCHEMA, "changes": dict(changes)})]
        self._size = 0
        self._fd = -1

    def __enter__(self) -> LogWriter:
        try:
            os.makedirs(_folder(self.log.root), exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | CLOEXEC
            self._fd = os.open(self._temporary, flags, 0o666)
        except OSError as exc:
            raise DiskError(self._temporary, exc) from exc
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            try:
                os.unlink(self._temporary)
            except OSError:
                pass  # the next log is written over it

    def add(self, step: Step) -> None:
        """Write down a step.

        Raises
        ------
        DiskError
            Naming the file.
        """
        line = _line(_to_item(step))
        self._waiting.append(line)
        self._size += len(line)
        if self._size > _CHUNK:
            self._write()

    def publish(self) -> Log:
        """Return the log once it is safe on the disk.

        Raises
        ------
        DiskError
            Naming the file; then there is no log.
        """
        try:
            self._write()
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
            os.rename(self._temporary, self.log.path)
            flush_directories([_folder(self.log.root), f"{self.log.root}/{STATE_DIR}"])
        except OSError as exc:
            raise DiskError(self._temporary, exc) from exc
        return self.log

    def _write(self) -> None:
        try:
            write_all(self._fd, b"".join(self._waiting))
        except OSError as exc:
            raise DiskError(self._temporary, exc) from exc
        self._waiting.clear()
        self._size = 0


def newest_log(root: str | os.PathLike[str]) -> Log | None:
    """Return the log of the newest migration of a runs root; None when there was none."""
    try:
        names = os.listdir(_folder(root))
    except OSError:
        return None
    found = [match for match in map(_NAME, names) if match]
    if not found:
        return None
    number, state = max((int(match[1]), match[2]) for match in found)
    return Log(root=os.fspath(root), number=number, state=state)


def require_settled(root: str | os.PathLike[str]) -> None:
    """Raise when a migration of a root was cut off: some of its directories are changed.

    Raises
    ------
    StudyError
        Saying what to do.
    """
    log = newest_log(root)
    if log is not None and log.state != DONE:
        what = f"soops migrate {os.fspath(root)}"
        raise StudyError(
            f"a migration of {os.fspath(root)!r} was cut off: some of its runs are changed",
            hint=f"go on with it: {what} --apply; or take it back: {what} --undo --apply"
            if log.state == PENDING
            else f"go on taking it back: {what} --undo --apply",
        )


def _folder(root: str | os.PathLike[str]) -> str:
    return f"{os.fspath(root)}/{STATE_DIR}/{_FOLDER}"


# --- lines -------------------------------------------------------------------------------


def _to_item(step: Step) -> dict[str, Any]:
    return {
        "old": step.old,
        "new": step.new,
        "old_pkey": step.old_pkey,
        "new_pkey": step.new_pkey,
        "files": {name: [_text(old), _text(new)] for name, (old, new) in step.files.items()},
    }


def _from_item(item: dict[str, Any]) -> Step:
    files = {name: (_bytes(old), _bytes(new)) for name, (old, new) in item.pop("files").items()}
    step = Step(**item, files=files)
    for name in (step.old, step.new, *files):
        _require_inside(name)
    for name in (step.old_pkey, step.new_pkey):
        os.fsencode(name)
    return step


def _require_inside(name: str) -> None:
    """Raise unless a name is one of something below where it is looked for."""
    os.fsencode(name)
    if "\0" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise ValueError(f"{name!r} is not the name of something inside")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _line(item: Mapping[str, Any]) -> bytes:
    """Return an item as a line: the checksum of its JSON, then that."""
    body = json.dumps(item, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _parse(path: str, line: bytes) -> dict[str, Any]:
    body = line[9:-1]
    if line[:9] != b"%08x " % zlib.crc32(body) or line[-1:] != b"\n":
        raise DamagedFileError(path, "the checksum of a line is wrong")
    try:
        item = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise DamagedFileError(path, "a line is no JSON") from exc
    if not isinstance(item, dict):
        raise DamagedFileError(path, "a line is no JSON object")
    return item
