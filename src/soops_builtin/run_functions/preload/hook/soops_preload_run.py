"""From a fork of the loaded interpreter to a run: what it has of its own."""

from __future__ import annotations

import os
import sys

#: The variable that marks the processes of a run.
MARK = b"SOOPS_RUN"


def become(
    frame: Frame, kinds: list[tuple[bool, int]], request: list[str], files: list[int]
) -> None:
    """Give this process what a run has of its own.

    Parameters
    ----------
    frame : Frame
        What other processes see of this one.
    kinds : list
        Of the streams that the interpreter was started with.
    request : list of str
        The mark, the working directory, the arguments.
    files : list of int
        The streams.
    """
    mark, cwd, arguments = request[0], request[1], request[2:]
    try:
        for target, number in enumerate(files):
            os.dup2(number, target)
            os.close(number)
        os.setsid()
        os.chdir(cwd)
        frame.write(mark, arguments)
    except OSError as exc:
        os.write(2, f"a preloaded run cannot begin: {exc}\n".encode())
        os._exit(1)
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[len(sys.orig_argv) - len(sys.argv) + 1 :] = arguments
    sys.argv[1:] = arguments
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if kind(number) != kinds[number]:
            stream = stream_like(getattr(sys, name), number)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    start_anew()


def start_anew() -> None:
    """Bring modules up to date that remember when, or with what luck, they were imported."""
    # The collector was told to pass by all that there is; what the script makes, it has to find.
    old, fresh = sys.modules["__main__"], type(sys)("__main__")
    vars(fresh).update(vars(old))
    for name in [name for name, module in sys.modules.items() if module is old]:
        sys.modules[name] = fresh  # multiprocessing has another name for it
    threading = sys.modules.get("threading")
    if threading is not None:
        set_native_id = getattr(threading.main_thread(), "_set_native_id", None)
        if set_native_id is not None:
            set_native_id()
    generator = sys.modules.get("numpy.random")
    if generator is not None:
        generator.seed()
    logging = sys.modules.get("logging")
    if logging is not None:
        import time

        whole = isinstance(getattr(logging, "_startTime", None), int)
        logging._startTime = time.time_ns() if whole else time.time()  # type: ignore


def kind(number: int) -> tuple[bool, int]:
    """Return what decides on how Python buffers a stream."""
    return os.isatty(number), os.fstat(number).st_blksize


def stream_like(old, number: int):  # type: ignore[no-untyped-def]
    """Return a standard stream as Python makes it for this kind of file."""
    import io

    plain = bool(number) and isinstance(old.buffer, io.FileIO)
    mode = "wb" if number else "rb"
    buffer = open(number, mode, 0 if plain else -1, closefd=False)  # noqa: SIM115
    raw = buffer if plain else buffer.raw  # type: ignore[attr-defined]
    raw.name = old.name  # type: ignore[misc]
    by_line = raw.isatty() or (number == 2 and sys.version_info >= (3, 9))
    stream = io.TextIOWrapper(
        buffer,
        encoding=old.encoding,
        errors=old.errors,
        newline="\n",
        line_buffering=by_line and not plain,
        write_through=plain,
    )
    stream.mode = "w" if number else "r"  # type: ignore[misc]
    return stream


class Frame:
    """What other processes see of this one: its arguments and the mark in its environment.

    The bytes of the first run are overwritten. Arguments are cut to the room there is; the
    mark, by which a driver finds what was left behind, is not.
    """

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/self/environ", "rb") as file:
            environment = b"\0" + file.read()
        with open("/proc/self/cmdline", "rb") as file:
            command = file.read()
        place = environment.index(b"\0" + MARK + b"=")
        value = environment[place + 1 :].partition(b"\0")[0][len(MARK) + 1 :]
        self.mark_at, self.mark_room = int(fields[47]) + place + len(MARK) + 1, len(value)
        tail = sum(len(os.fsencode(word)) + 1 for word in sys.argv[1:])
        self.arguments_at = int(fields[45]) + len(command) - tail
        self.arguments_room = tail
        self._put(self.mark_at, value)  # does the system let us?
        # Nobody who looks for the first run shall find this process.
        self._put(self.arguments_at, b"\0" * self.arguments_room)

    def has_room(self, mark: str) -> bool:
        """Return whether the mark of a run fits."""
        return len(os.fsencode(mark)) < self.mark_room

    def write(self, mark: str, arguments: list[str]) -> None:
        """Show the mark and the arguments of a run."""
        value = os.fsencode(mark)
        filler = b"_" * (self.mark_room - len(value) - 1)
        self._put(self.mark_at, value + b"\0" + filler)
        os.environb[MARK] = value
        room = self.arguments_room
        if room:
            words = b"".join(os.fsencode(word) + b"\0" for word in arguments)
            self._put(self.arguments_at, words[: room - 1].ljust(room, b"\0"))

    def _put(self, address: int, data: bytes) -> None:
        number = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            os.pwrite(number, data, address)
        finally:
            os.close(number)
