"""The runner: jobs become tasks of job arrays, and files tell what came of them."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Collection, Sequence
from contextlib import suppress

from soops.api import Job, Outcome, RunnerError, RunnerSetup, State, Update, UsageError, Watch
from soops_slurm import verdict
from soops_slurm.adoption import find_held
from soops_slurm.batch import outcome_from
from soops_slurm.options import BatchOptions, check_needs
from soops_slurm.outbox import Outbox
from soops_slurm.pace import NO_ANSWER, Pace
from soops_slurm.scheduler import Busy, Phase, Scheduler
from soops_slurm.spool import Array, spool_of
from soops_slurm.tasks import Run, Task

__all__ = ["BatchRunner"]

#: Seconds, besides the grace of the jobs under way, that closing may take.
PATIENCE = 15.0
#: Seconds between two looks at what tasks have told, at most.
LOOK = 0.5
_serial = itertools.count(1)


class BatchRunner:
    """Submits jobs as arrays of at most ``n_workers`` tasks in the queue at once.

    Parameters
    ----------
    setup : RunnerSetup
        ``n_workers``, ``options``, ``root`` and ``say`` count. Runs in a queue go on without
        their driver in any case, whether they are asked to ``survive`` or not.

    Raises
    ------
    RunnerError
        When there is no scheduler, or it does not answer.
    UsageError
        For cluster arguments.
    """

    def __init__(
        self, setup: RunnerSetup, scheduler: type[Scheduler], options: BatchOptions
    ) -> None:
        if setup.cluster_kwargs:
            raise UsageError(
                f"{scheduler.title} takes no cluster arguments ({', '.join(setup.cluster_kwargs)})",
                hint="use --runner-opt; see: soops plugins",
            )
        self._options: BatchOptions = setup.options or options
        self._spool = spool_of(setup.root.absolute(), scheduler.title.lower())
        self._scheduler = scheduler()
        self._pace = Pace(self._options, scheduler.title, setup.say)
        n_tasks, detach = max(1, setup.n_workers), setup.detach
        self._outbox = Outbox(
            self._scheduler, self._options, self._spool, self._pace, n_tasks, detach
        )
        self._watch: Watch[None] = Watch()
        self._runs: dict[str, Run] = {}
        self._where: dict[str, Task] = {}
        self._tasks: dict[tuple[str, int], Task] = {}
        self._open: dict[str, int] = {}
        """Runs of each array that are not recorded."""
        self._held: dict[tuple[str, int], tuple[Array, int, int]] = {}
        self._told: list[tuple[Job, Array]] = []
        self._to_cancel: dict[tuple[str, int], bool] = {}
        self._updates: list[Update] = []
        self._ask_at = self._look_at = 0.0
        self._left = self._closing = self._closed = False

    def capacity(self) -> int:
        """Return how many jobs it would submit now."""
        return self._outbox.capacity(len(self._tasks))

    def submit(self, jobs: Sequence[Job]) -> Sequence[str]:
        """Take jobs, and submit them at once if there is room, else soon.

        Raises
        ------
        RunnerError
            When the scheduler refuses them.
        """
        for job in jobs:
            if job.resources:
                check_needs(job.resources)
        runs = [Run(f"batch-{os.getpid()}-{next(_serial)}", job) for job in jobs]
        self._runs.update((run.token, run) for run in runs)
        self._outbox.backlog.extend(runs)
        self._left = False
        if self._outbox.is_due:
            self._send()
        return [run.token for run in runs]

    def poll(self, timeout: float) -> Sequence[Update]:
        """Return what changed, after at most ``timeout`` seconds and those of the commands.

        Raises
        ------
        RunnerError
            When jobs are refused, or the nodes cannot run them.
        """
        self._clean_up()
        if self._outbox.is_due:
            self._send()
        if self._to_cancel:
            self._cancel_tasks()
        if self._tasks and self._ask_at <= time.monotonic():
            self._ask()
        if not self._updates:
            self._watch.wait(max(0.0, min(timeout, self._look_at - time.monotonic())))
        if self._look_at <= time.monotonic():
            self._look_at = time.monotonic() + min(LOOK, self._options.poll)
            for task in list(self._tasks.values()):
                if task.over is not None or (task.state is not None and not task.state.waits):
                    self._listen(task)
                    self._settle(task)
        updates, self._updates = self._updates, []
        return updates

    def cancel(self, tokens: Sequence[str]) -> None:
        """End these jobs, with their grace; those that have not begun are dropped."""
        self._left = False
        self._stop(tokens, True)

    def withdraw(self, tokens: Sequence[str]) -> None:
        """Drop those of these jobs that have not begun."""
        self._left = False
        self._stop(tokens, False)

    def leave(self) -> Sequence[Update]:
        """Submit what waits here, and let go; return what has changed, as far as is known now.

        What the scheduler did not take has never begun.

        Raises
        ------
        RunnerError
            When jobs are refused, or the nodes cannot run them.
        """
        self._clean_up()
        self._ask()
        for task in list(self._tasks.values()):
            self._listen(task)
            self._settle(task)
        self._send(everything=True)
        lost = self._outbox.give_up()
        runs = [run for task in self._tasks.values() if task.array in lost for run in task]
        for run in [*runs, *self._outbox.give_back(self._runs.keys())]:
            self._end(run, verdict.NOT_STARTED)
        self._left = True
        updates, self._updates = self._updates, []
        return updates

    def close(self) -> None:
        """Cancel what is left, and wait until it has ended, in bounded time; not after leaving."""
        if self._closed:
            return
        self._closing = True
        graces = [run.job.grace for run in self._runs.values()]
        limit = time.monotonic() + max(graces, default=0.0) + PATIENCE
        if self._left:
            self._runs.clear()
        self.cancel(list(self._runs))
        with suppress(RunnerError):  # it has been told, or cannot be helped
            while self._runs and time.monotonic() < limit:
                self.poll(0.1)
        self._closed = True
        self._clean_up()
        self._watch.close()

    # --- what an earlier driver submitted

    def held(self, attempts: Sequence[tuple[str, int]]) -> Collection[tuple[str, int]]:
        """Return those attempts, by run directory, that an earlier driver submitted.

        They wait, run, or have ended meanwhile: :meth:`adopt` is how to learn it.

        Raises
        ------
        RunnerError
            When the scheduler does not answer.
        """
        for pair, place in find_held(self._spool, self._scheduler, set(attempts)).items():
            self._held[pair] = place
            name = place[0].name
            self._open[name] = self._open.get(name, 0) + 1
        return self._held.keys()

    def adopt(self, jobs: Sequence[Job]) -> Sequence[str]:
        """Answer for jobs that :meth:`held` has named, as if they had been submitted here."""
        tokens = []
        for job in jobs:
            array, index, number = self._held.pop((job.directory, job.attempt))
            run = Run(f"batch-{os.getpid()}-{next(_serial)}", job, number)
            task = self._tasks.setdefault((array.name, index), Task(array, index))
            task.offset = 0  # what it told before was of nobody here
            task.runs[number] = run
            self._where[run.token] = task
            self._runs[run.token] = run
            tokens.append(run.token)
        self._ask_at = 0.0
        return tokens

    # --- to the scheduler

    def _send(self, everything: bool = False) -> None:
        """Submit what waits here."""
        if self._closing:
            return
        try:
            for task in self._outbox.send(len(self._tasks), everything):
                self._tasks[task.key] = task
                self._where.update((run.token, task) for run in task)
                name = task.array.name
                self._open[name] = self._open.get(name, 0) + len(task.runs)
                self._ask_at = min(self._ask_at, time.monotonic() + self._options.poll)
        except RunnerError:
            for run in self._outbox.refused:
                self._leave(run)
                del self._runs[run.token]
            raise

    def _ask(self) -> None:
        """Ask once for all tasks."""
        try:
            jobs = {task.array.job for task in self._tasks.values()} - {""}
            states = self._scheduler.states(jobs)
        except Busy as exc:
            self._ask_at = time.monotonic() + self._pace.trouble(NO_ANSWER, exc)
            return
        self._pace.well(NO_ANSWER)
        changed = False
        now = time.monotonic()
        for task in self._tasks.values():
            if task.array in self._outbox.unsent:
                continue
            state = states.get((task.array.job, task.index))
            changed |= state != task.state
            if state is not None or task.over is None:
                task.state = state if state is not None else task.state
            over = state is None or state.ended
            task.over = (task.over if task.over is not None else now) if over else None
        if changed:
            self._pace.hurry()
        self._ask_at = now + (self._pace.every if changed else self._pace.back_off())

    def _stop(self, tokens: Sequence[str], begun: bool) -> None:
        for run in self._outbox.give_back(tokens):
            self._end(run, verdict.NOT_STARTED)
        touched: dict[tuple[str, int], Task] = {}
        for run in [self._runs[token] for token in tokens if token in self._runs]:
            task = self._where[run.token]
            touched[task.key] = task
            run.unwanted = True
            run.cancelled |= begun
            task.array.ask("stop" if begun else "drop", task.index, run.number)
        for key, task in touched.items():
            if all(run.cancelled for run in task.runs.values()):
                self._to_cancel[key] = True
            elif all(run.unwanted for run in task.runs.values()):
                self._to_cancel.setdefault(key, False)
        if touched:
            self._pace.hurry()

    def _cancel_tasks(self) -> None:
        known = {key: self._tasks[key] for key in self._to_cancel if key in self._tasks}
        ready = {key: task for key, task in known.items() if task.array.job}
        try:
            for begun in (True, False):
                tasks = [task for key, task in ready.items() if self._to_cancel[key] is begun]
                if tasks:
                    names = ((task.array.job, task.index) for task in tasks)
                    self._scheduler.cancel(names, pending_only=not begun)
        except Busy as exc:
            self._pace.trouble(NO_ANSWER, exc)
            return
        self._to_cancel = {key: self._to_cancel[key] for key in known.keys() - ready.keys()}
        self._ask_at = 0.0

    # --- from the files

    def _listen(self, task: Task) -> None:
        """Hear what a task has told of its runs."""
        messages, task.offset = task.array.told(task.index, task.offset)
        for message in messages:
            task.host = message.get("host", task.host)
            run = task.runs.get(message.get("run", -1))
            if run is None:
                continue
            if "pid" in message:
                self._updates.append(
                    Update(token=run.token, state=State.RUNNING, pid=message["pid"], host=task.host)
                )
            elif "outcome" in message:
                outcome = outcome_from(message["outcome"])
                if outcome.state is not State.LOST:
                    self._end(run, outcome)
                elif run.cancelled:
                    self._end(run, verdict.explained(outcome, None, True))
                else:
                    run.lost = outcome

    def _settle(self, task: Task) -> None:
        """Answer for the runs of a task that is over."""
        if task.over is None:
            return
        waited = time.monotonic() - task.over >= self._options.patience
        state = task.state
        for run in list(task.runs.values()):
            outcome = run.lost or verdict.left_outcome(run.job, state)
            if outcome is not None and outcome.state is State.LOST:
                outcome = verdict.explained(outcome, state, run.cancelled)
            if outcome is not None:
                self._end(run, outcome)
            elif verdict.has_begun(run.job):
                if waited:
                    outcome = verdict.vanished(run.job, state)
                    self._end(run, verdict.explained(outcome, state, run.cancelled))
            elif state is not None and state.was_cancelled and (waited or not state.nodes):
                self._end(run, verdict.NOT_STARTED)
            elif waited or (state is not None and state.phase is Phase.FAILED and not task.offset):
                self._never_began(run, task)

    def _never_began(self, run: Run, task: Task) -> None:
        """Give a run another task, whose own is over; or see that no task can run it."""
        state = task.state
        if run.unwanted:
            self._end(run, verdict.NOT_STARTED)
            return
        if state is not None and state.phase in (Phase.DONE, Phase.FAILED) and not task.offset:
            raise verdict.unfit(task.array, task.index, state)
        run.chances -= 1
        if run.chances <= 0:
            says = state.name if state is not None else "it is forgotten"
            text = f"its task ended before it could begin: {says}"
            self._end(run, Outcome(state=State.LOST, cause="node", message=text))
            return
        self._leave(run)
        run.lost = None
        self._outbox.backlog.appendleft(run)
        self._recorded(task.array)

    def _end(self, run: Run, outcome: Outcome) -> None:
        task = self._leave(run)
        del self._runs[run.token]
        if task is not None:
            self._told.append((run.job, task.array))
        if outcome.elapsed is not None:
            self._outbox.learn(outcome.elapsed)
        self._updates.append(Update(token=run.token, state=outcome.state, outcome=outcome))

    def _leave(self, run: Run) -> Task | None:
        task = self._where.pop(run.token, None)
        if task is not None:
            task.runs.pop(run.number, None)
            if not task.runs:
                self._tasks.pop(task.key, None)
        return task

    def _clean_up(self) -> None:
        """Remove the files of what was told: whoever calls again has recorded it."""
        while self._told:
            job, array = self._told.pop()
            verdict.remove_tokens(job)
            self._recorded(array)

    def _recorded(self, array: Array) -> None:
        self._open[array.name] -= 1
        if not self._open[array.name]:
            del self._open[array.name]
            array.remove()
