"""Slurm: ``sbatch``, ``squeue``, ``scancel``, and what its states mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from soops.api import State
from soops_slurm.scheduler import (
    Busy,
    Phase,
    Place,
    TaskState,
    accepted,
    ask,
    first_question,
    parts,
    refused,
)

__all__ = ["Slurm", "meaning"]

#: Submissions that are refused so may be accepted later.
_LATER = re.compile(
    r"unable to contact|timed out|connection refused|communication|temporarily unable|"
    r"resource temporarily|"
    r"submitlimit|submit limit|submitjob|jobslimit|job violates accounting/qos|maxjobcount|"
    r"zero bytes were transmitted|slow down|fork",
    re.IGNORECASE,
)
_WAITS = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT")
#: State -> state and cause of a run that ended because its task was made to end so.
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


def meaning(name: str, nodes: str = "") -> TaskState:
    """Return what a state of Slurm means; one that is not known is taken for a running one."""
    if name in _ENDS:
        kind, cause = _ENDS[name]
        return TaskState(name=name, phase=Phase.ENDED, nodes=nodes, kind=kind, cause=cause)
    own = {"COMPLETED": Phase.DONE, "FAILED": Phase.FAILED}
    phase = Phase.WAITS if name in _WAITS else own.get(name, Phase.RUNS)
    return TaskState(name=name, phase=phase, nodes=nodes)


class Slurm:
    """The commands of Slurm; see :class:`soops_slurm.scheduler.Scheduler`."""

    title = "Slurm"
    index = '"$SLURM_ARRAY_TASK_ID"'
    logs = True

    def __init__(self) -> None:
        programs = ("sbatch", "squeue", "scancel", "scontrol")
        text = first_question(self.title, programs, "scontrol", "show", "config")
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", text, re.MULTILINE)
        self.max_array = max(1, int(found[1]) - 1) if found else 1000

    def words(
        self, name: str, directory: str, tasks: int, at_once: int = 0, after: str = ""
    ) -> list[str]:
        """Return the options of ``sbatch`` for an array."""
        return [
            f"--array=0-{tasks - 1}" + (f"%{at_once}" if at_once else ""),
            *([f"--dependency=afterany:{after}"] if after else []),
            f"--job-name={name}",
            f"--chdir={directory}",
            "--output=log-%a.txt",
        ]

    def submit(self, script: str, words: Sequence[str]) -> str:
        """Submit a script; return the id of the job."""
        out = accepted(["sbatch", "--parsable", *words], script, self.title, _LATER)
        job = (out.strip().splitlines()[-1:] or [""])[0].split(";")[0]
        if not job.isdigit():
            raise refused(self.title, out.strip() or "it gives no id")
        return job

    def find(self, name: str) -> str | None:
        """Return the id of the job with this name."""
        text = self._call("squeue", "-h", "-a", "-t", "all", "-o", "%F", "--name", name)
        return next(iter(text.split()), None)

    def states(self, jobs: Iterable[str]) -> dict[Place, TaskState]:
        """Return the states of the tasks of these jobs."""
        found: dict[Place, TaskState] = {}
        for part in parts(sorted(set(jobs))):
            words = ("-h", "-r", "-a", "-t", "all", "-o", "%F|%K|%T|%N", "-j", ",".join(part))
            try:
                text = self._call("squeue", *words)
            except Busy as exc:
                # Asked for one job, squeue fails when it has forgotten it.
                if "invalid job id" in str(exc).lower():
                    continue
                raise
            for line in text.splitlines():
                job, index, name, nodes = (*line.split("|"), "", "", "", "")[:4]
                if job.isdigit() and index.isdigit() and name:
                    found[job, int(index)] = meaning(name, nodes)
        return found

    def cancel(self, tasks: Iterable[Place], pending_only: bool = False) -> None:
        """Cancel tasks."""
        words = ("--state=PENDING",) if pending_only else ()
        for part in parts([f"{job}_{index}" for job, index in tasks]):
            try:
                self._call("scancel", "--quiet", *words, *part)
            except Busy as exc:
                if "invalid job id" not in str(exc).lower():
                    raise

    @staticmethod
    def _call(*command: str) -> str:
        done = ask(*command)
        if done.code:
            raise Busy(done.words)
        return done.out
