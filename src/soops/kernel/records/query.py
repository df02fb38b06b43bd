"""Find runs below directories, by their parameters and by how they ended.

For ``soops.study`` and the commands. Reads the index of a root, or its directories; never
writes. pandas is imported only for queries that our own language has no words for.
"""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from soops.kernel.errors import StudyError, UsageError, near_misses
from soops.kernel.records.found import (
    FoundRun,
    found_run,
    how_it_ended,
    json_planned,
    json_record,
    record_names,
    to_frame,
)
from soops.kernel.records.lock import STATE_DIR
from soops.kernel.records.reading import read_rows
from soops.kernel.records.record import RECORD_NAME
from soops.kernel.records.rundir import PARAMETERS_NAME
from soops.kernel.records.status import StudyStatus, is_at_work, status_of
from soops.kernel.study.expression import compile_expression
from soops.kernel.study.tokens import GrammarError
from soops.kernel.values import Source, State

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
    found: dict[str, FoundRun] = {}
    for place in _places(roots):
        for run in _read(place):
            found.setdefault(run.path, run)
    runs = [run for run in found.values() if not wanted or run.state in wanted]
    if query is not None:
        # Over all runs, so that a name is known also when no run in these states has it.
        runs = _select(runs, list(found.values()), query, engine)
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


def _read(place: _Place) -> Iterator[FoundRun]:
    runs = read_rows(place.root)
    for name, reason in runs.problems[:SHOWN_PROBLEMS]:
        log.warning("%s: %s", os.path.join(place.shown, name), reason)
    for row in runs.rows:
        path = os.path.join(place.root, row["directory"])
        if place.only is None:
            yield found_run(row, place.root, os.path.join(place.shown, row["directory"]))
        elif path in place.only:
            yield found_run(row, place.root, place.only[path])


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts 101 before 1000."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(text)]


# --- queries -----------------------------------------------------------------------------


def _select(
    runs: Sequence[FoundRun], everything: Sequence[FoundRun], query: str, engine: str
) -> list[FoundRun]:
    keys = dict.fromkeys(key for run in everything for key in run.parameters)
    columns = record_names(keys)
    try:
        expression = compile_expression(query, [*keys, *columns.values()], Source(path="--query"))
    except GrammarError as exc:
        if not everything:
            return []  # no name is known, so none can be wrong
        return _select_by_pandas(runs, query, engine, exc)
    asked = [(name, column) for column, name in columns.items() if name in expression.names]
    return [run for run in runs if expression.holds(_values(run, asked))]


def _values(run: FoundRun, asked: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    if not asked:
        return run.parameters
    return {**run.parameters, **{name: getattr(run, column) for name, column in asked}}


def _select_by_pandas(
    runs: Sequence[FoundRun], query: str, engine: str, refused: GrammarError
) -> list[FoundRun]:
    """Let pandas try what our language has no words for; if it cannot, ours was right."""
    if engine not in ("python", "numexpr"):
        raise UsageError(f"unknown engine {engine!r}", hint="known: python, numexpr")
    from soops.kernel.records.pandas_query import positions

    try:
        return [runs[place] for place in positions(to_frame(runs), query, engine)]
    except ImportError as exc:
        raise UsageError(
            f"the engine {engine!r} cannot be used: {exc}", hint="use --engine python"
        ) from exc
    except Exception:  # whatever pandas makes of a text that is no query
        raise refused from None
