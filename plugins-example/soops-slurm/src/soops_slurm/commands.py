"""What is particular to Slurm: how to submit, to ask, to cancel, and what its states mean.

Nothing here knows of soops' runs. Another batch system needs another module like this one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from soops.api import RunnerError, State

__all__ = ["Busy", "Slurm", "TaskState", "meaning"]

#: Seconds that a command of Slurm may take.
PATIENCE = 60.0
#: Submissions that are refused so may be accepted later.
_LATER = re.compile(
    r"unable to contact|timed out|connection refused|communication|resource temporarily|"
    r"submitlimit|submit limit|submitjob|jobslimit|job violates accounting/qos|maxjobcount|"
    r"zero bytes were transmitted|slow down|fork",
    re.IGNORECASE,
)
#: Task ids in one command line.
AT_ONCE = 500


class Busy(Exception):
    """Slurm did not answer, or cannot take more now. Nothing is known, nothing is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """What Slurm says of a task.

    Attributes
    ----------
    name : str
        In its words: ``PENDING``, ``NODE_FAIL``.
    reason : str
        Why: ``Resources``, ``NonZeroExitCode``.
    nodes : str
        Where it is or was.
    """

    name: str
    reason: str = ""
    nodes: str = ""

    @property
    def waits(self) -> bool:
        """Whether it has not begun, or begins anew."""
        return self.name in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT")

    @property
    def ended(self) -> bool:
        """Whether nothing of it will happen any more."""
        return self.was_ended or self.name in ("COMPLETED", "FAILED")

    @property
    def was_ended(self) -> bool:
        """Whether Slurm, or somebody by it, made an end of it."""
        return self.name in _ENDS


#: State of Slurm -> state and cause of a run that it ended.
_ENDS = {
    "TIMEOUT": (State.TIMEOUT, "timeout"),
    "OUT_OF_MEMORY": (State.FAILED, "oom"),
    "CANCELLED": (State.CANCELLED, "cancelled"),
    "NODE_FAIL": (State.LOST, "node"),
    "BOOT_FAIL": (State.LOST, "node"),
    "PREEMPTED": (State.LOST, "preempted"),
    "DEADLINE": (State.LOST, "deadline"),
    "REVOKED": (State.LOST, "node"),
}


def meaning(name: str) -> tuple[State, str]:
    """Return state and cause of a run that ended because its task ended so."""
    return _ENDS.get(name, (State.LOST, "lost"))


class Slurm:
    """The commands of Slurm.

    Raises
    ------
    RunnerError
        When they are not there, or the controller does not answer.
    """

    def __init__(self) -> None:
        for name in ("sbatch", "squeue", "scancel", "scontrol"):
            if shutil.which(name) is None:
                raise RunnerError(
                    f"there is no program {name!r} on PATH",
                    hint="start soops on a login node of the cluster, or load its Slurm module",
                )
        try:
            text = self._call("scontrol", "show", "config")
        except Busy as exc:
            raise RunnerError(
                f"Slurm does not answer: {exc}", hint="try: scontrol ping; then start again"
            ) from None
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", text, re.MULTILINE)
        #: Tasks that an array can have.
        self.max_array = max(1, int(found[1]) - 1) if found else 1000

    def submit(self, script: str, words: Sequence[str]) -> str:
        """Submit a script; return the id of the job.

        Raises
        ------
        Busy
            When it may be accepted later, or was accepted without our knowing.
        RunnerError
            When it is refused, with the words of Slurm.
        """
        try:
            done = self._run(["sbatch", "--parsable", *words], script)
        except subprocess.TimeoutExpired:
            raise Busy(f"sbatch did not end within {PATIENCE:g} s") from None
        number = done.stdout.strip().splitlines()[-1:] or [""]
        job = number[0].split(";")[0]
        if done.returncode == 0 and job.isdigit():
            return job
        says = _words(done)
        if _LATER.search(says):
            raise Busy(says)
        raise RunnerError(
            f"Slurm refuses the job: {says}", hint="see the --runner-opt of partition, time, extra"
        )

    def find(self, name: str) -> str | None:
        """Return the id of the job with a name that nobody else uses; None if there is none.

        Raises
        ------
        Busy
            When Slurm does not answer.
        """
        text = self._call("squeue", "-h", "-a", "-t", "all", "-o", "%F", "--name", name)
        return next(iter(text.split()), None)

    def states(self, jobs: Iterable[str]) -> dict[tuple[str, int], TaskState]:
        """Return the states of the tasks of some jobs; those it has forgotten are not there.

        Raises
        ------
        Busy
            When Slurm does not answer.
        """
        found: dict[tuple[str, int], TaskState] = {}
        wanted = sorted(set(jobs))
        for begin in range(0, len(wanted), AT_ONCE):
            part = wanted[begin : begin + AT_ONCE]
            words = ("-h", "-r", "-a", "-t", "all", "-o", "%F|%K|%T|%N|%r", "-j", ",".join(part))
            try:
                text = self._call("squeue", *words)
            except Busy as exc:
                # Asked for one job, squeue fails when it has forgotten it.
                if "invalid job id" in str(exc).lower():
                    continue
                raise
            for line in text.splitlines():
                parsed = _parse(line)
                if parsed is not None:
                    found[parsed[0]] = parsed[1]
        return found

    def cancel(self, tasks: Iterable[tuple[str, int]], pending_only: bool = False) -> None:
        """Cancel tasks; those that have ended do not matter.

        Raises
        ------
        Busy
            When Slurm does not answer.
        """
        names = [f"{job}_{index}" for job, index in tasks]
        words = ("--state=PENDING",) if pending_only else ()
        for begin in range(0, len(names), AT_ONCE):
            try:
                self._call("scancel", "--quiet", *words, *names[begin : begin + AT_ONCE])
            except Busy as exc:
                if "invalid job id" not in str(exc).lower():
                    raise

    def _call(self, *command: str) -> str:
        try:
            done = self._run(command)
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Busy(str(exc)) from None
        if done.returncode:
            raise Busy(_words(done))
        return done.stdout

    @staticmethod
    def _run(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
        # In a session of its own: Ctrl-C is for the driver, which is to learn the id.
        return subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            start_new_session=True,
            check=False,
        )


def last_words(log: Path) -> str:
    """Return the last line of the log of a task."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""


def _parse(line: str) -> tuple[tuple[str, int], TaskState] | None:
    job, _, rest = line.partition("|")
    index, _, rest = rest.partition("|")
    name, _, rest = rest.partition("|")
    nodes, _, reason = rest.partition("|")
    if not (job.isdigit() and index.isdigit() and name):
        return None
    return (job, int(index)), TaskState(name=name, nodes=nodes, reason=reason)


def _words(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    says = "; ".join(line.split(": error: ", 1)[-1] for line in lines[:3])
    return says or f"status {done.returncode}"
