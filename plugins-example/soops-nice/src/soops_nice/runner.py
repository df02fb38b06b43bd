"""The runner ``nice``: slots of this machine with a low priority and a CPU of their own.

A slot is a small process that runs one job at a time; it knows of timeouts, output files
and leftover processes. What it starts inherits its priority and its CPU, so a runner has
to say these things only once for each slot.
"""

from __future__ import annotations

import itertools
import os
import select
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from soops.api import (
    Job,
    Outcome,
    RunnerError,
    RunnerSetup,
    Slot,
    State,
    Update,
    UsageError,
    Watch,
)

__all__ = ["NiceOptions", "NiceRunner"]

#: Seconds in which a new slot must say that it is there.
PATIENCE = 20.0
LOWEST = 19

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NiceOptions:
    """What ``--runner-opt`` takes.

    Attributes
    ----------
    niceness : int
        Added to the niceness of soops-run; 0 to 19.
    pin : bool
        Bind each worker to one CPU, so that no run is moved from one to another.
    """

    niceness: int = 10
    pin: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.niceness <= LOWEST:
            raise ValueError(f"niceness must be 0 to {LOWEST}, not {self.niceness}")


class NiceRunner:
    """Runs jobs in ``setup.n_workers`` slots, one job in a slot at a time.

    Parameters
    ----------
    setup : RunnerSetup
        Its ``n_workers`` and ``options``.

    Raises
    ------
    UsageError
        When workers are to be pinned and there are too few CPUs, or none can be chosen.
    """

    def __init__(self, setup: RunnerSetup) -> None:
        options = setup.options or NiceOptions()
        self._niceness = min(LOWEST, os.getpriority(os.PRIO_PROCESS, 0) + options.niceness)
        #: The CPU of each worker that is not started; None: any.
        self._cpus: list[int | None] = [None] * setup.n_workers
        if options.pin:
            self._cpus = _cpus(setup.n_workers)
        self._idle: list[Slot] = []
        self._busy: dict[str, Slot] = {}
        self._cpu_of: dict[Slot, int | None] = {}
        self._backlog: deque[tuple[str, Job]] = deque()
        self._updates: list[Update] = []
        self._watch: Watch[Slot] = Watch()

    def capacity(self) -> int:
        """Return how many jobs it would take now: one for each idle worker."""
        workers = len(self._cpus) + len(self._cpu_of)
        return max(0, workers - len(self._busy) - len(self._backlog))

    def submit(self, jobs: Sequence[Job]) -> Sequence[str]:
        """Take jobs; those that find no idle worker wait."""
        tokens = [f"nice-{os.getpid()}-{next(_numbers)}" for _ in jobs]
        self._backlog.extend(zip(tokens, jobs, strict=True))
        self._feed()
        return tokens

    def poll(self, timeout: float) -> Sequence[Update]:
        """Return what changed, after at most ``timeout`` seconds."""
        if self._updates:
            timeout = 0.0
        for slot in self._busy.values():
            if slot.unsent:  # a command longer than a pipe holds
                slot.flush()
                timeout = min(timeout, 0.01)
        for slot in self._watch.wait(timeout):
            fd = slot.fileno()
            for update in slot.receive():
                if update.outcome is not None:
                    self._idle.append(self._busy.pop(update.token))
                self._updates.append(update)
            if not slot.alive:
                self._watch.remove(fd)
                self._forget(slot)
        self._feed()
        updates, self._updates = self._updates, []
        return updates

    def cancel(self, tokens: Sequence[str]) -> None:
        """End these jobs; those that wait are dropped."""
        for token, _ in [item for item in self._backlog if item[0] in tokens]:
            outcome = Outcome(state=State.CANCELLED, cause="cancelled")
            self._updates.append(Update(token=token, state=outcome.state, outcome=outcome))
        self._backlog = deque(item for item in self._backlog if item[0] not in tokens)
        for token in tokens:
            if token in self._busy:
                self._busy[token].cancel(token)

    def close(self) -> None:
        """End all slots and what runs in them."""
        self._backlog.clear()
        for slot in self._cpu_of:
            slot.hang_up()
        for slot in list(self._cpu_of):
            slot.close()
        self._cpu_of.clear()
        self._busy.clear()
        self._idle.clear()
        self._watch.close()

    def _feed(self) -> None:
        while self._backlog:
            slot = self._slot_for(self._backlog[0][1].launch)
            if slot is None:
                return
            token, job = self._backlog.popleft()
            self._busy[token] = slot
            slot.send(token, job)
            host = slot.host or None
            self._updates.append(Update(token=token, state=State.RUNNING, host=host))

    def _slot_for(self, launch: str) -> Slot | None:
        """Return an idle slot that can run a job, a new one if need be; None when all work."""
        for slot in self._idle:
            if slot.launch == launch:
                self._idle.remove(slot)
                return slot
        if not self._cpus and self._idle:  # it speaks another language: make room
            slot = self._idle[0]
            self._watch.remove(slot.fileno())
            self._forget(slot)
            slot.close()
        return self._start(launch) if self._cpus else None

    def _start(self, launch: str) -> Slot:
        slot = Slot(launch)
        slot.start()
        cpu = self._cpus.pop(0)
        self._cpu_of[slot] = cpu
        # Its two processes are there when it has said hello; no job was sent before.
        while not slot.inner:
            if not select.select([slot], [], [], PATIENCE)[0]:
                raise RunnerError(f"a slot did not start within {PATIENCE:.0f} s")
            slot.receive()
        for pid in (slot.pid, slot.inner):
            os.setpriority(os.PRIO_PROCESS, pid, self._niceness)
            if cpu is not None:
                os.sched_setaffinity(pid, {cpu})
        self._watch.add(slot.fileno(), slot)
        return slot

    def _forget(self, slot: Slot) -> None:
        self._cpus.append(self._cpu_of.pop(slot))
        if slot in self._idle:
            self._idle.remove(slot)


def _cpus(count: int) -> list[int | None]:
    if not hasattr(os, "sched_setaffinity"):
        raise UsageError("this system cannot bind a process to a CPU", hint="leave out pin=yes")
    cpus = sorted(os.sched_getaffinity(0))
    if count > len(cpus):
        raise UsageError(
            f"{count} workers cannot have a CPU each: there are {len(cpus)}",
            hint=f"use -n {len(cpus)}, or leave out pin=yes",
        )
    return list(cpus[:count])
