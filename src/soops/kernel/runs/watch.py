"""Waiting for many things at once: readable fds, another thread, a signal.

For the driver side of runners. It imports nothing of soops.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import weakref
from typing import Generic, TypeVar

__all__ = ["Watch"]

T = TypeVar("T")

#: Pipes of watches that were closed outside of the main thread, which alone can let go of them.
_abandoned: dict[int, int] = {}


class Watch(Generic[T]):
    """A set of fds that can be waited for, a bell that any thread can ring, and signals.

    A signal ends the wait even when its handler only sets a flag, provided that the watch
    was made in the main thread and that nobody else there has set a wakeup fd.
    """

    def __init__(self) -> None:
        self._poller = select.poll()
        self._watched: dict[int, T] = {}
        self._bell, self._rope = os.pipe()
        for fd in (self._bell, self._rope):
            os.set_blocking(fd, False)
        self._poller.register(self._bell, select.POLLIN)
        woken = False
        if threading.current_thread() is threading.main_thread():
            before = signal.set_wakeup_fd(self._rope, warn_on_full_buffer=False)
            abandoned = _abandoned.pop(before, None)
            woken = before == -1 or abandoned is not None
            if not woken:
                signal.set_wakeup_fd(before)
            elif abandoned is not None:
                os.close(abandoned)
                os.close(before)
        self.close = weakref.finalize(self, _close, self._bell, self._rope, woken, os.getpid())

    def add(self, fd: int, what: T) -> None:
        """Watch ``fd``; :meth:`wait` gives ``what`` when it is readable or at its end."""
        self._watched[fd] = what
        self._poller.register(fd, select.POLLIN)

    def remove(self, fd: int) -> None:
        """Watch ``fd`` no more; before it is closed."""
        if self._watched.pop(fd, None) is not None:
            self._poller.unregister(fd)

    def ring(self) -> None:
        """End the wait, or the next one; from any thread."""
        try:
            os.write(self._rope, b"\0")
        except OSError:
            pass  # it rings already, or the watch is over

    def wait(self, timeout: float) -> list[T]:
        """Return what is ready, after at most ``timeout`` seconds; perhaps nothing."""
        ready = []
        for fd, _ in self._poller.poll(max(0.0, min(timeout, 1e6)) * 1000):
            if fd == self._bell:
                os.read(self._bell, 4096)
            elif fd in self._watched:
                ready.append(self._watched[fd])
        return ready


def _close(bell: int, rope: int, woken: bool, pid: int) -> None:
    if woken and pid == os.getpid():
        if threading.current_thread() is not threading.main_thread():
            # Signals go on to be noted there: its number must not become another file's.
            _abandoned[rope] = bell
            return
        before = signal.set_wakeup_fd(-1)
        if before not in (rope, -1):
            signal.set_wakeup_fd(before)
    os.close(bell)
    os.close(rope)
