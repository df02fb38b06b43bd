"""How many jobs are queued ahead in a slot, and how long the driver may leave slots alone."""

from __future__ import annotations

import time

__all__ = ["Pace"]


class Pace:
    """Learns how long runs take; few are queued of long ones, many of short ones.

    A driver that is woken for each of many short runs costs more than what it then does, and
    takes the processor from the runs. So slots get a stock of short jobs, and the driver rests
    until half of that is used up. Runs of a thirtieth of a second and more are queued one ahead.

    Attributes
    ----------
    ahead : int
        Jobs to be queued in a slot while one is under way.
    most : int
        A bound of it.
    """

    #: Jobs queued in a slot, at least and at most.
    LEAST, MOST = 1, 16
    #: Seconds that the jobs queued in a slot should last, and those of a rest at most.
    STOCK, REST = 0.06, 0.008

    def __init__(self) -> None:
        self.ahead = self.LEAST
        self.most = self.MOST
        self._each = 1.0

    def note(self, elapsed: float | None) -> None:
        """Learn from a run that took ``elapsed`` seconds: at once from a long one."""
        if elapsed is None:
            return
        self._each = max(elapsed, 0.75 * self._each + 0.25 * elapsed, 1e-6)
        self.ahead = min(max(self.LEAST, int(self.STOCK / self._each)), self.most)

    def rest(self, queued: int, timeout: float) -> None:
        """Sleep while all slots have enough to do.

        Parameters
        ----------
        queued : int
            Jobs that wait in the slot that has the fewest.
        timeout : float
            Seconds to sleep at most.
        """
        spare = queued - self.ahead // 2
        if spare > 0 and self.ahead > self.LEAST:
            time.sleep(min(spare * self._each, self.REST, timeout))
