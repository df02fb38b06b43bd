"""What the run directories hold now, seen by a second process while this one is busy.

For ``gather`` only. Reading a stored table means importing pandas; meanwhile a process of our
own finds the run directories and looks at their files. It runs no code of the user. Whatever it
cannot do, or would have to tell of, is done here, with the errors and warnings that belong to it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.table.directories import find_roots, find_run_directories
from soops.kernel.table.stamps import stamps_now
from soops.kernel.values import ScoopInfo, ScoopItem
from soops.kernel.values.frozen import dataclass
from soops.kernel.values.processors import available_cpus

__all__ = ["MANY", "Lookout", "Seen", "main"]

#: With fewer entries in the directories that are given, one process is as quick.
MANY = 2000

_BEGIN = "import json, sys; question = json.load(sys.stdin); sys.path[:] = question.pop(); "
_CODE = f"{_BEGIN}from soops.kernel.table.lookout import main; main(*question)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found.

    Attributes
    ----------
    directories : tuple of str
        As :func:`find_run_directories` gives them.
    roots : tuple of str
        Where they were looked for.
    stamps : mapping
        Directory to its stamps, as :func:`stamps_now` gives them; of none, when nobody has
        looked yet.
    """

    directories: tuple[str, ...]
    roots: tuple[str, ...]
    stamps: Mapping[str, list[str]]


class Lookout:
    """Looks at run directories, in a second process when there are many; a context manager.

    Parameters
    ----------
    directories : sequence of str or Path
        Directories or glob patterns.
    info : ScoopInfo
        The items.
    alone : bool
        Start no process.
    """

    def __init__(
        self, directories: Sequence[str | Path], info: ScoopInfo, *, alone: bool = False
    ) -> None:
        self.directories = directories
        self._process: subprocess.Popen[bytes] | None = None
        if not alone and sys.executable and available_cpus() > 1 and _are_many(directories):
            self._process = _start(directories, info)

    def __enter__(self) -> Lookout:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def seen(self, info: ScoopInfo) -> Seen:
        """Return what there is.

        Parameters
        ----------
        info : ScoopInfo
            The same items, with their digests.

        Raises
        ------
        StudyError
            When a directory does not exist or a pattern matches nothing.
        """
        found = self._answer()
        if found is None:
            return Seen(
                directories=tuple(find_run_directories(self.directories, info)),
                roots=tuple(find_roots(self.directories)),
                stamps={},
            )
        digests = [item.digest for item in info.items]
        return Seen(
            directories=tuple(found["stamps"]),
            roots=tuple(found["roots"]),
            stamps={
                directory: [
                    *map(str.__add__, digests, stamps[: len(digests)]),
                    *stamps[len(digests) :],
                ]
                for directory, stamps in found["stamps"].items()
            },
        )

    def _answer(self) -> dict[str, Any] | None:
        """Return what the process says; None when there is none, or it was not up to it."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        try:
            said, _ = process.communicate()
        except BaseException:
            process.kill()
            process.communicate()
            raise
        try:
            return json.loads(said) if process.returncode == 0 else None
        except ValueError:  # something else was printed
            return None


def _are_many(directories: Sequence[str | Path]) -> bool:
    if len(directories) >= MANY:
        return True
    count = 0
    try:
        for root in find_roots(directories):
            count += len(os.listdir(root))
            if count >= MANY:
                return True
    except (StudyError, OSError):
        pass  # told of by who looks
    return False


def _start(directories: Sequence[str | Path], info: ScoopInfo) -> subprocess.Popen[bytes] | None:
    patterns = [item.pattern for item in info.items]
    paths = [os.fspath(directory) for directory in directories]
    question = json.dumps([paths, patterns, sys.getfilesystemencoding(), sys.path])
    try:
        # A file and not a pipe: nobody waits for who reads it.
        with open(os.memfd_create("soops"), "r+b") as file:
            file.write(question.encode("ascii"))
            file.seek(0)
            return subprocess.Popen(
                [sys.executable, "-P", "-c", _CODE],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
    except (OSError, AttributeError):  # no process more is allowed; not Linux
        return None


def main(directories: Sequence[str], patterns: Sequence[str], encoding: str) -> None:
    """Be the second process: print what there is, or end with 1."""
    if sys.getfilesystemencoding() != encoding:  # names would be other texts: -X utf8
        sys.exit(1)
    info = ScoopInfo(items=tuple(ScoopItem(pattern=name, scraper="") for name in patterns))
    logging.getLogger("soops").addHandler(_Strict())
    stamps = {name: stamps_now(name, info) for name in find_run_directories(directories, info)}
    sys.stdout.write(json.dumps({"roots": find_roots(directories), "stamps": stamps}))
    sys.stdout.flush()


class _Strict(logging.Handler):
    """Ends the process: a warning is for the person who waits for the first one."""

    def emit(self, record: logging.LogRecord) -> None:
        os._exit(1)
