"""Where the output of a run goes: to files, by itself or through a pump that keeps a limit."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .command import Action

#: Bytes of the end of a stream that are kept when ``max_output`` cuts it.
TAIL = 4096
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class Pump:
    """Carries a stream from a pipe to a file: its first bytes, and the last few.

    Parameters
    ----------
    path : str
        The file; it is made empty.
    limit : int
        Bytes kept, of which at most ``TAIL`` are the end of the stream.
    """

    def __init__(self, path: str, limit: int) -> None:
        self.file = os.open(path, _FLAGS, 0o666)
        self.source, self.sink = os.pipe()
        os.set_blocking(self.source, False)
        self.path = path
        self.tail_size = min(TAIL, limit // 2)
        self.room = limit - self.tail_size
        self.lost = 0
        self.tail = b""
        self.error = ""

    def carry(self) -> bool | None:
        """Move a piece; return False at the end of the stream, None when nothing is there."""
        try:
            data = os.read(self.source, 65536)
        except BlockingIOError:
            return None
        head, over = data[: self.room], data[self.room :]
        self._write(head)
        self.room -= len(head)
        if over:
            self.tail += over
            cut = max(0, len(self.tail) - self.tail_size)
            self.tail = self.tail[cut:]
            self.lost += cut
        return bool(data)

    def started(self) -> None:
        """Close the end that the run has."""
        if self.sink >= 0:
            os.close(self.sink)
            self.sink = -1

    def finish(self) -> str:
        """Write the tail, close everything, and return what there is to say."""
        self.started()
        while self.carry():
            pass
        if self.lost:
            self._write(b"\n[... %d bytes left out ...]\n" % self.lost)
        self._write(self.tail)
        os.close(self.source)
        os.close(self.file)
        left_out = f"{self.lost} bytes of {self.path!r} were left out" if self.lost else ""
        return self.error or left_out

    def _write(self, data: bytes) -> None:
        while data and not self.error:
            try:
                data = data[os.write(self.file, data) :]
            except OSError as exc:
                self.error = f"{self.path!r} cannot be written: {exc.strerror}"


def arrange(job: Mapping[str, Any], pumps: dict[int, Pump]) -> list[Action]:
    """Return what becomes of fds 0 to 2 of a job; new pumps are added by the fd they read.

    Raises
    ------
    OSError
        When the file of a pump cannot be made.
    """
    out, err, limit = job.get("stdout"), job.get("stderr"), job.get("max_output")
    actions: list[Action] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    for fd, path in ((1, out), (2, err)):
        if path is None:
            continue
        if fd == 2 and path == out:
            actions.append((os.POSIX_SPAWN_DUP2, 1, 2))
        elif limit is None:
            actions.append((os.POSIX_SPAWN_OPEN, fd, path, _FLAGS & ~os.O_CLOEXEC, 0o666))
        else:
            pump = Pump(path, limit)
            pumps[pump.source] = pump
            actions.append((os.POSIX_SPAWN_DUP2, pump.sink, fd))
    return actions
