"""What is under way: an append-only file of JSON lines, ``.soops/journal.jsonl``.

A line is written before a run is submitted, one when its process is known, one when its
record is written and indexed. So what a killed driver had under way is what was submitted
and not ended. The ledger writes; anyone may read (:func:`read_under_way`). Each line ends
with a checksum: a damaged one is left out and named, a torn last one is cut off.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from soops.kernel.records import machine
from soops.kernel.records.disk import (
    CLOEXEC,
    DamagedFileError,
    DiskError,
    flush_directories,
    read_file,
    replace_file,
    write_all,
)
from soops.kernel.records.lock import STATE_DIR, Lock, make_state_dir
from soops.kernel.values.frozen import dataclass

__all__ = ["Entry", "Journal", "Lock", "read_under_way"]

log = logging.getLogger("soops")

#: Bytes after which a journal is made short while it is used.
COMPACT_AT = 8 * 1024 * 1024

_NAME = "journal.jsonl"
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run that was submitted and has not ended, as far as the journal knows.

    Attributes
    ----------
    directory : str
        Relative to the runs root; the key of the run.
    attempt : int
        Counts from 1.
    number, pkey
        Of the parameter set.
    time : str
        ISO 8601, UTC: when it was submitted.
    token, pid, host, pid_started
        Where it runs, once that is known; ``pid_started`` in clock ticks since the boot of
        that host, when it is this one.
    """

    directory: str
    attempt: int
    number: int
    pkey: str
    time: str
    token: str | None = None
    pid: int | None = None
    host: str | None = None
    pid_started: int | None = None


class Journal:
    """The journal of a runs root, opened by its one driver, who holds the lock.

    Parameters
    ----------
    root : path
        The runs root; its ``.soops`` is made when it is not there.
    durable : bool
        Let what was submitted survive the loss of power, at the cost of a flush a batch.

    Raises
    ------
    DiskError
        When the file cannot be opened, read or made whole.

    Notes
    -----
    :meth:`submitted` is on disk when it returns. :meth:`running` and :meth:`ended` wait for
    the next :meth:`submitted` or :meth:`flush`. What is lost of them with a killed driver
    costs a look into the directory, no more: call :meth:`ended` only when the record is
    written and the index has it.
    """

    def __init__(self, root: str | os.PathLike[str], *, durable: bool = False) -> None:
        self.path = os.path.join(make_state_dir(root), _NAME)
        self.durable = durable
        self._lines: list[bytes] = []
        self._fd = -1
        try:
            self._fd = self._open()
            data = read_file(self.path)
            self._under_way = _replay(data, self.path)
            self._size = data.rfind(b"\n") + 1
            if self._size < len(data):
                log.info("%r ended in a torn line, which was cut off", self.path)
                os.ftruncate(self._fd, self._size)
            if durable:
                flush_directories([os.path.dirname(self.path)])
        except OSError as exc:
            self._shut()
            raise DiskError(self.path, exc) from exc
        except BaseException:
            self._shut()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def under_way(self) -> list[Entry]:
        """Return what was submitted and not ended, also by drivers before this one."""
        return list(self._under_way.values())

    def submitted(self, entries: Sequence[Entry]) -> None:
        """Write that runs are about to be handed to their runner: one write for all.

        Raises
        ------
        DiskError
            Then none of them may be started.
        """
        lines = [_line(_submission(entry)) for entry in entries]
        self._write([*self._lines, *lines])
        self._lines.clear()
        self._under_way.update((entry.directory, entry) for entry in entries)
        if self._size > COMPACT_AT:
            self.compact()

    def running(self, directory: str, *, token: str, pid: int | None, host: str | None) -> None:
        """Note where a run is, once its runner has said so."""
        entry = self._under_way.get(directory)
        if entry is None:
            return
        here = pid is not None and host == machine.host_name()
        started = machine.process_start(pid) if here and pid is not None else None
        entry = replace(entry, token=token, pid=pid, host=host, pid_started=started)
        self._under_way[directory] = entry
        self._lines.append(_line(_whereabouts(entry)))

    def ended(self, directories: Iterable[str]) -> None:
        """Note that the records of runs are written and indexed, or that none ever will be."""
        for directory in directories:
            if self._under_way.pop(directory, None) is not None:
                self._lines.append(_line({"event": "ended", "directory": directory}))

    def flush(self) -> None:
        """Write what waits.

        Raises
        ------
        DiskError
            Then it waits still.
        """
        if self._lines:
            self._write(self._lines)
            self._lines.clear()

    def compact(self) -> None:
        """Leave in the file only what is under way.

        Raises
        ------
        DiskError
            Then the file is as it was.
        """
        lines = []
        for entry in self._under_way.values():
            lines.append(_line(_submission(entry)))
            if entry.token is not None:
                lines.append(_line(_whereabouts(entry)))
        data = b"".join(lines)
        try:
            if data:
                replace_file(self.path, data, durable=self.durable)
                os.close(self._fd)
                self._fd = self._open()
            else:
                os.ftruncate(self._fd, 0)
        except OSError as exc:
            raise DiskError(self.path, exc) from exc
        self._size = len(data)
        self._lines.clear()

    def close(self) -> None:
        """Write what waits, make the file short, close it.

        Trouble with the disk is only logged: everything that counts was written before.
        """
        if self._fd < 0:
            return
        try:
            self.flush()
            self.compact()
        except DiskError as exc:
            log.warning("%s", exc.message)
        finally:
            self._shut()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | CLOEXEC
        return os.open(self.path, flags, 0o666)

    def _shut(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _write(self, lines: Sequence[bytes]) -> None:
        data = b"".join(lines)
        try:
            write_all(self._fd, data)
            if self.durable:
                os.fdatasync(self._fd)
        except OSError as exc:
            self._cut()
            raise DiskError(self.path, exc) from exc
        self._size += len(data)

    def _cut(self) -> None:
        """Remove what was written of a batch that failed, so that the next is whole."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError as exc:
            log.debug("%r cannot be cut: %s", self.path, exc)


def read_under_way(root: str | os.PathLike[str]) -> list[Entry]:
    """Return what is under way in a runs root, for who does not hold its lock.

    Nothing is written or repaired. A journal that cannot be read counts as empty; who
    minds finds the reason in the log.
    """
    path = os.path.join(root, STATE_DIR, _NAME)
    try:
        return list(_replay(read_file(path), path).values())
    except FileNotFoundError:
        return []
    except (OSError, DamagedFileError) as exc:
        log.debug("%r cannot be read: %s", path, exc)
        return []


# --- lines -------------------------------------------------------------------------------


def _submission(entry: Entry) -> dict[str, Any]:
    return {
        "event": "submitted",
        "directory": entry.directory,
        "attempt": entry.attempt,
        "number": entry.number,
        "pkey": entry.pkey,
        "time": entry.time,
    }


def _whereabouts(entry: Entry) -> dict[str, Any]:
    return {
        "event": "running",
        "directory": entry.directory,
        "token": entry.token,
        "pid": entry.pid,
        "host": entry.host,
        "pid_started": entry.pid_started,
    }


def _line(item: dict[str, Any]) -> bytes:
    """Return an item as one line of JSON whose last member is the checksum of the others."""
    body = _encode(item)[:-1].encode("ascii")
    return b'%b,"checksum":"%08x"}\n' % (body, zlib.crc32(body))


_TAIL = len(',"checksum":"01234567"}')


def _parse_line(line: bytes) -> dict[str, Any] | None:
    body = line[:-_TAIL]
    if line[-_TAIL:] != b',"checksum":"%08x"}' % zlib.crc32(body):
        return None
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) else None


def _items(data: bytes, path: str) -> Iterator[dict[str, Any]]:
    bad = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        item = _parse_line(line)
        if item is not None:
            yield item
        else:
            bad.append(number)
    if bad:
        shown = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        log.warning("%r is damaged: its line %s is left out", path, shown)


def _replay(data: bytes, path: str) -> dict[str, Entry]:
    """Return what was submitted and not ended; the checksums make the types certain."""
    found: dict[str, Entry] = {}
    for item in _items(data, path):
        directory = item.get("directory", "")
        try:
            match item.get("event"):
                case "submitted":
                    found[directory] = _entry(item)
                case "running" if directory in found:
                    found[directory] = _entry(item, found[directory])
                case "ended":
                    found.pop(directory, None)
        except (KeyError, TypeError):
            log.warning("%r holds a line of another version, which is left out", path)
    return found


def _entry(item: dict[str, Any], known: Entry | None = None) -> Entry:
    if known is not None:
        return replace(
            known,
            token=item["token"],
            pid=item["pid"],
            host=item["host"],
            pid_started=item["pid_started"],
        )
    return Entry(
        directory=item["directory"],
        attempt=item["attempt"],
        number=item["number"],
        pkey=item["pkey"],
        time=item["time"],
    )
