"""Find runs below directories, by their parameters and by how they ended.

For ``soops.study`` and the commands. Reads the index of a root, or its directories; never
writes. Which runs a query means is worked out in ``selecting``.
"""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from soops.kernel.errors import StudyError, UsageError, near_misses
from soops.kernel.records.found import (
    FoundRun,
    how_it_ended,
    json_planned,
    json_record,
    to_frame,
)
from soops.kernel.records.lock import STATE_DIR
from soops.kernel.records.reading import open_rows
from soops.kernel.records.record import RECORD_NAME
from soops.kernel.records.rundir import PARAMETERS_NAME
from soops.kernel.records.selecting import View, leave_each_once, select
from soops.kernel.records.status import StudyStatus, is_at_work, status_of
from soops.kernel.values import State
from soops.kernel.values.frozen import dataclass

__all__ = [
    "FoundRun",
    "StudyStatus",
    "find_runs",
    "how_it_ended",
    "is_at_work",
    "json_planned",
    "json_record",
    "status_of",
    "to_frame",
]

log = logging.getLogger("soops")

#: How far above a run directory its root may be: ``%s/a/b``.
LEVELS = 4
#: Unreadable directories that are named.
SHOWN_PROBLEMS = 5

_numbered = re.compile(r"(?:^|[^0-9])[0-9]{3,}-[0-9a-f]{32}").search
_DIGITS = re.compile(r"([0-9]+)")


def find_runs(
    roots: Sequence[str],
    query: str | None = None,
    states: Iterable[str] = (),
    engine: str = "python",
) -> list[FoundRun]:
    """Return the runs below directories for which a query holds.

    Parameters
    ----------
    roots : sequence of str
        Directories, searched for studies at any depth, or patterns of these. A run
        directory stands for itself.
    query : str, optional
        Over parameters and columns of the record: ``"num > 10 & state == 'failed'"``.
    states : iterable of str
        Keep only runs in these states.
    engine : str
        ``"python"`` or ``"numexpr"``, for queries that only pandas understands.

    Returns
    -------
    list of FoundRun
        By root, then by number.

    Raises
    ------
    StudyError
        When a directory is not there, or the query has a mistake.
    UsageError
        For an unknown state.
    """
    wanted = _wanted_states(states)
    with ExitStack() as stack:
        views = []
        for place in _places(roots):
            rows = stack.enter_context(open_rows(place.root))
            for name, reason in rows.problems[:SHOWN_PROBLEMS]:
                log.warning("%s: %s", os.path.join(place.shown, name), reason)
            views.append(View(rows, place.root, place.shown, place.only))
        leave_each_once(views)
        runs = select(views, wanted, query, engine)
    roots_order = {root: _natural(root) for root in {run.root for run in runs}}
    return sorted(runs, key=lambda run: (roots_order[run.root], run.number, run.path))


def _wanted_states(states: Iterable[str]) -> frozenset[str]:
    known = [state.value for state in State]
    wanted = frozenset(str(state) for state in states)
    for state in wanted:
        if state not in known:
            raise UsageError(
                f"unknown state {state!r}",
                hint=near_misses(state, known) or "known: " + ", ".join(known),
            )
    return wanted


# --- places ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A runs root, absolute and as it was given, and which of its runs are meant."""

    root: str
    shown: str
    only: dict[str, str] | None = None
    """Absolute path of each run directory meant, to the path given; None: all runs."""


def _places(roots: Sequence[str]) -> Iterator[_Place]:
    single: dict[str, dict[str, str]] = {}
    for given in roots:
        for top in _expand(given):
            if _is_run(top):
                path = os.path.abspath(top)
                single.setdefault(_enclosing(path), {})[path] = os.path.normpath(top)
            else:
                yield from _below(top)
    for root, only in single.items():
        yield _Place(root=root, shown=root, only=only)


def _expand(given: str) -> list[str]:
    if os.path.isdir(given):
        return [given]
    names = sorted(name for name in glob.glob(given) if os.path.isdir(name))
    if not names:
        folder, name = os.path.split(given.rstrip("/"))
        siblings = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
        raise StudyError(
            f"there is no directory {given!r}",
            hint=near_misses(name, siblings) or "give the directory of a study, or one above it",
        )
    return names


def _is_run(path: str) -> bool:
    return any(os.path.isfile(f"{path}/{name}") for name in (RECORD_NAME, PARAMETERS_NAME))


def _enclosing(run: str) -> str:
    """Return the root of a run directory: marked as one, or else the directory above it."""
    above = os.path.dirname(run)
    folder = above
    for _ in range(LEVELS):
        if os.path.isdir(f"{folder}/{STATE_DIR}"):
            return folder
        folder = os.path.dirname(folder)
    return above


def _below(top: str) -> Iterator[_Place]:
    """Yield the runs roots at and below a directory; run directories are not entered."""
    try:
        with os.scandir(top) as entries:
            folders = sorted(entry.name for entry in entries if _is_folder(entry))
    except OSError:
        return  # what may not be listed has no runs for this user
    marked = os.path.isdir(f"{top}/{STATE_DIR}")
    others = []
    has_runs = marked
    for name in folders:
        # Below a marked root the name is enough: a look into each costs when there are many.
        if (marked and _numbered(name)) or _is_run(f"{top}/{name}"):
            has_runs = True
        else:
            others.append(name)
    if has_runs:
        yield _Place(root=os.path.abspath(top), shown=top)
    for name in others:
        yield from _below(os.path.join(top, name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.name != STATE_DIR and entry.is_dir(follow_symlinks=False)


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts 101 before 1000."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(text)]
