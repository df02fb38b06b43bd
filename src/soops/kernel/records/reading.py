"""What a reader sees of a runs root: the index, the journal and the directories in one.

For find, info, jobs and whoever else looks at a study without being its driver.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from soops.kernel.records.attempts import AttemptToken, read_attempt
from soops.kernel.records.directories import decoded
from soops.kernel.records.index import Index, IndexRow, Problem
from soops.kernel.records.journal import read_under_way
from soops.kernel.records.lock import Holder, read_holder
from soops.kernel.records.roots import read_study_file
from soops.kernel.records.rundir import RunTemplate
from soops.kernel.study.identity import loads_many
from soops.kernel.values import State

__all__ = ["Rows", "open_rows", "read_rows"]

#: Seconds before each further look at runs that are between two attempts: of a machine that
#: has much to do, the driver may have to wait for its turn.
PAUSES = (0.0, 0.001, 0.01, 0.05, 0.2)


class Rows:
    """What a reader sees of a root; only within :func:`open_rows`.

    Attributes
    ----------
    problems : list
        ``(directory, reason)`` of what could not be read.
    """

    def __init__(self, index: Index, problems: list[Problem]) -> None:
        self._index = index
        self.problems = problems

    def full(self, directories: Sequence[str] | None = None) -> list[IndexRow]:
        """Return rows with typed parameters: all by number, or those of some directories."""
        if directories is None:
            return list(self._index.rows())
        found = self._index.lookup_directories(directories)
        return [decoded(found[name]) for name in directories]

    def glance(self, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return some columns of all rows by number, which is cheap.

        File names are as SQLite has them (bytes, when they are no text), and parameters are
        dicts of typed values.
        """
        rows = self._index.glance(columns)
        if "parameters" not in columns:
            return rows
        place = list(columns).index("parameters")
        typed = loads_many([row[place] for row in rows])
        return [
            (*row[:place], values, *row[place + 1 :])
            for row, values in zip(rows, typed, strict=True)
        ]


@contextmanager
def open_rows(root: str | os.PathLike[str], template: RunTemplate | None = None) -> Iterator[Rows]:
    """Give all runs below a root, as they are now; nothing is written, no lock is held.

    The index is used when there is one that can be believed, else the directories are read.
    Runs that a driver had under way when it died are LOST, with the cause "interrupted",
    unless they go on without it, wait in a queue, or came to an end that the next driver will
    record.

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
        synced = index.sync(template, read_under_way(root))
        for pause in PAUSES:
            between = index.between_attempts()
            if _is_gone(holder) or not between:
                break
            time.sleep(pause)
            # The next attempt is in the journal by now, or has a record.
            index.read_again(between, read_under_way(root))
        under_way = index.in_states(State.QUEUED, State.RUNNING)
        # Asked before and after: a driver may have begun, or come to its end, in between.
        if under_way and _is_gone(holder) and _is_gone(read_holder(root)):
            study = read_study_file(root)
            for row in under_way:
                _settle(root, row, study is not None and study.keeps_jobs)
            index.upsert(under_way)
        yield Rows(index, synced.problems)


def read_rows(root: str | os.PathLike[str], template: RunTemplate | None = None) -> list[IndexRow]:
    """Return all rows of :func:`open_rows`."""
    with open_rows(root, template) as rows:
        return rows.full()


def _settle(root: str | os.PathLike[str], row: IndexRow, in_queue: bool) -> None:
    """Say of a run that has no driver any more whether it goes on, or how it ended."""
    token = read_attempt(os.path.join(root, row["directory"]), row["attempts"])
    if token is None and in_queue:
        row["state"] = State.QUEUED.value
    elif token is not None and token.ended and token.outcome is not None:
        for name in ("state", "cause", "returncode", "signal", "elapsed"):
            row[name] = token.outcome.get(name)
        row["finished"] |= in_queue and row["state"] == State.DONE.value
    elif token is not None and _goes_on(token, in_queue):
        row["state"] = State.RUNNING.value
    else:
        row["state"], row["cause"] = State.LOST.value, "interrupted"


def _goes_on(token: AttemptToken, in_queue: bool) -> bool:
    # Of locks on other machines not every file system knows.
    return not token.over if in_queue else bool(token.survives and token.held)


def _is_gone(holder: Holder | None) -> bool:
    return holder is None or holder.is_alive() is False
