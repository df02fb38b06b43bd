"""Runs on this machine: one slot for each worker."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from soops.api import Job, Outcome, RunnerSetup, Slot, State, Update, UsageError, Watch
from soops_builtin.runners.pace import Pace

if TYPE_CHECKING:
    from soops.api import RunnerError
    from soops_builtin.runners.room import Room

__all__ = ["LocalRunner"]

_serial = itertools.count(1)


class LocalRunner:
    """Feeds ``n_workers`` slots, each with a job or more ahead, so that none waits for the driver.

    Of short jobs so many are queued (:class:`Pace`) that the driver, which has to share the
    processors with them, need not be woken for each. A job queued behind a long one is taken
    back when another slot runs idle. A job that names resources is queued in no slot: it waits
    here until there is room for it, and what was submitted after it waits, too, so that none is
    overtaken for ever.

    Parameters
    ----------
    setup : RunnerSetup
        Its ``n_workers``, ``options`` (:class:`LocalOptions`) and ``survive`` count.

    Raises
    ------
    UsageError
        For cluster arguments: there is no cluster.
    """

    #: Says how many jobs are queued in a slot while one is under way.
    pace = Pace

    def __init__(self, setup: RunnerSetup) -> None:
        if setup.cluster_kwargs:
            raise UsageError(
                f"cluster arguments ({', '.join(setup.cluster_kwargs)}) mean nothing to "
                "a runner of this machine",
                hint="leave them out, or choose --runner dask",
            )
        if not Slot.ends_trees():
            setup.say("this system ends process groups only: daemons of a run may outlive it")
        self._n_slots = max(1, setup.n_workers)
        self._pace = self.pace()
        if setup.adaptive:
            self._pace.most = min(1, self._pace.most)
        self._survive = setup.survive
        self._slots: list[Slot] = []
        self._watch: Watch[Slot] = Watch()
        self._backlog: deque[tuple[str, Job]] = deque()
        self._where: dict[str, Slot] = {}
        self._running: set[str] = set()
        self._asked: set[str] = set()
        self._unwanted: set[str] = set()
        self._updates: list[Update] = []
        self._setup = setup
        #: Made for the first job that names resources.
        self._room: Room | None = None
        self._refusal: RunnerError | None = None
        #: With which slots were started early, until the first job comes.
        self._environment: dict[str, str] | None = None

    def expect(self, launch: str, jobs: int) -> None:
        """Start the slots for so many jobs; they come up while the driver does."""
        self._environment = dict(os.environ)
        while len(self._slots) < min(self._n_slots, jobs):
            self._new_slot(launch)

    def capacity(self) -> int:
        """Return how many jobs it would take now."""
        under_way = len(self._where) + len(self._backlog)
        return self._n_slots * (1 + self._pace.ahead) - under_way

    def submit(self, jobs: Sequence[Job]) -> Sequence[str]:
        """Take jobs; those that find an idle slot begin at once."""
        if self._environment is not None:
            self._start_anew_unless(self._environment == os.environ)
        tokens = [f"{os.getpid()}-{next(_serial)}" for _ in jobs]
        self._backlog.extend(zip(tokens, jobs, strict=True))
        self._feed()
        return tokens

    def poll(self, timeout: float) -> Sequence[Update]:
        """Return what changed, after at most ``timeout`` seconds.

        Raises
        ------
        RunnerError
            When the next job needs more than there is, and those before it have ended.
        """
        if self._room is not None and self._backlog:
            timeout = self._look_for_room(self._room, timeout)
        if self._updates:
            timeout = 0.0
        elif timeout > 0.0 and len(self._slots) == self._n_slots:
            queued = min(len(slot.pending) for slot in self._slots) - 1
            self._pace.rest(queued, timeout)
        unsent = [slot for slot in self._slots if slot.unsent]
        for slot in unsent:
            slot.flush()
        for slot in self._watch.wait(min(timeout, 0.005) if unsent else timeout):
            self._hear(slot)
        updates, self._updates = self._updates, []
        return updates

    def cancel(self, tokens: Sequence[str]) -> None:
        """End these jobs, with their grace; those that have not begun are dropped."""
        self._drop_backlog(set(tokens))
        for token in tokens:
            if token in self._where:
                self._where[token].cancel(token)

    def withdraw(self, tokens: Sequence[str]) -> None:
        """Drop those of these jobs that have not begun."""
        self._drop_backlog(set(tokens))
        for token in tokens:
            if token in self._where and token not in self._unwanted:
                self._unwanted.add(token)
                self._where[token].withdraw(token)

    def _drop_backlog(self, tokens: set[str]) -> None:
        for token, _ in self._backlog:
            if token in tokens:
                self._updates.append(_not_started(token))
        self._backlog = deque(item for item in self._backlog if item[0] not in tokens)

    def close(self) -> None:
        """End the jobs under way and the slots; when it returns nothing is left of them."""
        self._backlog.clear()
        self._room = self._refusal = None
        for slot in self._slots:
            slot.hang_up()
        for slot in self._slots:
            slot.close()
        self._slots.clear()
        self._where.clear()
        self._watch.close()

    def _feed(self) -> None:
        """Hand out the backlog; when it is empty, let idle slots help busy ones."""
        fed: set[Slot] = set()
        while self._backlog:
            slot = self._slot_for(self._backlog[0][1])
            if slot is None:
                break
            token, job = self._backlog.popleft()
            if job.resources and self._room is not None:
                job = self._room.take(token, job, slot)
            self._where[token] = slot
            if self._survive:
                slot.put(token, job, claim=token, survives=True)
            else:
                slot.put(token, job)
            fed.add(slot)
        for slot in fed:
            slot.flush()
            self._note_running(slot)
        if self._backlog and not self._backlog[0][1].resources:
            return  # all have enough
        idle = sum(not slot.pending for slot in self._slots) + self._n_slots - len(self._slots)
        for slot in self._slots:
            if len(self._asked) >= idle:
                break
            if len(slot.pending) > 1:
                token = next(reversed(slot.pending))
                if token not in self._asked:
                    self._asked.add(token)
                    slot.withdraw(token)

    def _look_for_room(self, room: Room, timeout: float) -> float:
        """Begin what waits, if it can; return how long a poll may wait."""
        self._feed()
        if self._refusal is not None and self._backlog and not (self._where or self._updates):
            self._refusal.unbegun = [token for token, _ in self._backlog]
            raise self._refusal
        # Nothing tells that memory of others became free.
        return min(timeout, 1.0) if room.short else timeout

    def _has_room(self, needs: Mapping[str, float]) -> bool:
        """Return whether a job may begin, as far as its resources go."""
        if self._room is None:
            from soops_builtin.runners.local_options import LocalOptions
            from soops_builtin.runners.room import Room  # most studies need none

            self._room = Room(self._setup.options or LocalOptions(), self._setup.say)
        self._refusal = self._room.refusal(needs)
        return self._refusal is None and self._room.fits(needs, alone=not self._where)

    def _idle_slot_for(self, job: Job) -> Slot | None:
        """Return the slot that is to run a job that names resources, or None while it waits."""
        if not self._has_room(job.resources) or self._room is None:
            return None
        for slot in self._slots:
            if slot.launch == job.launch and not slot.pending and self._room.suits(slot, job):
                return slot
        found = self._slot_for(replace(job, resources={}))
        return found if found is not None and not found.pending else None

    def _slot_for(self, job: Job) -> Slot | None:
        """Return the slot that is to run a job, or None while all have enough."""
        if job.resources:
            return self._idle_slot_for(job)
        fitting = [slot for slot in self._slots if slot.launch == job.launch]
        best = min(fitting, key=lambda slot: len(slot.pending), default=None)
        if best is not None and not best.pending:
            return best
        if len(self._slots) < self._n_slots:
            return self._new_slot(job.launch)
        for slot in self._slots:
            if not slot.pending and slot.launch != job.launch:
                self._drop(slot, slot.fileno())
                slot.close()
                return self._new_slot(job.launch)
        return best if best is not None and len(best.pending) <= self._pace.ahead else None

    def _new_slot(self, launch: str) -> Slot:
        slot = Slot(launch)
        slot.start()
        self._slots.append(slot)
        self._watch.add(slot.fileno(), slot)
        return slot

    def _start_anew_unless(self, same: bool) -> None:
        """Let go of slots that were started early, and gave runs an old environment."""
        self._environment = None
        for slot in [] if same else [slot for slot in self._slots if not slot.pending]:
            self._drop(slot, slot.fileno())
            slot.close()

    def _drop(self, slot: Slot, fd: int) -> None:
        self._watch.remove(fd)
        self._slots.remove(slot)

    def _hear(self, slot: Slot) -> None:
        fd = slot.fileno()
        for update in slot.receive():
            if update.outcome is not None:
                self._pace.note(update.outcome.elapsed)
                del self._where[update.token]
                self._forget(update.token)
                self._running.discard(update.token)
                if self._room is not None:
                    self._room.leave(update.token)
            self._updates.append(update)
        back, slot.withdrawn = slot.withdrawn, []
        if not slot.alive:
            self._drop(slot, fd)
            back = [*slot.pending.items(), *back]
        for token, job in reversed(back):
            del self._where[token]
            if self._room is not None:
                job = self._room.leave(token) or job
            if token in self._unwanted:
                self._updates.append(_not_started(token))
            else:
                self._backlog.appendleft((token, job))
            self._forget(token)
        self._note_running(slot)
        self._feed()

    def _forget(self, token: str) -> None:
        self._asked.discard(token)
        self._unwanted.discard(token)

    def _note_running(self, slot: Slot) -> None:
        """Say that the first job of a slot runs now; its pid follows when it lasts."""
        token = next(iter(slot.pending), None)
        if token is not None and slot.alive and token not in self._running:
            self._running.add(token)
            self._updates.append(Update(token=token, state=State.RUNNING, host=slot.host or None))


def _not_started(token: str) -> Update:
    outcome = Outcome(state=State.CANCELLED, cause="cancelled", message="it was not started")
    return Update(token=token, state=outcome.state, outcome=outcome)
