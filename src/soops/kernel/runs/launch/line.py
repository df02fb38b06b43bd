"""The line between a slot and its driver, and the only place where a slot waits."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import time
from collections import deque

from .marks import NOT_STARTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Line:
    """Messages from fd 0, answers to ``reply``, and whatever else wakes a slot.

    Attributes
    ----------
    token : str
        The job under way, or an empty string.
    cancelled : bool
        Whether the driver wants it ended.
    left : bool
        Whether the driver is gone.
    survives : bool
        Whether the job under way goes on without it.
    hurry : bool
        Whether the slot was asked to end twice: no more grace.
    expires : float
        When the lease of the job under way is over, by the monotonic clock; often never.
    """

    def __init__(self, reply: int, driver: int) -> None:
        self.token = ""
        self.cancelled = self.left = self.survives = self.hurry = False
        self.expires = math.inf
        self._asked = False
        self._reply = reply
        self._rest = b""
        self._queue: deque[dict[str, Any]] = deque()
        self._poller = select.poll()
        self._calls: dict[int, Callable[[], bool | None]] = {}
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: None)
        self.watch(0, self._read)
        self.watch(self._wake, self._signalled)
        try:
            self.watch(os.pidfd_open(driver), self._driver_ended)
        except ProcessLookupError:
            self._driver_ended()
        except (AttributeError, OSError):
            pass  # the end of fd 0 must do

    @property
    def stop(self) -> bool:
        """Whether the job under way and the slot have to end."""
        return self._asked or (self.left and not self.survives)

    @property
    def expired(self) -> bool:
        """Whether nobody renewed the lease of the job under way in time."""
        return time.monotonic() >= self.expires

    def watch(self, fd: int, call: Callable[[], bool | None]) -> None:
        """Call ``call`` when ``fd`` has something to read, until it returns False."""
        self._calls[fd] = call
        self._poller.register(fd, select.POLLIN)

    def forget(self, fd: int) -> None:
        """Watch ``fd`` no more."""
        if self._calls.pop(fd, None) is not None:
            self._poller.unregister(fd)

    def wait(self, timeout: float | None) -> None:
        """Sleep at most ``timeout`` seconds, until something happens."""
        limit = None if timeout is None else max(0, math.ceil(min(timeout, 1e6) * 1000))
        for fd, _ in self._poller.poll(limit):
            if self._calls[fd]() is False:
                self.forget(fd)

    def next(self) -> dict[str, Any] | None:
        """Return the next job, now the one under way, or None."""
        if not self._queue:
            return None
        message = self._queue.popleft()
        self.token, self.cancelled = message["run"], False
        self.survives = message.get("survives", False)
        self.expires = time.monotonic() + message.get("lease", math.inf)
        return message

    def finish(self, outcome: Mapping[str, Any]) -> None:
        """Answer for the job under way."""
        token, self.token = self.token, ""
        self.survives = False
        self.tell(token=token, outcome=outcome)

    def tell(self, **message: Any) -> None:
        """Send one answer."""
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._reply, data) :]
        except OSError:
            self._driver_ended()

    def _read(self) -> bool:
        data = os.read(0, 65536)
        if not data:
            self._driver_ended()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line.decode())
            if "run" in message:
                self._queue.append(message)
            elif "end" in message:
                self._asked = True
            elif "lease" in message:
                if message["renew"] == self.token:
                    self.expires = time.monotonic() + message["lease"]
            elif self.token and message.get("cancel") == self.token:
                self.cancelled = True
            else:
                self._take_out(message)
        return bool(data)

    def _take_out(self, message: Mapping[str, str]) -> None:
        """Drop a job that has not begun; the answer says that it never will."""
        for queued in self._queue:
            if queued["run"] == message.get("cancel", message.get("withdraw")):
                self._queue.remove(queued)
                if "withdraw" in message:
                    self.tell(token=queued["run"], withdrawn=True)
                else:
                    self.tell(token=queued["run"], outcome=NOT_STARTED)
                return

    def _signalled(self) -> None:
        numbers = os.read(self._wake, 4096)
        if signal.SIGTERM in numbers or signal.SIGHUP in numbers:
            self.hurry, self._asked = self.stop, True

    def _driver_ended(self) -> bool:
        if self.survives and not self.left:
            # Whoever reads what the driver prints shall not have to wait for the run.
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.close(null)
        self.left = True
        return False
