"""Whether the scheduler counts this dask worker among its own. For ``worker`` only.

A worker that is cut off notices when its connection times out, which is half a minute with dask's
own limits, and never when these are longer. So it asks, while it has work, and remembers when the
last question was asked that got its answer. Dask is not imported here.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from typing import Any

__all__ = ["Contact", "contact_of"]

#: Questions in a lease; each waits for its answer as long as three of them take.
QUESTIONS = 6
#: Seconds between two questions at most.
SELDOM = 10.0

# A machine that was suspended wakes up with the lease over; time.monotonic would stand still.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_contacts: weakref.WeakKeyDictionary[Any, Contact] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


class Contact:
    """When a worker was last known to the scheduler.

    Parameters
    ----------
    worker : distributed.Worker
        It may ask from any of its threads.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = weakref.ref(worker)
        self._lock = threading.Lock()
        self._heard = self._asked = self._looked = self._pardon = float("-inf")

    def lasts(self, lease: float) -> bool:
        """Return whether there was contact within the lease; for a thread that waits for a run.

        Parameters
        ----------
        lease : float
            Seconds for which an answer is good, counted from its question.
        """
        now = time.clock_gettime(_CLOCK)
        if now - self._looked > lease / 2:
            # This process was stopped, or the machine slept, perhaps the scheduler with it.
            self._pardon = now + lease / QUESTIONS
        self._looked = now
        return self._is_fresh(lease) or now < self._pardon

    def left(self, lease: float) -> float:
        """Return for how many seconds a run may go on that nobody hears of from now on."""
        now = time.clock_gettime(_CLOCK)
        return max(self._heard + lease - now, self._pardon - now, 0.0)

    def begins(self, lease: float) -> bool:
        """Return whether there is contact now; wait for it as long as an answer may take."""
        limit = time.monotonic() + lease / 2
        while not self._is_fresh(lease / 2):
            if time.monotonic() > limit:
                return False
            time.sleep(0.005)
        self._looked = time.clock_gettime(_CLOCK)
        return True

    def _is_fresh(self, lease: float) -> bool:
        """Ask again when it is time; return whether the last answer is fresh enough."""
        now = time.clock_gettime(_CLOCK)
        every = min(lease / QUESTIONS, SELDOM)
        with self._lock:
            due = now - self._asked >= every
            if due:
                self._asked = now
        worker = self._worker()
        if due and worker is not None:
            question = self._ask(worker, now, lease / 2)
            try:
                asyncio.run_coroutine_threadsafe(question, worker.loop.asyncio_loop)
            except RuntimeError:  # its loop is closed: no answer will come
                question.close()
        return now - self._heard <= lease

    async def _ask(self, worker: Any, asked: float, limit: float) -> None:
        # What is known of a worker is not who answers it: one that was given up for its
        # silence still gets through when its line is back, but is not in the answer.
        address = worker.contact_address or worker.address
        question = asyncio.ensure_future(worker.scheduler.ncores(workers=[address]))
        question.add_done_callback(lambda it: it.cancelled() or it.exception())
        await asyncio.wait({question}, timeout=limit)
        if not question.done():
            question.cancel()  # and its connection with it: the next question takes another
        elif not question.cancelled() and question.exception() is None and question.result():
            self._heard = max(self._heard, asked)


def contact_of(worker: Any) -> Contact:
    """Return the contact that all threads of a worker share."""
    with _lock:
        return _contacts.setdefault(worker, Contact(worker))
