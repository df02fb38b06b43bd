"""Runs on the workers of a dask cluster: one made for the study, or one that is there.

Dask is imported only when a runner is made. What happens on a worker is in ``dask_worker``.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soops.api import Job, Outcome, RunnerSetup, State, Update, Watch, attempt_path
from soops_builtin.runners import dask_worker
from soops_builtin.runners.dask_cluster import Connection, connect
from soops_builtin.runners.dask_options import DaskOptions

__all__ = ["DaskOptions", "DaskRunner"]

#: Seconds of work that a task should hold, so that what dask needs for a task is little to it.
TASK_SECONDS = 0.05
#: Jobs in a task at most.
MAX_BATCH = 32
#: Seconds between two requests to end jobs that were cancelled and have not ended.
INSIST = 1.0
#: Seconds, besides the grace of the jobs under way, that closing may take.
PATIENCE = 10.0


_Key = tuple[str, int]


@dataclass(slots=True)
class _Task:
    future: Any
    tokens: set[str]
    """Those of its jobs that have not ended."""


class DaskRunner:
    """Submits jobs in batches; each runs in a slot on a worker, which ends its whole tree.

    A run whose worker died is LOST, and never begun again under the same attempt.

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
        self._connection: Connection = connect(setup, options)
        self._client = self._connection.client
        self._watch: Watch[None] = Watch()
        self._name = f"soops-{uuid.uuid4().hex[:12]}"
        self._topic = f"{self._name}-outcomes"
        self._sent = 0
        self._serial = itertools.count(1)
        self._batch = 1
        self._closed = False
        self._jobs: dict[str, Job] = {}
        self._backlog: deque[tuple[str, Job]] = deque()
        self._task_of: dict[str, _Key] = {}
        self._tasks: dict[_Key, _Task] = {}
        self._cancelled: set[str] = set()
        self._unwanted: set[str] = set()
        self._messages: deque[Mapping[str, Any]] = deque()
        self._done: deque[_Key] = deque()
        self._client.subscribe_topic(self._topic, self._on_event)

    def capacity(self) -> int:
        """Return how many jobs it would take now, so that each worker has a task ahead."""
        return 2 * self._batch * self._connection.threads() - len(self._jobs)

    def submit(self, jobs: Sequence[Job]) -> Sequence[str]:
        """Take jobs.

        Raises
        ------
        RunnerError
            When the scheduler is gone.
        """
        self._connection.check()
        pairs = [(f"{self._name}-{next(self._serial)}", job) for job in jobs]
        self._jobs.update(pairs)
        self._backlog.extend(pairs)
        self._fill()
        return [token for token, _ in pairs]

    def _fill(self) -> None:
        """Make tasks of the backlog: one for each worker, and one ahead.

        Dask keeps the first few tasks of a kind on a worker even behind a long one, and the
        later ones at the scheduler. So nothing is sent ahead before.
        """
        workers = self._connection.threads()
        ahead = workers if self._sent > 2 * workers else 0
        room = workers + ahead - len(self._tasks)
        batches: list[list[tuple[str, Job]]] = []
        while self._backlog and len(batches) < room:
            size = min(self._batch, max(1, len(self._backlog) // (room - len(batches))))
            batches.append([self._backlog.popleft() for _ in range(size)])
        if batches:
            self._send(batches)

    def _send(self, batches: Sequence[Sequence[tuple[str, Job]]]) -> None:
        keys = [(self._name, next(self._serial)) for _ in batches]
        futures = self._client.map(
            dask_worker.run_batch, batches, key=keys, topic=self._topic, pure=False, retries=0
        )
        self._sent += len(keys)
        for key, future, batch in zip(keys, futures, batches, strict=True):
            self._tasks[key] = _Task(future, {token for token, _ in batch})
            self._task_of.update((token, key) for token, _ in batch)
            future.add_done_callback(self._on_done)

    def poll(self, timeout: float) -> Sequence[Update]:
        """Return what changed, after at most ``timeout`` seconds and those of one reply."""
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
        if self._backlog and not self._closed:
            self._fill()
        return updates

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
        left = tokens - waiting
        if left:
            (self._cancelled if begun else self._unwanted).update(left)
            threading.Thread(target=self._insist, args=(left, begun), daemon=True).start()

    def close(self) -> None:
        """End the jobs under way and what was made here; return in bounded time."""
        if self._closed:
            return
        grace = max((job.grace for job in self._jobs.values()), default=0.0)
        limit = time.monotonic() + grace + PATIENCE
        self.cancel(list(self._jobs))
        try:
            while self._jobs and time.monotonic() < limit - PATIENCE / 2:
                self.poll(0.1)
        finally:
            self._closed = True
            self._connection.close(PATIENCE)
            self._watch.close()

    # --- called by threads of the client

    def _on_event(self, event: tuple[float, Mapping[str, Any]]) -> None:
        self._messages.append(event[1])
        self._watch.ring()

    def _on_done(self, future: Any) -> None:
        self._done.append(future.key)
        self._watch.ring()

    def _insist(self, tokens: set[str], begun: bool) -> None:
        """Ask the workers to stop jobs until all have ended; take back those nobody has."""
        while not self._closed and (left := {item for item in tokens if item in self._jobs}):
            if not begun and left <= self._cancelled:
                return  # another thread asks for more
            try:
                answers = self._client.run(dask_worker.stop, sorted(left), begun, on_error="ignore")
            except Exception:  # no worker, or no scheduler: done tasks will tell
                answers = {}
            left -= {token for answer in answers.values() for token in answer}
            dropped = {}
            for task in list(self._tasks.values()):
                if task.tokens and task.tokens <= left:
                    dropped.update(dict.fromkeys(task.tokens, _NOT_STARTED))
                    with contextlib.suppress(Exception):  # the same
                        task.future.cancel()
            if dropped:
                self._messages.append({"ended": dropped})
                self._watch.ring()
            time.sleep(INSIST)

    # --- called by poll

    def _understand(self, message: Mapping[str, Any], updates: list[Update]) -> None:
        if "running" in message:
            token, pid, host = message["running"]
            if token in self._jobs:
                updates.append(Update(token=token, state=State.RUNNING, pid=pid, host=host))
        for token in reversed(message.get("back", ())):
            if token in self._cancelled | self._unwanted:
                self._end(token, dask_worker.NOT_STARTED, updates)
            elif token in self._jobs:
                self._tasks[self._task_of.pop(token)].tokens.discard(token)
                self._backlog.appendleft((token, self._jobs[token]))
        for token, fields in message.get("ended", {}).items():
            self._end(token, dask_worker.from_message(fields), updates)

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
        why = f"dask says: {status}"
        if status == "error":
            why = _words(task.future.exception(timeout=5.0))
        for token in list(task.tokens):
            if token in self._cancelled:
                self._end(token, dask_worker.NOT_STARTED, updates)
            else:
                outcome = Outcome(state=State.LOST, cause="node", message=why)
                self._end(token, outcome, updates)

    def _on_later(self, key: _Key) -> None:
        future = self._tasks[key].future
        threading.Timer(0.5, self._on_done, (future,)).start()

    def _end(self, token: str, outcome: Outcome, updates: list[Update]) -> None:
        job = self._jobs.pop(token, None)
        if job is None:
            return
        self._cancelled.discard(token)
        self._unwanted.discard(token)
        key = self._task_of.pop(token, None)
        if key is not None:
            task = self._tasks[key]
            task.tokens.discard(token)
            if not task.tokens:
                self._drop(key)
        if outcome.state is not State.LOST:
            _remove_tokens(job)
            self._adapt(outcome)
        updates.append(Update(token=token, state=outcome.state, outcome=outcome))

    def _drop(self, key: _Key) -> None:
        self._tasks.pop(key).future.release()

    def _adapt(self, outcome: Outcome) -> None:
        """Let a task hold more jobs when they are short."""
        if outcome.elapsed is not None:
            wanted = int(TASK_SECONDS / max(outcome.elapsed, 1e-4))
            self._batch = max(1, min(MAX_BATCH, wanted, self._batch + 1))


_NOT_STARTED = dask_worker.to_message(dask_worker.NOT_STARTED)


def _words(error: BaseException | None) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]


def _remove_tokens(job: Job) -> None:
    """Remove what kept copies of this run apart: its outcome is known."""
    for attempt in range(1, job.attempt + 1):
        try:
            Path(attempt_path(job.directory, attempt)).unlink()
        except OSError:
            pass  # another file system, or gone with its directory
