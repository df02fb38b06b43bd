"""Many run directories read by several processes: forks of this one, which know its reader.

Only ``syncing`` uses it. Helpers read what has a record and is in order; all else, and what
a helper that died had begun, is read by the process itself. No helper opens the index, holds
the lock, or outlives the reading.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn, cast

from soops.kernel.errors import StudyError
from soops.kernel.records.directories import DirectoryReader, IndexRow
from soops.kernel.records.record import load_record
from soops.kernel.values.processors import available_cpus

__all__ = ["MANY", "read_each"]

#: Below so many directories one process is as quick.
MANY = 2000
#: SQLite takes rows in about four times as fast as one process reads them.
MOST_HELPERS = 4
#: Directories in a chunk, and numbers of chunks that fit into a pipe.
CHUNK, MOST_CHUNKS = 100, 8192
#: What a helper may be ahead of who takes its rows, in bytes.
AHEAD = 1 << 20

_NUMBER = struct.Struct("<I")
_HEAD = struct.Struct("<II")
_COLUMNS = tuple(IndexRow.__annotations__)
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

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
    if count < 1 or not _may_fork():
        yield from _read(reader, names)
        return
    size = max(CHUNK, -(-len(names) // MOST_CHUNKS))
    chunks = [names[i : i + size] for i in range(0, len(names), size)]
    with _Helpers(reader, chunks, count) as helpers:
        for number, rows in helpers.chunks():
            if rows is None:
                yield from _read(reader, chunks[number])
                continue
            for name, values in zip(chunks[number], rows, strict=True):
                if values is None:
                    yield (name, *reader.read(name))
                else:
                    row = dict(zip(_COLUMNS, values, strict=True))
                    yield name, cast("IndexRow", row), None


def _read(reader: DirectoryReader, names: Sequence[str]) -> Iterator[Read]:
    for name in names:
        yield (name, *reader.read(name))


def _may_fork() -> bool:
    """Whether nothing else happens in this process: a fork has none of its threads."""
    try:
        return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


class _Helpers:
    """Processes that take numbers of chunks from a pipe, as this one does, and send rows."""

    def __init__(
        self, reader: DirectoryReader, chunks: Sequence[Sequence[str]], count: int
    ) -> None:
        self._reader, self._chunks, self._count = reader, chunks, count
        self._left = dict.fromkeys(range(len(chunks)))
        self._received: dict[int, bytearray] = {}
        self._pids: list[int] = []
        self._jobs, entry = os.pipe()
        os.write(entry, b"".join(map(_NUMBER.pack, self._left)))
        os.close(entry)

    def __enter__(self) -> _Helpers:
        try:
            for _ in range(self._count):
                with contextlib.suppress(OSError):  # no process or file more is allowed
                    self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        # No signal may make a helper go on as if it were the process that was forked, or let
        # this one forget it.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            end, out = os.pipe()
            try:
                with contextlib.suppress(OSError):  # more than this user may have
                    fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, AHEAD)
                pid = os.fork()
                if not pid:
                    _help(self._reader, self._chunks, self._jobs, out)
            except OSError:
                os.close(end)
                raise
            finally:
                os.close(out)
            self._pids.append(pid)
            self._received[end] = bytearray()
            os.set_blocking(end, False)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def __exit__(self, *exc: object) -> None:
        for file in (self._jobs, *self._received):
            os.close(file)
        for pid in self._pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def chunks(self) -> Iterator[tuple[int, list[list[object] | None] | None]]:
        """Yield numbers of chunks, each once, with their rows; None: to be read here."""
        while taken := os.read(self._jobs, _NUMBER.size):
            (number,) = _NUMBER.unpack(taken)
            del self._left[number]
            yield number, None
            for end in self._received:
                yield from self._sent(end)
        for end in self._received:
            os.set_blocking(end, True)
            yield from self._sent(end)
        while self._left:  # of helpers that died
            yield self._left.popitem()

    def _sent(self, end: int) -> Iterator[tuple[int, list[list[object] | None]]]:
        """Yield the chunks that a helper has sent: those that are there, or all."""
        received = self._received[end]
        with contextlib.suppress(BlockingIOError):
            while data := os.read(end, AHEAD):
                received += data
                while len(received) >= _HEAD.size:
                    number, length = _HEAD.unpack_from(received)
                    whole = _HEAD.size + length
                    if len(received) < whole:
                        break
                    rows = json.loads(received[_HEAD.size : whole])
                    del received[:whole]
                    del self._left[number]
                    yield number, rows


def _help(
    reader: DirectoryReader, chunks: Sequence[Sequence[str]], jobs: int, out: int
) -> NoReturn:
    """Be a helper: read chunks until none is left, or nobody listens."""
    try:
        # Ctrl-C and other signals are for the process that was forked; what it has open is not
        # to be held any longer than by itself.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        low, high = sorted((jobs, out))
        os.closerange(3, low)
        os.closerange(low + 1, high)
        os.closerange(high + 1, os.sysconf("SC_OPEN_MAX"))
        while taken := os.read(jobs, _NUMBER.size):
            (chunk,) = _NUMBER.unpack(taken)
            data = json.dumps([_plain(reader, name) for name in chunks[chunk]]).encode("ascii")
            data = _HEAD.pack(chunk, len(data)) + data
            while data:
                data = data[os.write(out, data) :]
    finally:
        os._exit(0)


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
