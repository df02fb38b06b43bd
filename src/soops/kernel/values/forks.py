"""Work in numbered pieces, shared with forks of this process, which know all that it knows.

Only the readers of many directories use it, ``records.helpers`` and ``table.rows``. Forks take
numbers of pieces from a pipe, as this process does itself, and send what became of them. None
outlives the work, or the process that forked it.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import select
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

__all__ = ["MOST_PIECES", "Forks", "may_fork"]

#: Numbers of pieces that fit into a pipe.
MOST_PIECES = 8192
#: Bytes that the pipe of a fork holds; 1 MB is what any user may have.
PIPE = 1 << 20

_NUMBER = struct.Struct("<I")
#: Numbers that are written as a whole, or not at all.
_PAGE = select.PIPE_BUF // _NUMBER.size
_HEAD = struct.Struct("<II")
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def may_fork() -> bool:
    """Whether nothing else happens in this process: a fork has none of its threads."""
    try:
        return sys.platform == "linux" and sum(1 for _ in Path("/proc/self/task").iterdir()) == 1
    except OSError:
        return False


class Forks:
    """Processes that help with pieces of work; a context manager.

    Parameters
    ----------
    work : callable
        ``work(number)`` does a piece, and returns what is to be sent. When it raises, the fork
        has died. Its streams are those of this process.
    pieces : int
        How many there are, at most ``MOST_PIECES``.
    count : int
        How many processes; there may be fewer when the system allows no more.
    ahead : int
        Bytes that a fork may keep for who does not take them yet, besides those in the pipe.
    """

    def __init__(
        self, work: Callable[[int], bytes], pieces: int, count: int, *, ahead: int = 0
    ) -> None:
        self._work, self._count, self._ahead = work, count, ahead
        self._left = dict.fromkeys(range(pieces))
        #: Pieces that a fork had begun when it died.
        self.undone: set[int] = set()
        self._received: dict[int, bytearray] = {}
        self._pids: list[int] = []
        self._jobs, entry = os.pipe()
        # Of a user who has very many pipes a new one holds a page only: forks get what fits.
        os.set_blocking(entry, False)
        fits = 0
        with contextlib.suppress(BlockingIOError):
            for start in range(0, pieces, _PAGE):
                page = range(start, min(start + _PAGE, pieces))
                os.write(entry, b"".join(map(_NUMBER.pack, page)))
                fits = page.stop
        os.close(entry)
        self._others = range(fits, pieces)

    def __enter__(self) -> Forks:
        try:
            for _ in range(self._count):
                with contextlib.suppress(OSError):  # no process or file more is allowed
                    self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        # No signal may make a fork go on as if it were the process that was forked, or let
        # this one forget it.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            end, out = os.pipe()
            try:
                with contextlib.suppress(OSError):  # more than this user may have
                    fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, PIPE)
                pid = os.fork()
                if not pid:
                    _help(self._work, self._jobs, out, self._ahead)
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

    def pieces(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield the numbers of pieces, each once, with what a fork sent; None: to be done here.

        Pieces that a fork left undone come last, after all others.
        """
        for number in itertools.chain(self._numbers(), self._others):
            del self._left[number]
            yield number, None
            for end in self._received:
                yield from self._sent(end)
        for end in self._received:
            os.set_blocking(end, True)
            yield from self._sent(end)
        self.undone.update(self._left)
        while self._left:
            yield self._left.popitem()

    def _numbers(self) -> Iterator[int]:
        while taken := os.read(self._jobs, _NUMBER.size):
            yield from _NUMBER.unpack(taken)

    def _sent(self, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield what a fork has sent: what is there, or all."""
        received = self._received[end]
        with contextlib.suppress(BlockingIOError):
            while data := os.read(end, PIPE):
                received += data
                while len(received) >= _HEAD.size:
                    number, length = _HEAD.unpack_from(received)
                    whole = _HEAD.size + length
                    if len(received) < whole:
                        break
                    sent = bytes(received[_HEAD.size : whole])
                    del received[:whole]
                    del self._left[number]
                    yield number, sent


def _help(work: Callable[[int], bytes], jobs: int, out: int, ahead: int) -> NoReturn:
    """Be a fork: do pieces until none is left, or nobody listens."""
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
        os.set_blocking(out, False)
        unsent = bytearray()
        while taken := os.read(jobs, _NUMBER.size):
            (piece,) = _NUMBER.unpack(taken)
            done = work(piece)
            unsent += _HEAD.pack(piece, len(done)) + done
            _send(out, unsent, ahead)
        _send(out, unsent, 0)
    finally:
        os._exit(0)


def _send(out: int, unsent: bytearray, ahead: int) -> None:
    """Send what the pipe takes now, and more until no more than ``ahead`` bytes are left."""
    while unsent:
        try:
            del unsent[: os.write(out, unsent)]
        except BlockingIOError:
            if len(unsent) <= ahead:
                return
            select.select((), (out,), ())
