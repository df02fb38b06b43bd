"""A run in a scratch directory of a dask worker, for clusters without a shared file system.

For ``worker`` only. The driver asks for the files piece by piece (``read_piece``), so that
nobody holds more than a piece of them in memory, and says when it has them all (``dismiss``).
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace

from soops.api import Job

__all__ = ["PIECE", "Stage", "dismiss", "read_piece"]

#: Bytes of files in a message.
PIECE = 1 << 20
#: What an entry counts besides its bytes.
ENTRY = 256
_TOKEN = b".soops-attempt-"

#: Kind (``dir``, ``link``, ``file`` or ``more`` of the last file), path relative to the run
#: directory, mode, and bytes: of a file, or the target of a link.
Entry = tuple[str, bytes, int, bytes]

_stages: dict[str, Stage] = {}
_lock = threading.Lock()


class Stage:
    """The scratch directory of one run; it is the working directory of the run, too.

    Parameters
    ----------
    token : str
        Names the job.
    job : Job
        As it would run on the machine of the driver.
    inputs : mapping
        Names and bytes of the files that the run directory has before the run.
    place : str
        The local directory of the worker.
    """

    def __init__(self, token: str, job: Job, inputs: Mapping[str, bytes], place: str) -> None:
        self._token = token
        self.fetched = threading.Event()
        self._top = tempfile.mkdtemp(prefix="soops-run-", dir=place)
        cwd = os.path.join(self._top, "cwd")
        below = os.path.relpath(job.directory, job.cwd)
        if below.startswith(os.pardir):
            below = os.path.basename(job.directory)
        self.directory = os.path.join(cwd, below)
        os.makedirs(self.directory)
        for name, data in inputs.items():
            with open(os.path.join(self.directory, name), "wb") as file:
                file.write(data)
        self.job = self._moved(job, cwd)
        self._pieces = self._read()
        self._number = -1
        self._last: list[Entry] | None = None
        self._asking = threading.Lock()

    def _moved(self, job: Job, cwd: str) -> Job:
        """Return the job with all that names its directory naming this one."""

        def moved(text: str) -> str:
            return text.replace(job.directory, self.directory)

        command = job.command
        return replace(
            job,
            directory=self.directory,
            cwd=cwd,
            command=moved(command) if isinstance(command, str) else tuple(map(moved, command)),
            env={name: moved(value) for name, value in job.env.items()},
            stdout=job.stdout and moved(job.stdout),
            stderr=job.stderr and moved(job.stderr),
        )

    def offer(self) -> None:
        """Let the driver read the files from now on."""
        with _lock:
            _stages[self._token] = self

    def close(self) -> None:
        """Remove the directory."""
        with _lock:
            if _stages.get(self._token) is self:
                del _stages[self._token]
        shutil.rmtree(self._top, ignore_errors=True)

    def piece(self, number: int) -> list[Entry] | None:
        """Return the next entries, or the last ones again; None after all of them."""
        with self._asking:
            if number == self._number + 1:
                self._number, self._last = number, next(self._pieces, None)
            return self._last

    def _read(self) -> Iterator[list[Entry]]:
        piece: list[Entry] = []
        room = PIECE
        for entry in self._entries():
            if piece and room < len(entry[3]) + ENTRY:
                yield piece
                piece, room = [], PIECE
            piece.append(entry)
            room -= len(entry[3]) + ENTRY
        if piece:
            yield piece

    def _entries(self) -> Iterator[Entry]:
        top = os.fsencode(self.directory)
        for folder, names, others in os.walk(top):
            for name in sorted(names + others):
                path = os.path.join(folder, name)
                if folder == top and name.startswith(_TOKEN):
                    continue
                below, status = os.path.relpath(path, top), os.lstat(path)
                mode = stat.S_IMODE(status.st_mode)
                if stat.S_ISLNK(status.st_mode):
                    yield "link", below, mode, os.readlink(path)
                elif stat.S_ISDIR(status.st_mode):
                    yield "dir", below, mode, b""
                elif stat.S_ISREG(status.st_mode):
                    yield from _parts(path, below, mode)


def _parts(path: bytes, below: bytes, mode: int) -> Iterator[Entry]:
    kind = "file"
    with open(path, "rb") as file:
        while (data := file.read(PIECE - ENTRY)) or kind == "file":
            yield kind, below, mode, data
            kind = "more"


def read_piece(token: str, number: int) -> list[Entry] | None:
    """Return entries of what a run left here; None after the last.

    Raises
    ------
    LookupError
        When there is no such run here.
    """
    with _lock:
        stage = _stages[token]
    return stage.piece(number)


def dismiss(token: str) -> None:
    """Note that the driver has all files of a run."""
    with _lock:
        stage = _stages.get(token)
    if stage is not None:
        stage.fetched.set()
