"""The loaded interpreter: imports what it is told, then forks a run for each request.

The line to the slot is a socket; each message is a list of texts, with three open files for the
streams of a run. A run is forked twice, so that it becomes a child of the slot, which is a
subreaper.
"""

from __future__ import annotations

import _socket  # not socket: a run should find few modules that it did not import
import gc
import os
import sys

import soops_preload_checks as checks  # type: ignore[import-not-found]
import soops_preload_imports as imports  # type: ignore[import-not-found]
import soops_preload_run as run  # type: ignore[import-not-found]


def main(said: str, known: set[str]) -> None:
    """Answer the slot; return only in a process that is to go on as a run.

    Parameters
    ----------
    said : str
        The file descriptor of the line.
    known : set of str
        The modules that any interpreter has at this point.
    """
    is_run = False
    try:
        line = Line(int(said))
        request = line.receive()[0]
        if request[0] == "find":
            line.send(imports.answer(*request[1:]))
        else:
            is_run = serve(line, request[1:], known)
    except checks.Unfit as exc:
        line.send(["without", *exc.args])
    except BaseException as exc:
        line.send(["no", f"{type(exc).__name__}: {exc}"])
    finally:
        if not is_run:
            os._exit(0)


class Line:
    """Messages to and from the slot."""

    def __init__(self, number: int) -> None:
        os.set_inheritable(number, False)
        self.socket = _socket.socket(fileno=number)

    def send(self, texts: list[str]) -> None:
        """Send a message."""
        data = os.fsencode("\0".join(texts))
        self.socket.sendall(len(data).to_bytes(4, "big") + data)

    def receive(self) -> tuple[list[str], list[int]]:
        """Return the next message and its files; the end of the line ends the process."""
        head, extra, _, _ = self.socket.recvmsg(4, _socket.CMSG_SPACE(12))
        files = []
        for _, _, packed in extra:
            numbers = range(0, len(packed) - len(packed) % 4, 4)
            files += [int.from_bytes(packed[i : i + 4], sys.byteorder) for i in numbers]
        head += self._read(4 - len(head))
        data = self._read(int.from_bytes(head, "big"))
        return os.fsdecode(data).split("\0"), files

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self.socket.recv(min(size, 1 << 20))
            if not part:
                os._exit(0)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def serve(line: Line, names: list[str], known: set[str]) -> bool:
    """Import modules and fork runs; return True in a run."""
    try:
        # The one that ours stands before, if there is one.
        import sitecustomize  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    except ImportError as exc:
        if exc.name != "sitecustomize":
            raise
    checks.check_quiet("sitecustomize")
    loaded = checks.Loaded(names, known)
    frame = run.Frame()
    kinds = [run.kind(number) for number in range(3)]
    gc.collect()
    gc.freeze()  # what the collector does not visit is not copied in the runs
    trial = fork_orphan()
    if not trial:
        os._exit(0)
    loaded.check_threads()
    line.send(["ready", str(trial), str(os.getpid())])
    while True:
        request, files = line.receive()
        if loaded.is_stale() or not frame.has_room(request[0]):
            line.send(["stale"])
            os._exit(0)
        hidden = loaded.hidden()
        try:
            pid = -1 if hidden else fork_orphan()
        except OSError as exc:
            pid = -1
            line.send(["error", str(exc.errno)])
        else:
            if not pid:
                line.socket.close()
                run.become(frame, kinds, request, files)
                return True
            line.send(["no", hidden] if hidden else ["pid", str(pid)])
        for number in files:
            os.close(number)


def fork_orphan() -> int:
    """Return 0 in a new process that is nobody's child here, and its pid in this one."""
    source, sink = os.pipe()
    try:
        middle = os.fork()
    except OSError:
        os.close(source)
        os.close(sink)
        raise
    if middle:
        os.close(sink)
        said = os.read(source, 32)
        os.close(source)
        os.waitpid(middle, 0)
        number = int(said or b"-5")
        if number < 0:
            raise OSError(-number, os.strerror(-number))
        return number
    os.close(source)
    number = os.getpid()
    try:
        pid = os.fork()
    except OSError as exc:
        pid = -(exc.errno or 11)
    if pid:
        os.write(sink, b"%d" % pid)
        os._exit(0)
    os.close(sink)
    while os.getppid() == number:
        os.sched_yield()
    return 0
