"""Asks the workers of dask to stop jobs until these have ended; for ``DaskRunner`` only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Container, Mapping
from typing import Any

from soops.api import Job, Outcome, State, read_attempt
from soops_builtin.runners.dask import worker as dask_worker

__all__ = ["Insistence"]

#: Seconds between two requests to end jobs that were cancelled and have not ended.
INSIST = 1.0


class Insistence:
    """What is to end, and the threads that see to it.

    Parameters
    ----------
    client : distributed.Client
        Reaches the workers.
    jobs : mapping
        Token to job, of those that have not ended.
    tasks : mapping
        Key to task, of those that dask has.
    staged : container of str
        Tokens of jobs that have begun, of those without a token in their run directory.
    tell : callable
        Gets ``{"ended": {token: message}}`` of jobs that nobody has.

    Attributes
    ----------
    cancelled, unwanted : set of str
        Tokens of jobs that are to end, and of those that only are not to begin.
    closed : bool
        Whether nobody listens any more.
    """

    def __init__(
        self,
        client: Any,
        jobs: Mapping[str, Job],
        tasks: Mapping[Any, Any],
        staged: Container[str],
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self._client, self._jobs, self._tasks, self._tell = client, jobs, tasks, tell
        self._staged = staged
        self.cancelled: set[str] = set()
        self.unwanted: set[str] = set()
        self.closed = False

    def begin(self, tokens: set[str], begun: bool) -> None:
        """Insist that these jobs do not begin, or end if they have and ``begun`` says so."""
        (self.cancelled if begun else self.unwanted).update(tokens)
        threading.Thread(target=self._insist, args=(tokens, begun), daemon=True).start()

    def not_heard_of(self, token: str) -> Outcome:
        """Return what is known of a job that was cancelled and that no worker in reach has."""
        job = self._jobs.get(token)
        if job is None:
            return dask_worker.NOT_STARTED
        if token not in self._staged and read_attempt(job.directory, job.attempt) is None:
            return dask_worker.NOT_STARTED
        return Outcome(state=State.LOST, cause="node", message="its worker is out of reach")

    def _insist(self, tokens: set[str], begun: bool) -> None:
        """Ask the workers to stop jobs until all have ended; take back those nobody has."""
        while not self.closed and (left := {item for item in tokens if item in self._jobs}):
            if not begun and left <= self.cancelled:
                return  # another thread asks for more
            try:
                answers = self._client.run(dask_worker.stop, sorted(left), begun, on_error="ignore")
            except Exception:  # no worker, or no scheduler: done tasks will tell
                answers = {}
            left -= {token for answer in answers.values() for token in answer}
            for task in list(self._tasks.values()):
                if task.tokens and task.tokens <= left:
                    self._drop(task)
            time.sleep(INSIST)

    def _drop(self, task: Any) -> None:
        """Take back a task that no worker has; say so before dask says that it is cancelled."""
        tokens = list(task.tokens)
        ended = {token: dask_worker.to_message(self.not_heard_of(token)) for token in tokens}
        self._tell({"ended": ended})
        with contextlib.suppress(Exception):  # no scheduler: done tasks will tell
            task.future.cancel()
