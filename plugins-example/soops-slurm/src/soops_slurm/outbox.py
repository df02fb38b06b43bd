"""What is to be submitted, and what was submitted without its having arrived for sure."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

from soops.api import RunnerError
from soops_slurm.options import BatchOptions
from soops_slurm.pace import NO_ROOM, Pace
from soops_slurm.scheduler import Busy, Scheduler
from soops_slurm.script import submission
from soops_slurm.spool import Array, new_array
from soops_slurm.tasks import Run, Task, cut

__all__ = ["Outbox"]

#: Runs in a task at most when their number follows from how long they take.
MOST = 1000
#: The weight of the newest run in the mean of how long they take.
NEW = 0.2


class Outbox:
    """Makes arrays of runs, and submits them.

    Parameters
    ----------
    scheduler : Scheduler
        Takes them.
    options : BatchOptions
        Runs in a task, tasks in an array.
    spool : Path
        Where the arrays are written down.
    pace : Pace
        For what does not go at once.
    n_tasks : int
        Tasks in the queue at once; tasks that run at once, when everything is handed over.
    detach : bool
        Whether everything is, in arrays that are as large as they may be.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        options: BatchOptions,
        spool: Path,
        pace: Pace,
        n_tasks: int,
        detach: bool,
    ) -> None:
        self._scheduler, self._options, self._spool = scheduler, options, spool
        self._pace, self._n_tasks, self._detach = pace, n_tasks, detach
        self._largest = min(options.max_array, scheduler.max_array)
        self._last = ""
        self._next = 0.0
        self._mean: float | None = None
        self.backlog: deque[Run] = deque()
        self.unsent: dict[Array, list[Run]] = {}
        self.refused: list[Run] = []

    def learn(self, elapsed: float) -> None:
        """Note how many seconds a run took."""
        self._mean = elapsed if self._mean is None else self._mean + NEW * (elapsed - self._mean)

    @property
    def bundle(self) -> int:
        """How many runs are to be in a task."""
        if not self._options.fill or self._mean is None:
            return self._options.bundle
        wanted = self._options.fill * self._options.parallel / max(self._mean, 1e-3)
        return max(1, min(MOST, int(wanted)))

    @property
    def is_due(self) -> bool:
        """Whether it is time to send."""
        return self._next <= time.monotonic()

    def capacity(self, busy: int) -> int:
        """Return how many jobs would be submitted now, with so many tasks in the queue.

        What is kept back is lost with its driver.
        """
        if self._detach:
            return 0 if self.unsent else self._largest * self.bundle
        if self.unsent or not self.is_due:
            return 0
        return (self._n_tasks - busy) * self.bundle - len(self.backlog)

    def send(self, busy: int, everything: bool = False) -> Iterator[Task]:
        """Submit the backlog as far as there is room; again, what did not arrive.

        Gives the new tasks, those of arrays that have to be tried again included.

        Raises
        ------
        RunnerError
            When the scheduler refuses runs; those are ``refused`` then.
        """
        for array in list(self.unsent):
            self._try(array, again=True)
        if self.unsent:
            return
        parts = cut(self.backlog, self.bundle, self._room(busy, everything))
        if parts:  # those that come one by one make no array each
            self._next = time.monotonic() + min(self._options.poll, 1.0)
        arrays = self._arrays(parts)
        for place, some in enumerate(arrays):
            try:
                yield from self._submit(some)
            except RunnerError:
                later = [run for other in arrays[place + 1 :] for runs in other for run in runs]
                self.backlog.extendleft(reversed(later))
                raise

    def _arrays(self, parts: list[list[Run]]) -> list[list[list[Run]]]:
        """Return tasks by arrays, whose tasks are all alike: so are the needs of their runs."""
        arrays = []
        for _, alike in itertools.groupby(parts, lambda runs: runs[0].job.resources):
            some = list(alike)
            arrays += [some[i : i + self._largest] for i in range(0, len(some), self._largest)]
        return arrays

    def give_back(self, tokens: Collection[str]) -> list[Run]:
        """Take runs out of the backlog."""
        wanted = set(tokens)
        found = [run for run in self.backlog if run.token in wanted]
        self.backlog = deque(run for run in self.backlog if run.token not in wanted)
        return found

    def give_up(self) -> list[Array]:
        """Return the arrays that did not arrive; those of which it is not known stay unsent."""
        lost = []
        for array in list(self.unsent):
            try:
                job = self._scheduler.find(array.name)
            except Busy:
                continue
            del self.unsent[array]
            if job is None:
                lost.append(array)
            else:
                array.set_job(job)
        return lost

    def _room(self, busy: int, everything: bool) -> int:
        """Return how many tasks may be submitted: whole arrays of them, before one leaves."""
        if not self._detach:
            return self._n_tasks - busy
        if everything:
            return -(-len(self.backlog) // self.bundle)
        full = len(self.backlog) // self.bundle
        return full - full % self._largest

    def _submit(self, parts: list[list[Run]]) -> list[Task]:
        jobs = [[run.job for run in runs] for runs in parts]
        array = new_array(self._spool, jobs, self._options.parallel)
        tasks = [Task(array, index, dict(enumerate(runs))) for index, runs in enumerate(parts)]
        for task in tasks:
            for number, run in task.runs.items():
                run.number = number
        self.unsent[array] = [run for runs in parts for run in runs]
        self._try(array)
        return tasks

    def _try(self, array: Array, again: bool = False) -> None:
        """Submit an array; one that may have arrived before is looked for first."""
        try:
            job = self._scheduler.find(array.name) if again else None
            limits = (self._n_tasks, self._last) if self._detach else (0, "")
            words = submission(array, self._options, self._scheduler, *limits)
            array.set_job(job or self._scheduler.submit(*words))
        except Busy as exc:
            self._next = time.monotonic() + self._pace.trouble(NO_ROOM, exc)
            return
        except RunnerError:
            self.refused = self.unsent.pop(array)
            array.remove()
            raise
        del self.unsent[array]
        self._last = array.job
        self._pace.hurry()
        self._pace.well(NO_ROOM)
