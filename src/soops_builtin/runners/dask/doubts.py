"""Runs of which it is not known whether they are over: their worker was given up. For ``dask``.

A worker that has had no contact with its scheduler for the lease ends its runs. So when twice
the lease and the grace of a run have passed, nothing of it is left, whatever became of the
worker; and mostly its token says so at once. Until then neither the loss of the run is
told, nor is its next attempt handed over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from soops.api import Job, Outcome, StudyError, attempt_path, read_attempt, read_record

__all__ = ["Doubts", "remove_tokens"]

#: Seconds between two looks at tokens.
EVERY = 0.2
#: Seconds after which the person is told what the study waits for.
TELL = 5.0


@dataclass(slots=True)
class _Doubt:
    """A job of which it is too early to say that it is lost."""

    job: Job
    outcome: Outcome | None
    """How it was lost; None of a job that has not begun, and waits for earlier attempts."""
    begun: float
    limit: float


class Doubts:
    """Jobs that wait until it is known that nothing of an attempt is alive.

    Parameters
    ----------
    lease : float
        Seconds.
    say : callable
        Shows a line to the person who watches.
    """

    def __init__(self, lease: float, say: Callable[[str], None]) -> None:
        self._lease, self._say = lease, say
        self._told = False
        self._doubts: dict[str, _Doubt] = {}
        self._waited_for: set[tuple[str, int]] = set()
        self._next = 0.0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._doubts)

    def __contains__(self, token: object) -> bool:
        """Whether a job waits."""
        return token in self._doubts

    def hold(self, token: str, job: Job, outcome: Outcome | None = None) -> bool:
        """Keep a job if there is need to; return whether there is.

        Parameters
        ----------
        token : str
            Names the job.
        job : Job
            Its earlier attempts are looked at, or with an outcome itself.
        outcome : Outcome, optional
            How it was lost.
        """
        if not self._open_ends(job, outcome):
            return False
        now = time.monotonic()
        self._doubts[token] = _Doubt(job, outcome, now, now + 2 * self._lease + job.grace)
        return True

    def settled(self) -> Iterator[tuple[str, Job, Outcome | None]]:
        """Give those that need to wait no longer; looks now and then only."""
        now = time.monotonic()
        if not self._doubts or now < self._next:
            return
        self._next = now + EVERY
        for token, doubt in list(self._doubts.items()):
            open_ends = self._open_ends(doubt.job, doubt.outcome)
            if not open_ends or now > doubt.limit:
                del self._doubts[token]
                self._waited_for.update(open_ends)
                outcome = doubt.outcome
                if outcome is not None and open_ends:
                    outcome = _still(doubt.job, outcome)
                yield token, doubt.job, outcome
            elif not self._told and now > doubt.begun + TELL:
                self._told = True
                self._say(
                    f"{doubt.job.key!r} may still be at work on a worker that was given up: "
                    f"it is not begun again before that is over, for {doubt.limit - now:.0f} s "
                    "at most"
                )

    def _open_ends(self, job: Job, outcome: Outcome | None) -> list[tuple[str, int]]:
        """Return the attempts that may be alive, and were not waited for already."""
        first, last = (1, job.attempt - 1) if outcome is None else (job.attempt, job.attempt)
        return [
            (job.directory, attempt)
            for attempt in range(first, last + 1)
            # One that has left no token will find that of its successor, and not begin.
            if (job.directory, attempt) not in self._waited_for
            and (token := read_attempt(job.directory, attempt)) is not None
            and not token.over
        ]

    def has_begun(self, token: str) -> bool:
        """Whether a job that waits is lost, and not one that waits for earlier attempts."""
        return self._doubts[token].outcome is not None

    def drop(self, token: str) -> Outcome | None:
        """Let a job wait no longer; return how it was lost, or None if it has not begun."""
        return self._doubts.pop(token).outcome


def _still(job: Job, outcome: Outcome) -> Outcome:
    token = read_attempt(job.directory, job.attempt)
    if token is None or not token.held:
        return outcome
    text = f"it is out of reach on {token.host}, and goes on there"
    return replace(outcome, message=f"{outcome.message}; {text}" if outcome.message else text)


def remove_tokens(job: Job) -> None:
    """Remove what kept copies of a run apart, if its outcome is recorded."""
    try:
        if read_record(job.directory) is None:
            return
    except StudyError:
        return
    for attempt in range(1, job.attempt + 1):
        with suppress(OSError):  # gone, or with its directory
            Path(attempt_path(job.directory, attempt)).unlink()
