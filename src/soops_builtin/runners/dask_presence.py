"""Whether a dask cluster has workers at all, said to the person who waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable

from soops_builtin.runners.dask_cluster import Connection

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
        self._gone_since: float | None = None

    def look(self, waiting: int) -> None:
        """Look whether there are workers, while so many runs wait or are under way."""
        count = self._connection.workers()
        if count is None:
            return
        if count:
            self._came, self._told, self._gone_since = True, False, None
            return
        now = time.monotonic()
        self._gone_since = now if self._gone_since is None else self._gone_since
        if self._told or (self._came and now - self._gone_since < GONE):
            return
        self._told = True
        what = "has lost all its workers" if self._came else "has no workers yet"
        runs = "1 run waits" if waiting == 1 else f"{waiting} runs wait"
        self._say(f"the cluster {what}; {runs}")
