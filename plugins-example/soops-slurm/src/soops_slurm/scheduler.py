"""What the runner asks of a batch system. One small module for each knows its commands.

``slurm.py``, ``pbs.py`` and ``lsf.py`` have a :class:`Scheduler` each: how to submit, to ask, to
cancel, and what the states mean. They know nothing of runs, and nothing else knows of them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from soops.api import RunnerError, State

__all__ = ["AT_ONCE", "Busy", "Phase", "Place", "Scheduler", "TaskState", "ask", "parts"]

#: Seconds that a command may take.
PATIENCE = 60.0
#: Seconds that a submission may take. It is tried again then, and looked for first: sbatch itself
#: tries for two minutes when the queue is full, and nobody would be listened to meanwhile.
SUBMIT_PATIENCE = 20.0
#: Tasks in one command line.
AT_ONCE = 500

#: A task: the job that it is of, and its number there, from 0.
Place = tuple[str, int]
_T = TypeVar("_T")


class Busy(Exception):
    """It did not answer, or cannot take more now. Nothing is known, nothing is lost."""


class Phase(StrEnum):
    """How far a task is."""

    WAITS = "waits"  # it has not begun, or begins anew
    RUNS = "runs"
    DONE = "done"  # it came to its end by itself, and well
    FAILED = "failed"  # it came to its end by itself, with another exit code than 0
    ENDED = "ended"  # the scheduler, or somebody by it, made an end of it


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """What a scheduler says of a task.

    Attributes
    ----------
    name : str
        In its words: ``PENDING``, ``NODE_FAIL``.
    phase : Phase
        What that means.
    nodes : str
        Where it is or was; empty if it never began.
    kind, cause : State, str
        Of a run that ended because its task was made to end.
    """

    name: str
    phase: Phase
    nodes: str = ""
    kind: State = State.LOST
    cause: str = "lost"

    @property
    def waits(self) -> bool:
        """Whether it has not begun, or begins anew."""
        return self.phase is Phase.WAITS

    @property
    def ended(self) -> bool:
        """Whether nothing of it will happen any more."""
        return self.phase not in (Phase.WAITS, Phase.RUNS)

    @property
    def was_ended(self) -> bool:
        """Whether the scheduler, or somebody by it, made an end of it."""
        return self.phase is Phase.ENDED

    @property
    def was_cancelled(self) -> bool:
        """Whether somebody took it out of the queue."""
        return self.was_ended and self.kind is State.CANCELLED


class Scheduler(Protocol):
    """The commands of a batch system.

    Making one asks it a first question, and raises :class:`soops.api.RunnerError` when its
    programs are not there or it does not answer.

    Attributes
    ----------
    title : str
        What it is called in messages.
    index : str
        A word of the batch script: the number of the task, from 0.
    max_array : int
        Tasks that an array can have.
    logs : bool
        Whether :meth:`words` send what a script prints to ``log-N.txt``; else the script does.
    """

    title: str
    index: str
    max_array: int
    logs: bool

    def words(
        self, name: str, directory: str, tasks: int, at_once: int = 0, after: str = ""
    ) -> list[str]:
        """Return the options of a submission that make an array of tasks in a directory.

        ``at_once`` of them run at once, if it is not 0, and none before the job ``after`` ends.
        """
        ...

    def submit(self, script: str, words: Sequence[str]) -> str:
        """Submit a script; return the id of the job.

        Raises
        ------
        Busy
            When it may be accepted later, or was accepted without our knowing.
        RunnerError
            When it is refused, with the words of the scheduler.
        """
        ...

    def find(self, name: str) -> str | None:
        """Return the id of the job with a name that nobody else uses; None if there is none.

        Raises
        ------
        Busy
            When it does not answer.
        """
        ...

    def states(self, jobs: Iterable[str]) -> Mapping[Place, TaskState]:
        """Return the states of the tasks of some jobs; those it has forgotten are not there.

        Raises
        ------
        Busy
            When it does not answer.
        """
        ...

    def cancel(self, tasks: Iterable[Place], pending_only: bool = False) -> None:
        """Cancel tasks; those that have ended do not matter.

        Raises
        ------
        Busy
            When it does not answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What went wrong, in one line."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        says = "; ".join(line.split(": error: ", 1)[-1] for line in lines[:3])
        return says or f"status {self.code}"


def ask(*command: str, text: str = "", seconds: float = PATIENCE) -> Answer:
    """Call a program of a batch system.

    Raises
    ------
    Busy
        When it cannot be called, or does not end in time.
    """
    try:
        # In a session of its own: Ctrl-C is for the driver, which is to learn the id.
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Busy(f"{command[0]} did not end within {seconds:g} s") from None
    except OSError as exc:
        raise Busy(str(exc)) from None
    return Answer(code=done.returncode, out=done.stdout, err=done.stderr)


def accepted(command: Sequence[str], script: str, title: str, later: re.Pattern[str]) -> str:
    """Submit a script; return what was printed.

    Raises
    ------
    Busy
        When what it says is that of ``later``.
    RunnerError
        When it refuses.
    """
    done = ask(*command, text=script, seconds=SUBMIT_PATIENCE)
    if done.code == 0:
        return done.out
    if later.search(done.words):
        raise Busy(done.words)
    raise refused(title, done.words)


def refused(title: str, says: str) -> RunnerError:
    """Return the error of a job that is not taken."""
    return RunnerError(
        f"{title} refuses the job: {says}",
        hint="see the --runner-opt of queue or partition, time, extra",
    )


def first_question(title: str, programs: Sequence[str], *command: str) -> str:
    """Return the answer to the first question.

    Raises
    ------
    RunnerError
        When the programs are not there, or the scheduler does not answer.
    """
    for name in programs:
        if shutil.which(name) is None:
            raise RunnerError(
                f"there is no program {name!r} on PATH",
                hint=f"start soops on a login node of the cluster, or load its {title} module",
            )
    try:
        done = ask(*command)
        if done.code:
            raise Busy(done.words)
    except Busy as exc:
        raise RunnerError(
            f"{title} does not answer: {exc}", hint=f"try: {' '.join(command)}; then start again"
        ) from None
    return done.out


def parts(things: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Give as many at a time as a command line takes."""
    for begin in range(0, len(things), AT_ONCE):
        yield things[begin : begin + AT_ONCE]


def still_waiting(
    tasks: Iterable[Place], states: Callable[[Iterable[str]], Mapping[Place, TaskState]]
) -> list[Place]:
    """Return those tasks that wait, for a scheduler that cannot cancel only these."""
    wanted = list(tasks)
    found = states({job for job, _ in wanted})
    return [task for task in wanted if task in found and found[task].waits]
