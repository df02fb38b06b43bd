"""The one loop: fill the runner, listen to it, record what ended; retry, drain, stop.

The policies are here and equal for all runners: window, retries, retry of lost runs,
``--max-failures``, what Ctrl-C means. What is written, and in which order, is the
ledger's.
"""

from __future__ import annotations

import dataclasses
import signal
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from soops.kernel.app import App
from soops.kernel.errors import RunnerError, SoopsError
from soops.kernel.plugging.interfaces import Runner
from soops.kernel.runs.interrupts import heeding
from soops.kernel.runs.jobs import Attempt, JobMaker
from soops.kernel.runs.judging import judge
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.retry import wants_retry
from soops.kernel.runs.sources import Sets, tell, waits
from soops.kernel.runs.survivors import Survivors
from soops.kernel.runs.tally import Tally
from soops.kernel.values import (
    Decision,
    Outcome,
    PlannedRun,
    RunRecord,
    State,
    StudyRun,
    Summary,
    Update,
)

if TYPE_CHECKING:
    from soops.kernel.runs.ledger import Ledger

__all__ = ["Drive"]

#: Planned sets looked at before the runner is listened to again.
GLANCE = 2000
#: Seconds between two looks at signals when nothing happens.
TICK = 0.2


class Drive:
    """One pass of the driver over the planned runs of a study.

    Parameters
    ----------
    app : App
        Told of the events.
    study : StudyRun
        What the events are about.
    options : RunOptions
        Retries, bounds.
    runner : Runner
        Where runs happen.
    ledger : Ledger
        Where everything is written.
    jobs : JobMaker
        Planned run to job.
    accept_exit : sequence of int
        Exit codes that mean success.
    survivors : Survivors, optional
        Runs that an earlier driver began, and that go on.
    sets : iterable, optional
        The source of the sets, which may want to be told how they ended.
    on_record : callable, optional
        Called with each record of an ended run.
    say : callable
        Shows a line to the person who watches.
    """

    def __init__(
        self,
        *,
        app: App,
        study: StudyRun,
        options: RunOptions,
        runner: Runner,
        ledger: Ledger,
        jobs: JobMaker,
        accept_exit: Sequence[int] = (0,),
        survivors: Survivors | None = None,
        sets: Sets | None = None,
        on_record: Callable[[RunRecord], None] | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.app = app
        self.study = study
        self.options = options
        self.runner = runner
        self.ledger = ledger
        self.jobs = jobs
        self.accept_exit = frozenset(accept_exit)
        self.survivors = Survivors(study.root) if survivors is None else survivors
        self.sets = sets
        self.on_record = on_record
        self.say = say
        self.under_way: dict[str, Attempt] = {}
        #: When each may be tried again, in that order, as the delay is the same for all.
        self.again: deque[tuple[float, PlannedRun, int]] = deque()
        self.tally = Tally()
        self.exhausted = False
        self.stopped = ""
        self.interrupts = 0
        self.told_drain = self.told_cancel = False
        self.error: SoopsError | None = None

    def run(self, plan: Iterator[PlannedRun]) -> Summary:
        """Run what is planned; return how it went.

        Raises
        ------
        RunnerError
            When the runner itself broke; everything that ended before is recorded.
        SoopsError
            What the plan or the ledger raised, after the runs under way have ended.
        """
        self.tally.began = time.monotonic()
        with heeding(self._interrupt):
            try:
                self._loop(plan)
            finally:
                self.ledger.flush()
        if self.error is not None:
            raise self.error
        return self.summary()

    def summary(self) -> Summary:
        """Return how the pass stands, or ended: also one that ended with :attr:`error`."""
        stopped = self.stopped or (self.error.message if self.error is not None else "")
        return self.tally.summary(self.study.root, stopped, self.interrupts > 0)

    def _loop(self, plan: Iterator[PlannedRun]) -> None:
        while True:
            try:
                wait = TICK
                if not self._closing and (self.again or not self.exhausted):
                    wait = 0.0 if self._fill(plan) else TICK
                self._obey()
                if not self.under_way and (self._closing or self._is_over):
                    break
                if self.options.detach and self._leaves(plan):
                    break
                for update in (*self._call(self.runner.poll, wait), *self.survivors.poll()):
                    self._apply(update)
                self.ledger.tick()
            except KeyboardInterrupt:  # no handlers of ours: a notebook
                self.interrupts += 1
            if self.interrupts > 2:
                break
        self.tally.remaining += len(self.again)

    @property
    def _is_over(self) -> bool:
        return self.exhausted and not self.again

    @property
    def _closing(self) -> bool:
        return bool(self.interrupts or self.stopped or self.error)

    def _fill(self, plan: Iterator[PlannedRun]) -> bool:
        """Hand over as many runs as the runner takes; return whether there is more to plan now."""
        more = False
        room = self._room()
        batch: list[tuple[PlannedRun, int]] = []
        while len(batch) < room and self.again and self.again[0][0] <= time.monotonic():
            batch.append(self.again.popleft()[1:])
        try:
            for _ in range(GLANCE):
                if len(batch) >= room and not self._seeks(len(batch)):
                    break
                if waits(self.sets):
                    # With nothing under way there is nothing that it could be told.
                    self.exhausted = not (self.under_way or self.again or batch)
                    break
                planned = next(plan, None)
                if planned is None:
                    self.exhausted = True
                    break
                self.tally.total += 1
                if planned.decision is Decision.SKIP:
                    self._skip(planned)
                elif not self._take_on(planned):
                    batch.append((planned, 1))
            else:
                more = True
        except SoopsError as exc:
            self._fail(exc)
        self.again.extendleft((0.0, *item) for item in reversed(batch[room:]))
        self._submit(batch[:room])
        return more

    def _skip(self, planned: PlannedRun) -> None:
        self.tally.skipped += 1
        self.ledger.skip(planned)
        if self.sets is not None:
            tell(self.sets, planned.parameters.values, self.ledger.record_of(planned))

    def _leaves(self, plan: Iterator[PlannedRun]) -> bool:
        """Let the runner keep what it was given, once it takes no more; return whether to go."""
        full = self._call(self.runner.capacity) <= 0
        if self._closing or not (full or self._is_over):
            return False
        try:
            for planned in plan:
                self.tally.total += 1
                if planned.decision is Decision.SKIP:
                    self._skip(planned)
                elif not self._take_on(planned):
                    self.tally.remaining += 1
        except SoopsError as exc:
            self._fail(exc)
            return False
        self.exhausted = True
        leave: Any = getattr(self.runner, "leave", None)  # without it --detach is refused
        for update in self._call(leave):
            self._apply(update)
        if self._closing or (self.again and not full):
            return False
        self.tally.left = len(self.under_way)
        return True

    def _room(self) -> int:
        """Return how many runs may be handed over; those that survived need workers, too."""
        room: int = self._call(self.runner.capacity)
        if len(self.survivors) and not self.options.detach:
            ours = sum(not item.survived for item in self.under_way.values())
            room = min(room, self.options.n_workers - len(self.survivors) - ours)
        return max(room, 0)

    def _seeks(self, ahead: int) -> bool:
        """Whether to plan ahead, so that the sets of all survivors are known soon."""
        known = self.sets is None and self.survivors.unclaimed
        return bool(known) and ahead + len(self.again) < GLANCE

    def _take_on(self, planned: PlannedRun) -> bool:
        """Take on the run of a set that an earlier driver began, if it goes on."""
        found = self.survivors.claim(planned.directory)
        if found is None:
            return False
        token, number = found
        planned = dataclasses.replace(planned, attempts=number - 1)
        job = self.jobs.make(planned, number)
        attempt = Attempt(planned, job, 1, running=bool(token), survived=bool(token))
        if not token:
            adopt: Any = getattr(self.runner, "adopt", None)  # it says that it holds the run
            (token,) = self._call(adopt, [job])
        self.under_way[token] = attempt
        self.app.emit("soops_run_started", study=self.study, run=planned, attempt=number)
        return True

    def _submit(self, batch: list[tuple[PlannedRun, int]]) -> None:
        attempts = self._prepare(batch)
        if not attempts:
            return
        tokens = self._call(self.runner.submit, [item.job for item in attempts])
        for token, attempt in zip(tokens, attempts, strict=True):
            self.under_way[token] = attempt
            self.app.emit(
                "soops_run_started",
                study=self.study,
                run=attempt.planned,
                attempt=attempt.job.attempt,
            )

    def _prepare(self, batch: list[tuple[PlannedRun, int]]) -> list[Attempt]:
        """Return the attempts whose directories are ready; each is in the journal before."""
        attempts: list[Attempt] = []
        ready = 0
        try:
            for planned, tries in batch:
                job = self.jobs.make(planned, planned.attempts + tries)
                attempts.append(Attempt(planned, job, tries))
            if attempts:
                self.ledger.submitted([(item.planned, item.job) for item in attempts])
            for item in attempts:
                self.ledger.prepare(item.planned, item.job)
                ready += 1
        except SoopsError as exc:
            self._fail(exc)
        for item in attempts[ready:]:
            with suppress(SoopsError):  # the first error is told
                self.ledger.withdrawn(item.planned, item.job)
        return attempts[:ready]

    def _apply(self, update: Update) -> None:
        attempt = self.under_way.get(update.token)
        if attempt is None:
            return
        if update.outcome is None:
            attempt.running = update.state is State.RUNNING
            if update.pid is not None:
                self.ledger.running(attempt.job, update)
            return
        del self.under_way[update.token]
        try:
            shell = isinstance(attempt.job.command, str)
            self._ended(attempt, judge(update.outcome, shell, self.accept_exit))
        except SoopsError as exc:
            self._fail(exc)

    def _ended(self, attempt: Attempt, outcome: Outcome) -> None:
        if outcome.state is State.CANCELLED and outcome.started is None:
            self.ledger.withdrawn(attempt.planned, attempt.job)
            self.tally.remaining += 1
            return
        options = self.options
        again = not self._closing and wants_retry(
            outcome, attempt.tries, options.retries, options.retry_on
        )
        record = self.ledger.ended(attempt.planned, attempt.job, outcome)
        if again:
            item = attempt.planned, attempt.tries + 1
            if outcome.state is State.LOST:
                self.again.appendleft((0.0, *item))
            else:
                self.again.append((time.monotonic() + options.retry_delay, *item))
            return
        self.tally.add(record)
        self.app.emit("soops_run_ended", study=self.study, record=record)
        if self.on_record is not None:
            self.on_record(record)
        tell(self.sets, attempt.planned.parameters.values, record)
        self._count_failures()

    def _count_failures(self) -> None:
        limit = self.options.max_failures
        if limit is not None and not self.stopped and (bad := self.tally.bad) >= limit:
            self.stopped = f"{bad} run{'s' * (bad > 1)} did not end well (--max-failures {limit})"
            self.say(f"stopping: {self.stopped}; waiting for {len(self.under_way)} under way")
            self._withdraw_queued()

    def _obey(self) -> None:
        """Do what the signals since the last look ask for."""
        if self.interrupts >= 1 and not self.told_drain:
            self.told_drain = True
            self._withdraw_queued()
            running = sum(item.running for item in self.under_way.values())
            self.say(
                f"interrupted: no new runs; waiting for {running or len(self.under_way)} "
                "under way (Ctrl-C again stops them)"
            )
        if self.interrupts >= 2 and not self.told_cancel:
            self.told_cancel = True
            self.say("interrupted again: stopping the runs under way")
            ours = [token for token, item in self.under_way.items() if not item.survived]
            self._call(self.runner.cancel, ours)
            far = self.survivors.cancel(self.under_way.keys() - set(ours))
            if far:
                self.say(f"these go on, and must be stopped where they are: {', '.join(far)}")

    def _withdraw_queued(self) -> None:
        queued = [token for token, item in self.under_way.items() if not item.running]
        if queued:
            # What is told of the runs may be old: only the runner knows which have begun.
            withdraw = getattr(self.runner, "withdraw", self.runner.cancel)
            self._call(withdraw, queued)

    def _fail(self, exc: SoopsError) -> None:
        """Start nothing more; the error is raised when what is under way has ended."""
        if self.error is None:
            self.error = exc

    def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        try:
            return method(*args)
        except SoopsError as exc:
            self._abandon(str(exc), getattr(exc, "unbegun", ()))
            raise
        except Exception as exc:
            self._abandon(f"{type(exc).__name__}: {exc}")
            raise RunnerError(
                f"the runner {self.study.runner!r} broke: {type(exc).__name__}: {exc}",
                hint="what ended before is recorded; start the same command again to go on",
            ) from exc

    def _abandon(self, why: str, unbegun: Collection[str] = ()) -> None:
        """Record the runs under way as lost: their runner cannot tell any more."""
        for token, attempt in self.under_way.items():
            if attempt.survived:
                continue  # it is still in the journal, for the next driver
            if token in unbegun:
                self.ledger.withdrawn(attempt.planned, attempt.job)
                continue
            outcome = Outcome(state=State.LOST, cause="runner", message=why)
            self.ledger.ended(attempt.planned, attempt.job, outcome)
            self.tally.counts[State.LOST] = self.tally.counts.get(State.LOST, 0) + 1
        self.under_way.clear()

    def _interrupt(self, number: int) -> None:
        self.interrupts = max(self.interrupts + 1, 2 if number == signal.SIGTERM else 0)
