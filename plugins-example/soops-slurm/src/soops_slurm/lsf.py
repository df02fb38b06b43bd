"""LSF: ``bsub``, ``bjobs``, ``bkill``. The tasks of its arrays are counted from 1."""

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
    still_waiting,
)

__all__ = ["Lsf", "read_states"]

_LATER = re.compile(
    r"lsf is down|cannot connect|please wait|timed? ?out|limit reached|threshold reached|"
    r"communication|temporarily|try again|lim is down|mbatchd is down|batch daemon",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"is not found|no matching job|job has already finished", re.IGNORECASE)
_ACCEPTED = re.compile(r"^Job <(\d+)> is submitted", re.MULTILINE)
_FORMAT = "jobid jobindex stat exit_code exit_reason exec_host delimiter='|'"
_WAITS = ("PEND", "PSUSP", "WAIT", "PROV")
#: Why LSF made an end of a task -> state and cause of its runs.
_ENDS = {
    "TERM_RUNLIMIT": (State.TIMEOUT, "timeout"),
    "TERM_CPULIMIT": (State.TIMEOUT, "timeout"),
    "TERM_DEADLINE": (State.LOST, "deadline"),
    "TERM_WINDOW": (State.LOST, "deadline"),
    "TERM_MEMLIMIT": (State.FAILED, "oom"),
    "TERM_SWAP": (State.FAILED, "oom"),
    "TERM_PROCESSLIMIT": (State.FAILED, "limit"),
    "TERM_THREADLIMIT": (State.FAILED, "limit"),
    "TERM_OWNER": (State.CANCELLED, "cancelled"),
    "TERM_ADMIN": (State.CANCELLED, "cancelled"),
    "TERM_FORCE_OWNER": (State.CANCELLED, "cancelled"),
    "TERM_FORCE_ADMIN": (State.CANCELLED, "cancelled"),
    "TERM_BUCKET_KILL": (State.CANCELLED, "cancelled"),
    "TERM_PREEMPT": (State.LOST, "preempted"),
    "TERM_LOAD": (State.LOST, "preempted"),
    "TERM_RC": (State.LOST, "preempted"),
    "TERM_EXTERNAL_SIGNAL": (State.LOST, "lost"),
}


class Lsf:
    """The commands of LSF; see :class:`soops_slurm.scheduler.Scheduler`."""

    title = "LSF"
    index = "$((LSB_JOBINDEX - 1))"
    logs = False

    def __init__(self) -> None:
        programs = ("bsub", "bjobs", "bkill", "bparams")
        text = first_question(self.title, programs, "bparams", "-a")
        found = re.search(r"MAX_JOB_ARRAY_SIZE\s*=\s*(\d+)", text)
        self.max_array = max(1, int(found[1])) if found else 1000

    def words(
        self, name: str, directory: str, tasks: int, at_once: int = 0, after: str = ""
    ) -> list[str]:
        """Return the options of ``bsub`` for an array."""
        output = ["-o", "/dev/null", "-e", "/dev/null"]  # else it sends everything by mail
        limit = f"%{at_once}" if at_once else ""
        later = ["-w", f"ended({after})"] if after else []
        return ["-J", f"{name}[1-{tasks}]{limit}", *later, "-cwd", directory, *output]

    def submit(self, script: str, words: Sequence[str]) -> str:
        """Submit a script; return the id of the job."""
        out = accepted(["bsub", *words], script, self.title, _LATER)
        found = _ACCEPTED.search(out)
        if found is None:
            raise refused(self.title, out.strip() or "it gives no id")
        return found[1]

    def find(self, name: str) -> str | None:
        """Return the id of the job with this name."""
        text = self._call("-J", name)
        return next((line.split("|")[0] for line in text.splitlines() if "|" in line), None)

    def states(self, jobs: Iterable[str]) -> dict[Place, TaskState]:
        """Return the states of the tasks of these jobs."""
        found: dict[Place, TaskState] = {}
        for part in parts(sorted(set(jobs))):
            found.update(read_states(self._call(*part)))
        return found

    def cancel(self, tasks: Iterable[Place], pending_only: bool = False) -> None:
        """Cancel tasks; a task that begins between question and ``bkill`` is ended, too."""
        wanted = still_waiting(tasks, self.states) if pending_only else tasks
        for part in parts([f"{job}[{index + 1}]" for job, index in wanted]):
            done = ask("bkill", *part)
            if done.code and not _UNKNOWN.search(done.err):
                raise Busy(done.words)

    @staticmethod
    def _call(*words: str) -> str:
        done = ask("bjobs", "-a", "-noheader", "-o", _FORMAT, *words)
        # It fails when one of the jobs is forgotten, and prints the others all the same.
        if done.code and not _UNKNOWN.search(done.err):
            raise Busy(done.words)
        return done.out


def read_states(text: str) -> dict[Place, TaskState]:
    """Read what ``bjobs -noheader -o`` prints, one line a task."""
    found = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 6 and fields[0].isdigit() and fields[1].isdigit():
            job, index, *rest = fields
            found[job, max(0, int(index) - 1)] = _state(*rest)
    return found


def _state(stat: str, code: str, reason: str, host: str) -> TaskState:
    nodes = "" if host == "-" else host.split(":")[0].rpartition("*")[2]
    if stat in _WAITS:
        return TaskState(name=stat, phase=Phase.WAITS)
    if stat == "DONE":
        return TaskState(name=stat, phase=Phase.DONE, nodes=nodes)
    # ZOMBI: ended while its host did not answer. UNKWN: that host may come back.
    if stat == "ZOMBI":
        return _ended(stat, nodes, State.LOST, "node")
    if stat != "EXIT":  # RUN, USUSP, SSUSP, UNKWN
        return TaskState(name=stat, phase=Phase.RUNS, nodes=nodes)
    found = re.match(r"TERM_\w+", reason)
    if found:
        return _ended(found[0], nodes, *_ENDS.get(found[0], (State.LOST, "node")))
    if not nodes:
        return _ended(stat, nodes, State.CANCELLED, "cancelled")
    return TaskState(name=f"EXIT {code}", phase=Phase.FAILED, nodes=nodes)


def _ended(name: str, nodes: str, kind: State, cause: str) -> TaskState:
    return TaskState(name=name, phase=Phase.ENDED, nodes=nodes, kind=kind, cause=cause)
