"""One run: its start, the wait for its end, the end of whatever it left, and what it cost."""

from __future__ import annotations

import math
import os
import signal
import time

from .command import diagnose
from .marks import MARK
from .means import Means
from .processes import (
    KILL_LIMIT,
    RSS_UNIT,
    children,
    children_cpu,
    descendants,
    kill_descendants,
    own_peak,
    send,
)
from .streams import Pump, arrange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .command import Spawn
    from .line import Line
    from .processes import Entry, Safe

#: Seconds that processes left by a run get to end by themselves: ``prog > >(tee log)``.
SETTLE = 0.2
#: A run that lasts longer than this many seconds is announced with its pid.
ANNOUNCE = 0.1


class Supervisor:
    """Runs one job after the other.

    Parameters
    ----------
    line : Line
        The line to the driver, and what to wait with.
    safe : Safe, optional
        What the slot shares with its guard. With it every descendant of a run can be found;
        without it the process group must do.
    start : callable
        Starts the main process of a job.
    means : Means, optional
        What else that needs.
    """

    def __init__(
        self, line: Line, safe: Safe | None, start: Spawn, means: Means | None = None
    ) -> None:
        self.line, self.safe, self.start = line, safe, start
        self.means = Means() if means is None else means
        self.keep = self.means.keep
        self.tree = safe is not None
        self.host = os.uname().nodename
        self.env = dict(os.environb)
        self.stuck: set[int] = set()
        #: Whether nobody is left: so nobody can come back before the next start.
        self.childless = False
        self.pumps: dict[int, Pump] = {}
        self.cpu = children_cpu()
        self.floor = own_peak()
        self._begin()

    def run(self, job: Mapping[str, Any], claim: str | None = None) -> Mapping[str, Any]:
        """Run one job to its end and return the fields of its outcome.

        Parameters
        ----------
        job : mapping
            The fields of a ``Job``.
        claim : str, optional
            Names the submission when the worker is one that its scheduler may give up.
        """
        if claim is None:
            return self._run(job)
        from .attempt import Attempt

        attempt = Attempt(self.line, self.safe, job, claim)
        known = attempt.begin(self.host)
        if known is not None:
            return known
        outcome = self._run(job)
        attempt.end(outcome)
        return outcome

    def idle(self) -> None:
        """Wait for the next job."""
        self.line.wait(None)
        self._reap()

    def _begin(self) -> None:
        self.main = 0
        self.status: int | None = None
        self.peak = self.largest = self.tree_peak = 0
        self.seen: dict[int, float] = {}
        self.started, self.begun, self.ended = time.time(), time.monotonic(), 0.0

    def _run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        self._begin()
        env = dict(self.env)
        try:
            for name, value in job.get("env", {}).items():
                env[os.fsencode(name)] = os.fsencode(value)
            env[os.fsencode(MARK)] = os.fsencode(f"{job['directory']}#{job['attempt']}")
            os.chdir(job["cwd"])
            self.childless = False
            self._prepare(job, env)
            self.main = self.start(job, arrange(job, self.pumps), env)
        except (OSError, ValueError, TypeError) as exc:
            self._finish_pumps()
            cause, message = diagnose(job, exc, env)
            # Out of processes or memory is the trouble of the machine: worth another attempt.
            state = "lost" if isinstance(exc, (BlockingIOError, MemoryError)) else "failed"
            outcome = {"state": state, "cause": cause, "message": message, "elapsed": 0.0}
            return {**outcome, "started": self.started, "ended": self.started}
        for fd, pump in self.pumps.items():
            pump.started()
            self.line.watch(fd, pump.carry)
        reason = self._watch(job)
        if not reason:
            self._await_end(SETTLE)
        left = self._end(job.get("grace", 5.0))
        return self._outcome(job, reason, left)

    def _prepare(self, job: Mapping[str, Any], env: Mapping[bytes, bytes]) -> None:
        self.means.prepare(job, env)
        self.started, self.begun = time.time(), time.monotonic()
        self.cpu = children_cpu()

    # --- waiting

    def _watch(self, job: Mapping[str, Any]) -> str:
        """Wait for the end of the main process, or for a reason to end it."""
        timeout, sample = job.get("timeout"), job.get("sample", 0.0)
        deadline = math.inf if timeout is None else self.begun + timeout
        announce = self.begun + ANNOUNCE
        sampling = self.begun + min(sample, ANNOUNCE) if sample > 0 and self.tree else math.inf
        now = self.begun
        while True:
            self.line.wait(min(deadline, announce, sampling, self.line.expires) - now)
            self._reap()
            if self.status is not None:
                return ""
            if self.line.cancelled:
                return "cancelled"
            if self.line.stop or self.line.expired:
                return "lost"
            now = time.monotonic()
            if now >= deadline:
                return "timeout"
            if now >= announce:
                self.line.tell(token=self.line.token, pid=self.main)
                announce = math.inf
            if now >= sampling:
                self._sample()
                sampling = now + sample

    def _reap(self) -> bool:
        """Collect the children that ended; return whether any is left."""
        while not self.childless:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self.childless = True
                break
            if not pid:
                return True
            if pid in self.keep:
                self.keep.remove(pid)
                self.cpu += usage.ru_utime + usage.ru_stime
                continue
            self.peak = max(self.peak, usage.ru_maxrss * RSS_UNIT)
            if pid == self.main:
                self.status, self.ended = status, time.monotonic()
        return False

    def _sample(self) -> None:
        members = self._members()
        for pid, entry in members.items():
            self.seen[pid] = entry[3]
        sizes = [entry[4] for entry in members.values()]
        self.tree_peak = max(self.tree_peak, sum(sizes))
        self.largest = max(self.largest, max(sizes, default=0))

    # --- ending

    def _members(self) -> dict[int, Entry]:
        if self.tree:
            found = descendants(os.getpid())
            return {pid: entry for pid, entry in found.items() if pid not in self.keep}
        return {self.main: (os.getpid(), self.main, self.main, 0.0, 0)}

    def _alive(self) -> bool:
        """Return whether anything is left of the run, as far as this system can tell."""
        left = self._reap()
        if self.tree:
            if left and self.keep:
                left = not children(os.getpid()) <= self.keep
            return left and not (self.stuck and self._members().keys() <= self.stuck)
        if left or not self.main:
            return left
        try:
            os.killpg(self.main, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _await_end(self, seconds: float) -> bool:
        """Return whether the run ended in time."""
        limit = time.monotonic() + seconds
        while self._alive():
            now = time.monotonic()
            if now >= limit or self.line.hurry:
                return False
            # Members of a group that are nobody's children here end without a signal.
            self.line.wait(limit - now if self.tree else min(limit - now, 0.02))
        return True

    def _end(self, grace: float) -> int:
        """End whatever is left of the run; return how many processes there were."""
        if not self._alive():
            return 0
        # The main process first: a shell that sees its child end before it is told to end itself
        # exits with 143, and does not seem to have been ended by a signal.
        members = sorted(self._members().keys() - self.stuck, key=lambda pid: pid != self.main)
        how = os.kill if self.tree else os.killpg
        for number in (signal.SIGTERM, signal.SIGCONT):
            for pid in members:
                send(how, pid, number)
        if not self._await_end(grace):
            if not self.tree:
                send(os.killpg, self.main, signal.SIGKILL)
                self._await_end(KILL_LIMIT)
            elif not kill_descendants(os.getpid(), self._alive, self.line.wait, self.keep):
                self.stuck |= self._members().keys()
        return len(members) or 1  # a chain of forks can hide from one look

    # --- words and figures

    def _outcome(self, job: Mapping[str, Any], reason: str, left: int) -> dict[str, Any]:
        cpu = children_cpu()
        outcome: dict[str, Any] = {
            "state": reason or "failed",
            "cause": reason,
            "started": self.started,
            "ended": max(time.time(), self.started),
            "elapsed": (self.ended or time.monotonic()) - self.begun,
            "cpu_time": max(cpu - self.cpu, sum(self.seen.values())),
            "max_rss": self._max_rss(),
            "tree_rss": self.tree_peak or None,
        }
        self.cpu = cpu
        if self.status is not None:
            code = outcome["returncode"] = os.waitstatus_to_exitcode(self.status)
            if code < 0:
                outcome["signal"] = _signal_name(-code)
            if not reason:
                outcome["cause"] = "signal" if code < 0 else "exit"
                outcome["state"] = "done" if code == 0 else "failed"
        says = self._finish_pumps()
        if says and outcome["state"] == "done" and self.broken_output:
            outcome.update(state="failed", cause="output")
        if reason == "timeout":
            says.insert(0, f"no end within {job['timeout']:g} s")
        elif reason == "lost":
            says.insert(0, _why_lost(self.line.expired))
        elif not reason and left:
            who = "1 process was" if left == 1 else f"{left} processes were"
            says.append(f"{who} left behind and ended")
        if self.stuck:
            says.append(f"processes that could not be ended: {sorted(self.stuck)}")
        says += self.means.notes
        self.means.notes.clear()
        outcome["message"] = "; ".join(says)
        return outcome

    def _finish_pumps(self) -> list[str]:
        self.broken_output = False
        says = []
        for fd, pump in self.pumps.items():
            self.line.forget(fd)
            text = pump.finish()
            self.broken_output |= bool(pump.error)
            if text:
                says.append(text)
        self.pumps.clear()
        return says

    def _max_rss(self) -> int | None:
        """Return the largest process; None when it cannot be told from the slot itself.

        A process starts with the peak of its parent, so nothing below that can be known
        from the outside, except by a sample.
        """
        if self.peak > self.floor:
            self.floor = own_peak()
        return self.peak if self.peak > self.floor else self.largest or None


def _why_lost(expired: bool) -> str:
    if expired:
        return "ended by its slot, whose lease nobody renewed"
    return "its slot had to end: its driver or worker went away"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
