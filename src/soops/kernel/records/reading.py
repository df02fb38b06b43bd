"""What a reader sees of a runs root: the index, the journal and the directories in one.

For find, info, jobs and whoever else looks at a study without being its driver.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from soops.kernel.records.attempts import read_attempt
from soops.kernel.records.index import Index, IndexRow, Problem
from soops.kernel.records.journal import read_under_way
from soops.kernel.records.lock import Holder, read_holder
from soops.kernel.records.rundir import RunTemplate
from soops.kernel.values import State

__all__ = ["Runs", "read_rows"]

#: Further looks at runs that are between two attempts.
LOOKS = 3
_UNDER_WAY = (State.QUEUED.value, State.RUNNING.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What a reader sees of a root.

    Attributes
    ----------
    rows : list
        By number, parameters typed.
    problems : list
        ``(directory, reason)``.
    """

    rows: list[IndexRow]
    problems: list[Problem]


def read_rows(root: str | os.PathLike[str], template: RunTemplate | None = None) -> Runs:
    """Return all runs below a root, as they are now; nothing is written, no lock is held.

    The index is used when there is one that can be believed, else the directories are read.
    Runs that a driver had under way when it died are LOST, with the cause "interrupted",
    unless they go on without it, or came to an end that the next driver will record.

    Parameters
    ----------
    root : path
        The runs root.
    template : RunTemplate, optional
        Of the study; None: the one that the root remembers.

    Raises
    ------
    DiskError
        When the root cannot be listed.
    """
    holder = read_holder(root)
    with Index(root, write=False) as index:
        entries = read_under_way(root)
        synced = index.sync(template, entries)
        rows = list(index.rows())
        for _ in range(LOOKS):
            if _is_gone(holder) or not any(map(_is_between, rows)):
                break
            # Its next attempt is in the journal, where it came after the first look.
            entries += read_under_way(root)
            synced = index.sync(template, entries)
            rows = list(index.rows())
    under_way = [row for row in rows if row["state"] in _UNDER_WAY]
    # Asked before and after: a driver may have begun, or come to its end, in between.
    if under_way and _is_gone(holder) and _is_gone(read_holder(root)):
        for row in under_way:
            _settle(root, row)
    return Runs(rows=rows, problems=synced.problems)


def _settle(root: str | os.PathLike[str], row: IndexRow) -> None:
    """Say of a run that has no driver any more whether it goes on, or how it ended."""
    token = read_attempt(os.path.join(root, row["directory"]), row["attempts"])
    if token is not None and token.survives and token.held:
        row["state"] = State.RUNNING.value
    elif token is not None and token.ended and token.outcome is not None:
        for name in ("state", "cause", "returncode", "signal", "elapsed"):
            row[name] = token.outcome.get(name)
    else:
        row["state"], row["cause"] = State.LOST.value, "interrupted"


def _is_gone(holder: Holder | None) -> bool:
    return holder is None or holder.is_alive() is False


def _is_between(row: IndexRow) -> bool:
    """Return whether an attempt was set aside, and the next is not known to have begun."""
    return row["state"] == State.LOST.value and row["cause"] == "interrupted"
