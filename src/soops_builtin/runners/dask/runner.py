"""Runs on the workers of a dask cluster: one made for the study, or one that is there.

Dask is imported only when a runner is made. What happens on a worker is in ``worker``.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soops.api import Job, Outcome, RunnerError, RunnerSetup, State, Update, Watch, read_attempt
from soops_builtin.runners.dask import worker as dask_worker
from soops_builtin.runners.dask.batches import cut, hand_over
from soops_builtin.runners.dask.cluster import Connection, connect
from soops_builtin.runners.dask.courier import Versions, plain
from soops_builtin.runners.dask.doubts import Doubts, remove_tokens
from soops_builtin.runners.dask.factory import words_of
from soops_builtin.runners.dask.insistence import Insistence
from soops_builtin.runners.dask.introduction import Introduction
from soops_builtin.runners.dask.options import DaskOptions
from soops_builtin.runners.dask.presence import Presence
from soops_builtin.runners.dask.staging import Staging, staged_fields

__all__ = ["DaskOptions", "DaskRunner"]

#: Seconds of work that a task should hold, so that what dask needs for a task is little to it.
TASK_SECONDS = 0.05
#: Jobs in a task at most.
MAX_BATCH = 32
#: Seconds, besides the grace of the jobs under way, that closing may take.
PATIENCE = 10.0
#: How often a job may wait on workers that all die before it counts as lost.
CHANCES = 5


_Key = tuple[str, int]


@dataclass(slots=True)
class _Task:
    """A batch of jobs that dask has."""

    future: Any
    tokens: set[str]
    """Those of its jobs that have not ended."""


class DaskRunner:
    """Submits jobs in batches; each runs in a slot on a worker, which ends its whole tree.

    A run whose worker died is LOST, and never begun again under the same attempt; it is told
    when nothing of it can be alive. The tokens of attempts are removed when the outcome is
    recorded: a copy that comes late finds one or the other.

    Parameters
    ----------
    setup : RunnerSetup
        ``n_workers``, ``cluster_kwargs`` (of ``distributed.LocalCluster``, or of the
        ``cluster`` of the options), ``options`` and ``say`` count.

    Raises
    ------
    RunnerError
        When there is no cluster, or none can be made.
    """

    def __init__(self, setup: RunnerSetup) -> None:
        options = setup.options if setup.options is not None else DaskOptions()
        self._lease: float = options.lease
        self._doubts = Doubts(self._lease, setup.say)
        self._connection: Connection = connect(setup, options)
        self._client = self._connection.client
        self._presence = Presence(self._connection, setup.say)
        self._watch: Watch[None] = Watch()
        self._name = f"soops-{uuid.uuid4().hex[:12]}"
        self._topic = f"{self._name}-outcomes"
        self._fields = staged_fields if options.stage_out else plain
        root = Path() if options.stage_out else setup.root
        self._introduction = Introduction(root, self._name, options.far)
        self._versions = Versions(setup.say)
        self._unbegun: set[str] = set()
        self._sent = 0
        self._serial = itertools.count(1)
        self._batch = 1
        self._closing = self._closed = False
        self._jobs: dict[str, Job] = {}
        self._backlog: deque[tuple[str, Job]] = deque()
        self._task_of: dict[str, _Key] = {}
        self._tasks: dict[_Key, _Task] = {}
        self._running: set[str] = set()
        self._asked: set[str] = set()
        self._waited: Counter[str] = Counter()
        self._told: list[Job] = []
        self._messages: deque[Mapping[str, Any]] = deque()
        self._done: deque[_Key] = deque()
        self._staging = staging = Staging(self._client, self._hear)
        self._insistence = Insistence(self._client, self._jobs, self._tasks, staging, self._hear)
        self._cancelled, self._unwanted = self._insistence.cancelled, self._insistence.unwanted
        self._client.subscribe_topic(self._topic, self._on_event)

    def capacity(self) -> int:
        """Return how many jobs it would take now, so that each worker has a task ahead."""
        if self._introduction.error:
            return 0
        busy = len(self._jobs) - len(self._doubts)
        return 2 * self._batch * self._connection.threads() - busy

    def submit(self, jobs: Sequence[Job]) -> Sequence[str]:
        """Take jobs.

        Raises
        ------
        RunnerError
            When the scheduler is gone.
        """
        self._connection.check()
        self._introduction.make(self._client)
        pairs = [(f"{self._name}-{next(self._serial)}", job) for job in jobs]
        self._jobs.update(pairs)
        self._backlog.extend(pair for pair in pairs if not self._doubts.hold(*pair))
        self._fill()
        return [token for token, _ in pairs]

    def _fill(self) -> None:
        """Make tasks of the backlog: one for each worker, and one ahead.

        Dask keeps the first few tasks of a kind on a worker even behind a long one, and the
        later ones at the scheduler. So nothing is sent ahead before.
        """
        if self._introduction.error:
            return
        workers = self._connection.threads()
        ahead = workers if self._sent > 2 * workers else 0
        room = workers + ahead - len(self._tasks)
        batches = cut(self._backlog, self._batch, room)
        keys = [(self._name, next(self._serial)) for _ in batches]
        how = {"topic": self._topic, "lease": self._lease, "sign": self._introduction.sign}
        self._sent += len(keys)
        for key, batch, future in hand_over(self._client, batches, keys, how, self._fields):
            self._tasks[key] = _Task(future, {token for token, _ in batch})
            self._task_of.update((token, key) for token, _ in batch)
            future.add_done_callback(self._on_done)

    def poll(self, timeout: float) -> Sequence[Update]:
        """Return what changed, after at most ``timeout`` seconds and those of one reply.

        Raises
        ------
        RunnerError
            When the scheduler is gone and there are jobs that wait, or when a worker does not
            see the runs root and all jobs that have not begun were taken back.
        """
        self._clean_up()
        if self._jobs and not self._closing:
            self._presence.look(self._jobs.values())
        if not self._messages and not self._done:
            self._watch.wait(timeout)
        updates: list[Update] = []
        done = [self._done.popleft() for _ in range(len(self._done))]
        while self._messages:
            self._understand(self._messages.popleft(), updates)
        for key in done:
            task = self._tasks.get(key)
            if task is not None:
                self._finish(key, task, updates)
        for token, job, outcome in self._doubts.settled():
            if outcome is None or self._asks_again(token, job):
                self._backlog.append((token, job))
            else:
                self._end(token, outcome, updates, final=True)
        if self._introduction.error and not self._closing:
            self._take_all_back(self._introduction.error, updates)
        elif (self._backlog or self._doubts) and not self._closing:
            self._connection.check()
            self._fill()
        return updates

    def _take_all_back(self, error: RunnerError, updates: Sequence[Update]) -> None:
        """Let no job begin any more; raise when each has begun or is back, and all is told."""
        self.withdraw(list(self._jobs))
        if not updates and all(
            token in self._running or token in self._doubts for token in self._jobs
        ):
            error.unbegun = self._unbegun
            raise error

    def cancel(self, tokens: Sequence[str]) -> None:
        """End these jobs, with their grace; those that have not begun are dropped."""
        self._stop({token for token in tokens if token in self._jobs} - self._cancelled, True)

    def withdraw(self, tokens: Sequence[str]) -> None:
        """Drop those of these jobs that have not begun."""
        gone = self._cancelled | self._unwanted
        self._stop({token for token in tokens if token in self._jobs} - gone, False)

    def _stop(self, tokens: set[str], begun: bool) -> None:
        """Drop jobs that have not begun; end those that have, too, if asked."""
        waiting = {token for token, _ in self._backlog if token in tokens}
        if waiting:
            self._backlog = deque(item for item in self._backlog if item[0] not in waiting)
            self._messages.append({"ended": dict.fromkeys(waiting, _NOT_STARTED)})
        doubtful = {token for token in tokens if token in self._doubts}
        for token in doubtful:
            if begun or not self._doubts.has_begun(token):
                outcome = self._doubts.drop(token) or dask_worker.NOT_STARTED
                ended = {token: dask_worker.to_message(outcome)}
                self._messages.append({"ended": ended, "final": True})
        left = tokens - waiting - doubtful
        if left:
            self._insistence.begin(left, begun)

    def close(self) -> None:
        """End the jobs under way and what was made here; return in bounded time."""
        if self._closed:
            return
        self._closing = True
        grace = max((job.grace for job in self._jobs.values()), default=0.0)
        limit = time.monotonic() + grace + PATIENCE
        self.cancel(list(self._jobs))
        try:
            while self._jobs and time.monotonic() < limit - PATIENCE / 2:
                self.poll(0.1)
        finally:
            self._closed = self._insistence.closed = True
            self._clean_up()
            self._introduction.close()
            self._connection.close(PATIENCE)
            self._watch.close()

    # --- called by threads of the client

    def _on_event(self, event: tuple[float, Mapping[str, Any]]) -> None:
        self._hear(event[1])

    def _hear(self, message: Mapping[str, Any]) -> None:
        self._messages.append(message)
        self._watch.ring()

    def _on_done(self, future: Any) -> None:
        self._done.append(future.key)
        self._watch.ring()

    # --- called by poll

    def _understand(self, message: Mapping[str, Any], updates: list[Update]) -> None:
        if "running" in message:
            token, pid, host = message["running"]
            if token in self._jobs:
                self._running.add(token)
                updates.append(Update(token=token, state=State.RUNNING, pid=pid, host=host))
        for token, outcome in self._staging.hear(message, self._jobs):
            self._end(token, outcome, updates)
        if "blind" in message:
            self._introduction.blind(message["blind"])
        if "greeting" in message:
            self._versions.hear(*message["greeting"])
        for token in reversed(message.get("back", ())):
            self._take_back(token, updates)
        final = message.get("final", False)
        for token, fields in message.get("ended", {}).items():
            self._end(token, dask_worker.from_message(fields), updates, final)

    def _take_back(self, token: str, updates: list[Update]) -> None:
        """Keep a job that has not begun for another task."""
        if token in self._cancelled | self._unwanted:
            self._end(token, dask_worker.NOT_STARTED, updates)
        elif token in self._jobs:
            self._leave_task(token)
            self._backlog.appendleft((token, self._jobs[token]))

    def _finish(self, key: _Key, task: _Task, updates: list[Update]) -> None:
        """Answer for the jobs of a task that is over and did not tell what they came to."""
        if not task.tokens:
            self._drop(key)
            return
        status = task.future.status
        if status == "finished":
            try:
                told = task.future.result(timeout=5.0)
            except Exception:  # its worker died just now: dask runs it again
                self._on_later(key)
                return
            for token in list(task.tokens):
                self._end(token, dask_worker.from_message(told[token]), updates)
            return
        why, killers = f"dask says: {status}", False
        if status == "error":
            error = task.future.exception(timeout=5.0)
            why, killers = words_of(error), type(error).__name__ == "KilledWorker"
        for token in list(task.tokens):
            if token in self._cancelled:
                self._end(token, self._insistence.not_heard_of(token), updates)
            elif killers and self._is_innocent(token):
                self._take_back(token, updates)
            else:
                outcome = Outcome(state=State.LOST, cause="node", message=why)
                self._end(token, outcome, updates)

    def _is_innocent(self, token: str) -> bool:
        """Whether a job only waited on the workers that died, and not too often."""
        job = self._jobs[token]
        if token in self._staging:
            return False
        if read_attempt(job.directory, job.attempt) is not None:
            return False
        self._waited[token] += 1
        return self._waited[token] < CHANCES

    def _on_later(self, key: _Key) -> None:
        future = self._tasks[key].future
        threading.Timer(0.5, self._on_done, (future,)).start()

    def _end(
        self, token: str, outcome: Outcome, updates: list[Update], final: bool = False
    ) -> None:
        self._leave_task(token)
        job = self._jobs.get(token)
        if job is None:
            return
        if outcome.state is State.LOST:
            if not final and self._is_doubtful(token, job, outcome):
                return
        else:
            self._adapt(outcome)
        if token in self._doubts:
            self._doubts.drop(token)
        del self._jobs[token]
        self._waited.pop(token, None)
        self._staging.forget(token)
        for names in (self._cancelled, self._unwanted, self._asked, self._running):
            names.discard(token)
        if (
            self._introduction.error
            and outcome.state is State.CANCELLED
            and outcome.started is None
        ):
            self._unbegun.add(token)
            if not self._closing:  # its end is in the error
                return
        if outcome.state is not State.LOST and outcome.started is not None:
            self._told.append(job)
        updates.append(Update(token=token, state=outcome.state, outcome=outcome))

    def _clean_up(self) -> None:
        """Remove the tokens of what was told: whoever calls again has recorded it."""
        while self._told:
            remove_tokens(self._told.pop())

    def _is_doubtful(self, token: str, job: Job, outcome: Outcome) -> bool:
        """Whether it is too early to say that a job is lost."""
        if token in self._doubts:
            return True
        if token in self._cancelled or not self._connection.alive:
            return False
        if self._doubts.hold(token, job, outcome):
            return True
        if self._asks_again(token, job):
            self._backlog.append((token, job))
            return True
        return False

    def _asks_again(self, token: str, job: Job) -> bool:
        """Whether the token of a lost job has an outcome: a copy will give it, once."""
        known = read_attempt(job.directory, job.attempt)
        if known is None or not known.ended or token in self._asked:
            return False
        self._asked.add(token)
        return True

    def _leave_task(self, token: str) -> None:
        key = self._task_of.pop(token, None)
        if key is not None:
            task = self._tasks[key]
            task.tokens.discard(token)
            if not task.tokens:
                self._drop(key)

    def _drop(self, key: _Key) -> None:
        self._tasks.pop(key).future.release()

    def _adapt(self, outcome: Outcome) -> None:
        """Let a task hold more jobs when they are short."""
        if outcome.elapsed is not None:
            wanted = int(TASK_SECONDS / max(outcome.elapsed, 1e-4))
            self._batch = max(1, min(MAX_BATCH, wanted, self._batch + 1))


_NOT_STARTED = dask_worker.to_message(dask_worker.NOT_STARTED)
