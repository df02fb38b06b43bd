"""Whether a dask cluster has workers at all, said to the person who waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from soops.api import Job
from soops_builtin.runners.dask.cluster import Connection

__all__ = ["Presence"]

#: Seconds without any worker, after there were some, until the person is told.
GONE = 10.0


class Presence:
    """Says that runs wait for workers: once when none has come, and when all have gone.

    Parameters
    ----------
    connection : Connection
        It is asked for the number of workers, which it knows or looks up.
    say : callable
        Shows a line to the person who watches.
    """

    def __init__(self, connection: Connection, say: Callable[[str], None]) -> None:
        self._connection, self._say = connection, say
        self._came = self._told = False
        #: Needs that were looked at: each is told once.
        self._asked: list[Mapping[str, float]] = []
        self._gone_since: float | None = None

    def look(self, jobs: Collection[Job]) -> None:
        """Look whether there are workers for these jobs, which wait or are under way."""
        count = self._connection.workers()
        if count is None:
            return
        if count:
            self._came, self._told, self._gone_since = True, False, None
            for job in jobs:
                if job.resources and job.resources not in self._asked:
                    self._look_for_resources(job.resources)
                    break  # the cluster is asked once each time
            return
        now = time.monotonic()
        self._gone_since = now if self._gone_since is None else self._gone_since
        if self._told or (self._came and now - self._gone_since < GONE):
            return
        self._told = True
        what = "has lost all its workers" if self._came else "has no workers yet"
        self._say(f"the cluster {what}; {_wait(len(jobs))}")

    def _look_for_resources(self, needs: Mapping[str, float]) -> None:
        """Say, once, that no worker has what a run needs."""
        offers = self._connection.resources()
        if offers is None:
            return
        self._asked.append(needs)
        if any(all(offer.get(name, 0) >= needs[name] for name in needs) for offer in offers):
            return
        texts = ", ".join(f"{name}={amount:g}" for name, amount in needs.items())
        self._say(
            f"no worker of the cluster has {texts}; the runs wait for one "
            f"(dask worker --resources {texts.replace(', ', ',')!r})"
        )


def _wait(count: int) -> str:
    return "1 run waits" if count == 1 else f"{count} runs wait"
