"""Brings the files of staged runs from dask workers into their run directories.

They are collected beside their places first, and moved there when the last one has come: a
worker that dies while it sends leaves nothing in a run directory.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from soops.api import Job, Outcome, RunnerError, State
from soops_builtin.runners.dask import stage as dask_stage
from soops_builtin.runners.dask import worker as dask_worker
from soops_builtin.runners.dask.courier import plain
from soops_builtin.runners.dask.factory import words_of

__all__ = ["Staging", "staged_fields"]

#: Pieces under way at once.
UNDER_WAY = 4
#: Bytes of the files that a run directory may have before the run.
INPUTS = 8 << 20
#: Where files are collected, in the run directory.
FOLDER = b".soops-stage-"
_OLD = re.compile(r"\.attempt-[0-9]+$|^\.soops-").search


def staged_fields(job: Job) -> dict[str, Any]:
    """Return the fields of a job, and the files that its directory has: ``inputs``.

    Raises
    ------
    RunnerError
        When these are too large.
    """
    return {**plain(job), "inputs": _inputs_of(job)}


def _inputs_of(job: Job) -> dict[str, bytes]:
    """Return the files that the driver made ready for a run; not those of earlier attempts."""
    found: dict[str, bytes] = {}
    size = 0
    for entry in os.scandir(job.directory):
        if entry.is_file(follow_symlinks=False) and not _OLD(entry.name):
            size += entry.stat().st_size
            if size > INPUTS:
                raise RunnerError(
                    f"{job.directory!r} has more than {INPUTS >> 20} MB of files before its run",
                    hint="stage_out brings files back; large inputs have to be on the workers",
                )
            found[entry.name] = Path(entry.path).read_bytes()
    return found


class _Fetch:
    """The way of one run to the driver; a copy of it may be given up for another one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.given_up = self.complete = self.asks = False


class Staging:
    """Which staged runs have begun where, and the threads that fetch what they left.

    Parameters
    ----------
    client : distributed.Client
        Reaches the workers.
    tell : callable
        Gets ``{"ended": {token: message}}`` when the files of a run are there, or lost.
    """

    def __init__(self, client: Any, tell: Callable[[dict[str, Any]], None]) -> None:
        self._client, self._tell = client, tell
        self._begun: dict[str, str] = {}
        self._fetches: dict[str, _Fetch] = {}
        self._room = threading.Semaphore(UNDER_WAY)

    def __contains__(self, token: object) -> bool:
        """Whether a job has begun on some worker."""
        return token in self._begun

    def hear(
        self, message: Mapping[str, Any], jobs: Mapping[str, Job]
    ) -> Iterator[tuple[str, Outcome]]:
        """Understand what a worker tells of staged runs; give those that were lost with theirs."""
        token, *rest = message.get("begun") or message.get("staged") or [""]
        if token not in jobs:
            return
        if "staged" in message:
            self._fetch(token, jobs[token], *rest)
        elif not self._begins(token, *rest):
            # Dask does it again elsewhere; but whether that is wanted is decided by soops.
            yield token, Outcome(state=State.LOST, cause="node", message="its worker was lost")

    def _begins(self, token: str, address: str) -> bool:
        """Note where a job begins; return whether it is the first copy, or may go on."""
        if self._begun.setdefault(token, address) == address:
            return True
        fetch = self._fetches.get(token)
        if fetch is None:
            return False
        with fetch.lock:
            if fetch.complete:
                return True
            fetch.given_up = True
            if fetch.asks:  # its worker hangs, and must not hold up the others
                self._room.release()
            return False

    def _fetch(self, token: str, job: Job, address: str, message: Mapping[str, Any]) -> None:
        """Bring the files of a run that ended, and tell of it then."""
        if token in self._fetches or self._begun.get(token) != address:
            return  # a copy of it was quicker
        fetch = self._fetches[token] = _Fetch()
        args = (token, job, address, dask_worker.from_message(message), fetch)
        threading.Thread(target=self._work, args=args, daemon=True).start()

    def forget(self, token: str) -> None:
        """Forget a job that ended."""
        self._begun.pop(token, None)
        self._fetches.pop(token, None)

    def _work(self, token: str, job: Job, address: str, outcome: Outcome, fetch: _Fetch) -> None:
        folder = b""
        try:
            folder = _new_folder(os.fsencode(job.directory))
            modes = self._collect(folder, token, address, fetch)
            with fetch.lock:
                if fetch.given_up:
                    return
                fetch.complete = True
            _move(folder, os.fsencode(job.directory))
            for below, mode in reversed(modes.items()):
                os.chmod(os.path.join(os.fsencode(job.directory), below), mode)
        except OSError as exc:
            text = f"its files cannot be written: {exc.strerror}"
            outcome = replace(outcome, state=State.FAILED, cause="directory", message=text)
        except Exception as exc:
            text = f"its files did not arrive: {exc}"
            outcome = Outcome(state=State.LOST, cause="node", message=text)
        finally:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
        if not fetch.given_up:
            self._tell({"ended": {token: dask_worker.to_message(outcome)}})
            with suppress(Exception):  # its worker is gone, and the files with it
                self._client.run(dask_stage.dismiss, token, workers=[address])

    def _collect(self, folder: bytes, token: str, address: str, fetch: _Fetch) -> dict[bytes, int]:
        """Write what comes; return the modes of directories, outer ones first."""
        modes: dict[bytes, int] = {}
        file: BinaryIO | None = None
        top = os.path.realpath(folder)
        try:
            for number in itertools.count():
                piece = self._ask(token, address, number, fetch)
                if piece is None:
                    return modes
                for kind, below, mode, data in piece:
                    path = _place_of(below, folder, top)
                    if kind == "dir":
                        os.mkdir(path)
                        modes[below] = mode
                    elif kind == "link":
                        os.symlink(data, path)
                    elif kind == "file":
                        if file is not None:
                            file.close()
                        file = _new_file(path, mode)
                    if file is not None and kind in ("file", "more"):
                        file.write(data)
        finally:
            if file is not None:
                file.close()
        raise AssertionError("pieces are counted for ever")

    def _ask(self, token: str, address: str, number: int, fetch: _Fetch) -> Any:
        self._room.acquire()
        with fetch.lock:
            fetch.asks = not fetch.given_up
        if not fetch.asks:
            self._room.release()
            raise LookupError("another copy of it has begun")
        try:
            answers = self._client.run(dask_stage.read_piece, token, number, workers=[address])
        except Exception as exc:  # its worker is gone, or the scheduler, or a file unreadable
            raise LookupError(words_of(exc)) from exc
        finally:
            with fetch.lock:
                fetch.asks = False
                if not fetch.given_up:
                    self._room.release()
        if fetch.given_up:
            raise LookupError("another copy of it has begun")
        if address not in answers:
            raise LookupError("its worker is gone")
        return answers[address]


def _new_folder(directory: bytes) -> bytes:
    """Return a new directory in this one; remove those of fetches that are not needed."""
    for name in os.listdir(directory):
        if name.startswith(FOLDER):
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
    return tempfile.mkdtemp(prefix=FOLDER, dir=directory)


def _place_of(below: bytes, folder: bytes, top: bytes) -> bytes:
    path = os.path.join(folder, below)
    parent = os.path.realpath(os.path.dirname(path))
    if (
        os.path.basename(path) in (b"", b".", b"..")
        or (parent + b"/")[: len(top) + 1] != top + b"/"
    ):
        raise ValueError(f"{below!r} is not below its run directory")
    return path


def _new_file(path: bytes, mode: int) -> BinaryIO:
    fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL, 0o600)
    os.fchmod(fd, mode)  # what is open stays writable
    return open(fd, "wb")


def _move(source: bytes, target: bytes) -> None:
    """Move all entries of a directory into another one, which may have some of them."""
    for name in os.listdir(source):
        old, new = os.path.join(source, name), os.path.join(target, name)
        if os.path.isdir(old) and not os.path.islink(old):
            os.makedirs(new, exist_ok=True)
            _move(old, new)
        else:
            os.replace(old, new)
