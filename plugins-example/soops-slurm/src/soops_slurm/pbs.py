"""PBS Professional and OpenPBS: ``qsub``, ``qstat``, ``qselect``, ``qdel``.

An array has two tasks at least; a single task is a plain job. Ended jobs are known as long as the
server keeps their history (``job_history_enable``); without one, the files tell what came of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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
    still_waiting,
)

__all__ = ["Pbs", "read_states"]

_LATER = re.compile(
    r"cannot connect|connection refused|timed? ?out|would exceed|maximum number of jobs|"
    r"no free connections|communication|temporarily|busy|try again",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"unknown job|has finished|invalid state for job", re.IGNORECASE)
_ID = re.compile(r"^(\d+)(\[(\d*)\])?(\..*)?$")
#: Characters of a name that all versions take.
NAME = 15
#: What the server notes when it ends a job for a limit.
_LIMITS = {
    -24: (State.FAILED, "limit"),
    -25: (State.FAILED, "limit"),
    -26: (State.FAILED, "oom"),
    -27: (State.FAILED, "oom"),
    -28: (State.TIMEOUT, "timeout"),
    -29: (State.TIMEOUT, "timeout"),
}
#: ``substate`` of a job in the history that was deleted.
_DELETED = 91


class Pbs:
    """The commands of PBS; see :class:`soops_slurm.scheduler.Scheduler`."""

    title = "PBS"
    index = '"${PBS_ARRAY_INDEX:-0}"'
    logs = False

    def __init__(self) -> None:
        programs = ("qsub", "qstat", "qselect", "qdel")
        text = first_question(self.title, programs, "qstat", "-B", "-f")
        found = re.search(r"^\s*max_array_size\s*=\s*(\d+)", text, re.MULTILINE)
        self.max_array = max(1, int(found[1])) if found else 1000

    def words(
        self, name: str, directory: str, tasks: int, at_once: int = 0, after: str = ""
    ) -> list[str]:
        """Return the options of ``qsub`` for an array."""
        limit = f"%{at_once}" if at_once else ""
        array = ["-J", f"0-{tasks - 1}{limit}"] if tasks > 1 else []
        later = ["-W", f"depend=afterany:{after}"] if after else []
        return [
            *array,
            *later,
            "-N",
            _name(name),
            "-S",
            "/bin/bash",
            "-o",
            "/dev/null",
            "-e",
            "/dev/null",
        ]

    def submit(self, script: str, words: Sequence[str]) -> str:
        """Submit a script; return the id of the job."""
        out = accepted(["qsub", *words], script, self.title, _LATER)
        job = (out.split() or [""])[-1]
        if not _ID.match(job):
            raise refused(self.title, out.strip() or "it gives no id")
        return job

    def find(self, name: str) -> str | None:
        """Return the id of the job with this name."""
        done = ask("qselect", "-x", "-N", _name(name))
        if done.code:
            raise Busy(done.words)
        return next(iter(done.out.split()), None)

    def states(self, jobs: Iterable[str]) -> dict[Place, TaskState]:
        """Return the states of the tasks of these jobs."""
        found: dict[Place, TaskState] = {}
        wanted = sorted(set(jobs))
        for part in parts(wanted):
            done = ask("qstat", "-x", "-t", "-f", "-F", "json", *part)
            # It fails when one of the jobs is forgotten, and prints the others all the same.
            if done.code and not _UNKNOWN.search(done.err):
                raise Busy(done.words)
            try:
                found.update(read_states(done.out, part))
            except (ValueError, AttributeError, TypeError):
                raise Busy(f"qstat prints no JSON: {done.out[:60]!r}") from None
        return found

    def cancel(self, tasks: Iterable[Place], pending_only: bool = False) -> None:
        """Cancel tasks; a task that begins between question and ``qdel`` is ended, too."""
        wanted = still_waiting(tasks, self.states) if pending_only else tasks
        for part in parts([_subjob(job, index) for job, index in wanted]):
            done = ask("qdel", *part)
            if done.code and not _UNKNOWN.search(done.err):
                raise Busy(done.words)


def read_states(text: str, jobs: Sequence[str]) -> dict[Place, TaskState]:
    """Read what ``qstat -x -t -f -F json`` prints; the arrays themselves are left out.

    Raises
    ------
    ValueError
        When it is no JSON.
    """
    if not text.strip():
        return {}
    names = {_number(job): job for job in jobs}
    found = {}
    for name, attributes in json.loads(text).get("Jobs", {}).items():
        match = _ID.match(name)
        if match is None or match[1] not in names or match[3] == "":
            continue
        job = names[match[1]]
        found[job, int(match[3] or 0)] = _state(attributes)
    return found


def _state(attributes: Mapping[str, Any]) -> TaskState:
    letter = str(attributes.get("job_state", ""))
    nodes = str(attributes.get("exec_host", "")).split("/")[0]
    if letter in ("Q", "H", "W", "T", "M"):
        return TaskState(name=letter, phase=Phase.WAITS)
    if letter not in ("F", "X"):  # R, E: exiting, S, U: suspended
        return TaskState(name=letter, phase=Phase.RUNS, nodes=nodes)
    if str(attributes.get("substate")) == str(_DELETED):
        return _ended("deleted", nodes, State.CANCELLED, "cancelled")
    code = attributes.get("Exit_status")
    if code is None:
        return _ended("finished without an exit status", nodes, State.LOST, "node")
    code = int(code)
    name = f"Exit_status={code}"
    if code == 0 or 0 < code < 256:
        return TaskState(name=name, phase=Phase.FAILED if code else Phase.DONE, nodes=nodes)
    if code in _LIMITS:
        return _ended(name, nodes, *_LIMITS[code])
    if code < 0:
        return _ended(name, nodes, State.LOST, "node")
    # 256 and the number of the signal that ended it. Nobody but PBS signals the batch script.
    return _signalled(attributes, name, nodes)


def _signalled(attributes: Mapping[str, Any], name: str, nodes: str) -> TaskState:
    says = str(attributes.get("comment", "")).lower()
    if "walltime" in says:
        return _ended(name, nodes, State.TIMEOUT, "timeout")
    if re.search(r"\bv?mem\b|memory", says):
        return _ended(name, nodes, State.FAILED, "oom")
    if "preempt" in says:
        return _ended(name, nodes, State.LOST, "preempted")
    return _ended(name, nodes, State.CANCELLED, "cancelled")


def _ended(name: str, nodes: str, kind: State, cause: str) -> TaskState:
    return TaskState(name=name, phase=Phase.ENDED, nodes=nodes, kind=kind, cause=cause)


def _name(name: str) -> str:
    return "s" + name.rpartition("-")[2][: NAME - 1]


def _number(job: str) -> str:
    match = _ID.match(job)
    return match[1] if match is not None else job


def _subjob(job: str, index: int) -> str:
    return job.replace("[]", f"[{index}]")
