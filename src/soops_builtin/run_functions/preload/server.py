"""The slot's end of the line to a loaded interpreter. For ``slot`` only."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soops.api import spawn
from soops_builtin.run_functions.preload.words import NotPreloaded

__all__ = ["HOOK", "PATIENCE", "Server", "Without"]

#: Seconds for which a run waits for the imports.
PATIENCE = 60.0
HOOK = str(Path(__file__).parent / "hook")
#: Room for the marks of later runs, which may be longer than that of the first.
ROOM = 64
_MARK = b"SOOPS_RUN"


class Without(Exception):
    """A module cannot be preloaded: its name, and why."""


class Server:
    """A process of the interpreter that a command names, with the hook in front of its path.

    Parameters
    ----------
    command : str or sequence of str
        The command of a run, as it is.
    env : mapping
        The environment of that run.
    keep : set of int
        Its pid is added.

    Raises
    ------
    OSError, ValueError, TypeError
        When the command cannot be started.
    """

    def __init__(
        self, command: str | Sequence[str], env: Mapping[bytes, bytes], keep: set[int]
    ) -> None:
        self.keep = keep
        self.line, end = socket.socketpair()
        output = os.memfd_create("soops-preload")
        path = env.get(b"PYTHONPATH")
        said = b"%d%s" % (end.fileno(), b"=" if path == b"" else b"")
        hook = os.fsencode(HOOK)
        try:
            end.set_inheritable(True)
            self.pid = spawn(
                # The shell makes its changes to the environment, and then is in nobody's way.
                {"command": f"exec {command}" if isinstance(command, str) else command},
                [
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                {
                    **env,
                    b"PYTHONPATH": hook + b":" + path if path else hook,
                    b"_SOOPS_PRELOAD": said,
                    _MARK: env.get(_MARK, b"") + b"#" * ROOM,
                },
            )
        except BaseException:
            self.line.close()
            raise
        finally:
            os.close(output)
            end.close()
        keep.add(self.pid)

    def find(self, kind: str, what: str, named: str) -> tuple[str, list[str]]:
        """Ask which modules to preload; it then ends. Return a note, and their names."""
        answer = self._ask(["find", kind, what, named], PATIENCE)
        self.end()
        if answer[:1] == ["found"]:
            return answer[1], answer[2:]
        raise NotPreloaded(answer[1] if answer[1:] else "the interpreter does not read PYTHONPATH")

    def load(self, names: Sequence[str]) -> None:
        """Let it import modules, and see whether what it forks comes to this process.

        Raises
        ------
        Without
            When one of the modules cannot be preloaded.
        NotPreloaded
            When there is another reason against it.
        """
        answer = self._ask(["serve", *names], PATIENCE)
        if answer[:1] == ["ready"]:
            try:
                os.waitpid(int(answer[1]), 0)
                if int(answer[2]) == self.pid:
                    return
                answer = ["no", "the program is a wrapper that starts an interpreter"]
            except ChildProcessError:
                answer = ["no", "this system gives orphans to another process"]
        self.end()
        if answer[:1] == ["without"]:
            raise Without(*answer[1:])
        if answer:
            raise NotPreloaded(answer[1])
        raise NotPreloaded("the interpreter ended, or took too long, when it imported the modules")

    def fork(
        self, mark: bytes, cwd: str, arguments: Sequence[str], files: Sequence[int]
    ) -> list[str]:
        """Start a run.

        Returns
        -------
        list of str
            ``["pid", N]``, ``["no", reason]`` for this run, ``["stale"]`` when it ended as what
            it imported has changed, ``["error", errno]``; or nothing: it went away, and nobody
            knows whether the run began.
        """
        return self._ask([os.fsdecode(mark), cwd, *arguments], None, files)

    def end(self) -> None:
        """End it; what it forked goes on."""
        self.line.close()
        if self.pid in self.keep:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended, but was not waited for by this process yet
            try:
                os.waitpid(self.pid, 0)
            except ChildProcessError:
                pass
            self.keep.discard(self.pid)

    def _ask(
        self, texts: Sequence[str], patience: float | None, files: Sequence[int] = ()
    ) -> list[str]:
        """Send a message and return the answer; nothing when the process ends instead."""
        data = os.fsencode("\0".join(texts))
        try:
            head = len(data).to_bytes(4, "big")
            if files:
                socket.send_fds(self.line, [head], files)
            else:
                self.line.sendall(head)
            self.line.sendall(data)
            limit = None if patience is None else time.monotonic() + patience
            size = int.from_bytes(self._read(4, limit), "big")
            return os.fsdecode(self._read(size, limit)).split("\0")
        except (OSError, EOFError):
            return []

    def _read(self, size: int, limit: float | None) -> bytes:
        poller = select.poll()
        poller.register(self.line, select.POLLIN)
        if limit is not None:
            poller.register(0, 0)  # its end: the driver is gone
        data = b""
        while len(data) < size:
            left = None if limit is None else max(0.0, limit - time.monotonic()) * 1000
            ready: dict[int, Any] = dict(poller.poll(left))
            if self.line.fileno() not in ready:
                raise EOFError
            part = self.line.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data
