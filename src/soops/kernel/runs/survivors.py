"""Runs that outlived the driver that began them, as the next driver sees them.

Their slots answer nobody, but hold the tokens of their attempts, and leave the outcome there.
So a driver takes them on by watching the tokens; it hands out no copies of them. Used by
``recovery``, which finds them, ``drive``, and ``migrate``, which refuses to move them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from soops.kernel.errors import StudyError
from soops.kernel.records import machine
from soops.kernel.records.attempts import AttemptToken, read_attempt
from soops.kernel.records.journal import Entry, read_under_way
from soops.kernel.records.roots import read_study_file
from soops.kernel.runs.orphans import end_marked, marked_processes
from soops.kernel.runs.wire import outcome_of
from soops.kernel.values import Outcome, State, Update

__all__ = ["Survivors", "lives", "outcome_in", "require_no_queue", "require_none"]

#: Seconds between two looks at the tokens.
EVERY = 0.2


class Survivors:
    """The runs that go on.

    Parameters
    ----------
    root : path
        The runs root.
    entries : iterable of Entry
        What the journal has of them.
    queued : collection of str
        Directories of those that the runner answers for, once it has adopted them.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        entries: Iterable[Entry] = (),
        queued: Collection[str] = (),
    ) -> None:
        self.root = os.path.abspath(root)
        everyone = {entry.directory: entry for entry in entries}
        self._unclaimed = set(everyone)
        self._queued = {name: everyone.pop(name).attempt for name in queued if name in everyone}
        self._entries = everyone
        self._claimed: dict[str, str] = {}
        self._cancelled: set[str] = set()
        self._ended: dict[str, Outcome] = {}
        self._next = 0.0

    def __len__(self) -> int:
        """Return how many are still at work, as far as is known; without what is queued."""
        return len(self._entries) - len(self._ended)

    @property
    def unclaimed(self) -> int:
        """How many belong to no set that was planned so far."""
        return len(self._unclaimed)

    def claim(self, directory: str) -> tuple[str, int] | None:
        """Take on the run of a planned set.

        Parameters
        ----------
        directory : str
            As the driver or the plan has it.

        Returns
        -------
        (str, int) or None
            The token under which :meth:`poll` will answer for it, empty when the runner has to
            adopt it, and its attempt; None when it is none of these.
        """
        if not self._unclaimed:
            return None
        name = os.path.relpath(os.path.abspath(directory), self.root)
        if name not in self._unclaimed:
            return None
        self._unclaimed.discard(name)
        if name in self._queued:
            return "", self._queued[name]
        token = f"survivor-{name}"
        self._claimed[token] = name
        return token, self._entries[name].attempt

    def poll(self) -> list[Update]:
        """Return the outcomes of claimed ones that ended; looks now and then only."""
        now = time.monotonic()
        if not self._entries or now < self._next:
            return []
        self._next = now + EVERY
        for name, entry in self._entries.items():
            if name not in self._ended and (outcome := self._look(name, entry)) is not None:
                self._ended[name] = outcome
        over = [token for token, name in self._claimed.items() if name in self._ended]
        updates = []
        for token in over:
            outcome = self._ended[self._claimed.pop(token)]
            updates.append(Update(token=token, state=outcome.state, outcome=outcome))
        return updates

    def cancel(self, tokens: Collection[str]) -> list[str]:
        """Let claimed ones of this machine end, with their grace; return the others of them."""
        far = []
        for token in tokens:
            name = self._claimed.get(token)
            if name is None:
                continue
            entry = self._entries[name]
            found = read_attempt(os.path.join(self.root, name), entry.attempt)
            if found is not None and found.held is not False:
                if found.host != machine.host_name() or not found.pid:
                    far.append(f"{name} on {found.host}")
                    continue
                self._cancelled.add(name)
                try:
                    os.kill(found.pid, signal.SIGTERM)
                except (ProcessLookupError, PermissionError):
                    pass  # its guard is cleaning up
        return far

    def _look(self, name: str, entry: Entry) -> Outcome | None:
        """Return how one ended; None while it goes on."""
        directory = os.path.join(self.root, name)
        token = read_attempt(directory, entry.attempt)
        if token is not None and lives(token, directory):
            return None
        outcome = outcome_in(token) if token is not None else None
        if outcome is not None and outcome.state is not State.LOST:
            return outcome
        end_marked(directory)
        if outcome is None:
            started = datetime.fromisoformat(entry.time).timestamp()
            outcome = Outcome(state=State.LOST, cause="lost", started=started, host=entry.host)
        if name in self._cancelled:
            text = "it was ended with its study"
            return replace(outcome, state=State.CANCELLED, cause="cancelled", message=text)
        return replace(outcome, message="it went on without its driver, and was ended from outside")


def require_no_queue(root: str | os.PathLike[str], runner: str = "") -> None:
    """Raise StudyError when runs of a root may wait in a queue, but for that of this runner.

    They would begin there beside whatever is done about them here.
    """
    under_way = read_under_way(root)
    study = read_study_file(root) if under_way else None
    if study is None or not study.keeps_jobs or study.runner == runner:
        return
    raise StudyError(
        f"{len(under_way)} run{'s' * (len(under_way) > 1)} of {os.fspath(root)!r} may wait in "
        f"the queue of the runner {study.runner!r}",
        hint=f"start the study with --runner {study.runner} first: to the end, or to stop it with "
        "Ctrl-C, twice; if that queue is gone for good, remove .soops/study.json there",
    )


def require_none(root: str | os.PathLike[str]) -> None:
    """Raise StudyError when runs of a root wait or go on without a driver."""
    require_no_queue(root)
    for entry in read_under_way(root):
        directory = os.path.join(os.path.abspath(root), entry.directory)
        token = read_attempt(directory, entry.attempt)
        if token is not None and token.survives and lives(token, directory):
            raise StudyError(
                f"the run in {directory!r} goes on without its driver",
                hint="start its study again to wait for it, or to stop it with Ctrl-C, twice",
            )


def lives(token: AttemptToken, directory: str | os.PathLike[str]) -> bool:
    """Return whether anything of an attempt is alive, as far as this machine can tell."""
    if token.held is None:
        return bool(marked_processes(Path(directory)))
    return token.held


def outcome_in(token: AttemptToken) -> Outcome | None:
    """Return the outcome that a slot left in a token; None when it left none, or no whole one."""
    if token.outcome is None:
        return None
    try:
        return outcome_of(dict(token.outcome), token.host)
    except (KeyError, TypeError, ValueError):
        return None
