"""How a run ended whose task is over: what its directory says first, then the scheduler."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from soops.api import (
    Job,
    Outcome,
    RunnerError,
    State,
    StudyError,
    attempt_path,
    read_attempt,
    read_record,
)
from soops_slurm.batch import ENDING
from soops_slurm.scheduler import TaskState
from soops_slurm.spool import Array, last_words

__all__ = [
    "NOT_STARTED",
    "explained",
    "has_begun",
    "left_outcome",
    "remove_tokens",
    "unfit",
    "vanished",
]

NOT_STARTED = Outcome(state=State.CANCELLED, cause="cancelled", message="it was not started")


def has_begun(job: Job) -> bool:
    """Return whether a slot has made the token of an attempt."""
    return read_attempt(job.directory, job.attempt) is not None


def left_outcome(job: Job, state: TaskState | None) -> Outcome | None:
    """Return the outcome that a slot left in the token of an attempt.

    A run that the scheduler signalled itself is LOST, as one that the slot ended would be.
    """
    token = read_attempt(job.directory, job.attempt)
    if token is None or token.outcome is None:
        return None
    fields = {name: value for name, value in token.outcome.items() if name in _PLAIN}
    with suppress(TypeError, ValueError):
        outcome = Outcome(**{**fields, "state": State(fields["state"]), "host": token.host})
        if outcome.signal in ENDING and state is not None and state.was_ended:
            outcome = replace(outcome, state=State.LOST, cause="lost")
        return outcome
    return None


_PLAIN = ("state", "cause", "returncode", "signal", "started", "ended", "elapsed", "message")


def explained(outcome: Outcome, state: TaskState | None, cancelled: bool) -> Outcome:
    """Return the outcome of a run that was made to end, with the reason of it.

    Parameters
    ----------
    outcome : Outcome
        LOST, as the slot has it.
    state : TaskState, optional
        What the scheduler says of the task; None when it has forgotten it.
    cancelled : bool
        Whether the driver wanted it to end.
    """
    if cancelled:
        return replace(outcome, state=State.CANCELLED, cause="cancelled", message="")
    if state is None or not state.was_ended:
        return outcome
    text = f"its task was ended: {state.name}"
    return replace(outcome, state=state.kind, cause=state.cause, message=text)


def vanished(job: Job, state: TaskState | None) -> Outcome:
    """Return the outcome of a run that began, and of whose end nobody has told."""
    token = read_attempt(job.directory, job.attempt)
    host = token.host if token is not None else ""
    try:
        started = Path(attempt_path(job.directory, job.attempt)).stat().st_mtime
    except OSError:
        started = time.time()
    says = f"its task: {state.name}" if state is not None else "its task is forgotten"
    outcome = Outcome(
        state=State.LOST, cause="lost", started=started, host=host, message=f"no outcome; {says}"
    )
    ended = state is not None and state.was_ended
    return explained(outcome, state if ended else None, False)


def unfit(array: Array, task: int, state: TaskState) -> RunnerError:
    """Return the error of a batch script that came to its end before it told anything."""
    says = last_words(array.directory / f"log-{task}.txt")
    where = state.nodes or "a node"
    return RunnerError(
        f"the batch script failed on {where}: "
        + (says or f"it does not see {str(array.directory)!r}"),
        hint="nodes need the directory of the study, and the Python of soops, at the same paths; "
        "see --runner-opt python and setup",
    )


def remove_tokens(job: Job) -> None:
    """Remove what keeps copies of a run apart, if its outcome is recorded: then that does."""
    try:
        record = read_record(job.directory)
    except StudyError:
        return
    if record is None or record.state is State.LOST:
        return
    for attempt in range(1, job.attempt + 1):
        with suppress(OSError):
            Path(attempt_path(job.directory, attempt)).unlink()
