"""Where studies are: the file by which a runs root is known, and the roots of a user.

``ROOT/.soops/study.json`` says what the last driver ran there. ``$XDG_STATE_HOME/soops/roots``
lists the roots that drivers of this user worked in; ``soops-jobs`` begins there. Both are
written when a study starts; without them everything still works.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from soops.kernel.errors import StudyError
from soops.kernel.records.disk import DamagedFileError, DiskError, read_file, replace_file
from soops.kernel.records.lock import STATE_DIR, make_state_dir
from soops.kernel.values.frozen import dataclass

__all__ = [
    "STUDY_NAME",
    "StudyFile",
    "known_roots",
    "read_study_file",
    "register_root",
    "require_root",
    "write_study_file",
]

log = logging.getLogger("soops")

#: Roots remembered of a user, and bytes of their list at which older ones are dropped.
MOST, MOST_BYTES = 500, 256 * 1024

STUDY_NAME = "study.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """What ``study.json`` says.

    Attributes
    ----------
    template : str
        The output template, relative to ``cwd`` or absolute.
    name : str
        Of the study.
    output_key, key_order, unhashed
        Of its parameters.
    total : int or None
        Parameter sets planned; None when they were not counted.
    started : str
        ISO 8601, UTC.
    host, pid
        The driver.
    cwd, output_dir : str
        Absolute: where it was started, and where the files of the study as a whole are.
    argv : tuple of str
        Its command line; empty when it was called from Python.
    runner : str
        Where the runs are.
    keeps_jobs : bool
        Whether the runner has a queue that keeps jobs while there is no driver.
    ended : str or None
        ISO 8601, UTC; None while the driver runs, and for ever when it was killed.
    """

    template: str
    name: str
    output_key: str
    key_order: tuple[str, ...]
    started: str
    host: str
    pid: int
    cwd: str
    output_dir: str
    total: int | None = None
    unhashed: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    runner: str = ""
    keeps_jobs: bool = False
    ended: str | None = None


def require_root(root: str | os.PathLike[str]) -> str:
    """Return a runs root as text.

    Raises
    ------
    StudyError
        When it is not a directory.
    """
    where = os.fspath(root)
    if not os.path.isdir(where):
        raise StudyError(
            f"{where!r} is not a directory", hint="give the directory that holds the runs"
        )
    return where


def write_study_file(root: str | os.PathLike[str], study: StudyFile) -> None:
    """Write ``study.json`` of a runs root, for the driver that holds its lock.

    Raises
    ------
    DiskError
        Naming the file.
    """
    path = os.path.join(make_state_dir(root), STUDY_NAME)
    text = json.dumps(dataclasses.asdict(study), indent=1)
    try:
        replace_file(path, text.encode("ascii") + b"\n")
    except OSError as exc:
        raise DiskError(path, exc) from exc


def read_study_file(root: str | os.PathLike[str]) -> StudyFile | None:
    """Return what ``study.json`` of a runs root says; None without one, or a damaged one."""
    path = os.path.join(root, STATE_DIR, STUDY_NAME)
    try:
        return _study_file(json.loads(read_file(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, DamagedFileError, ValueError, TypeError, KeyError, RecursionError) as exc:
        log.warning("%r is not used: %s", path, exc)
        return None


def _study_file(given: Mapping[str, Any]) -> StudyFile:
    values = {}
    for item in dataclasses.fields(StudyFile):
        if item.name not in given and item.default is not dataclasses.MISSING:
            continue
        value = given[item.name]
        hint = _HINTS[item.name]
        if hint == tuple[str, ...]:
            if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
                raise TypeError(f"{item.name} is not a list of texts")
            value = tuple(value)
        elif not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
            raise TypeError(f"{item.name} is a {type(value).__name__}")
        values[item.name] = value
    return StudyFile(**values)


_HINTS = get_type_hints(StudyFile)

# --- the roots of a user -----------------------------------------------------------------


def register_root(root: str | os.PathLike[str]) -> None:
    """Remember that a driver of this user works in a root; not being able to is no error."""
    line = json.dumps(os.path.abspath(root)) + "\n"
    try:
        path = _list_path()
        lines = _lines(path)
        if line in lines[-MOST:]:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if sum(map(len, lines)) + len(line) > MOST_BYTES or len(lines) >= 2 * MOST:
            kept = "".join([*lines, line][-MOST:])
            replace_file(str(path), kept.encode("ascii"))
            return
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(fd, line.encode("ascii"))
        finally:
            os.close(fd)
    except (OSError, RuntimeError, ValueError, DamagedFileError) as exc:
        log.debug("%r is not remembered: %s", os.fspath(root), exc)


def known_roots() -> list[Path]:
    """Return the roots that were remembered and are still there, each once, oldest first."""
    found: dict[Path, None] = {}
    try:
        lines = _lines(_list_path())
    except (OSError, RuntimeError, DamagedFileError) as exc:
        log.debug("the roots of studies are not known: %s", exc)
        return []
    for line in lines:
        try:
            root = Path(json.loads(line))
            if (root / STATE_DIR).is_dir():
                found[root] = None
        except (ValueError, TypeError, OSError, RecursionError):
            continue  # a damaged line
    return list(found)


def _list_path() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return home / "soops" / "roots"


def _lines(path: Path) -> list[str]:
    try:
        data = read_file(str(path))
    except FileNotFoundError:
        return []
    text = data.decode("ascii", "replace")
    # Without the newline a line is torn: it is completed, so that the next is whole.
    return [line + "\n" for line in text.split("\n") if line]
