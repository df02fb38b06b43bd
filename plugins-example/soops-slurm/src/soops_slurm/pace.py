"""How often a scheduler is asked, and what is said when it does not answer."""

from __future__ import annotations

from collections.abc import Callable

from soops_slurm.options import BatchOptions
from soops_slurm.scheduler import Busy

__all__ = ["NO_ANSWER", "NO_ROOM", "Pace"]

#: The troubles: what the scheduler does, and what soops does then.
NO_ROOM = "takes no jobs now", "tries again"
NO_ANSWER = "does not answer", "goes on waiting"


class Pace:
    """Asks less often while nothing changes, and says of a trouble once that it is there.

    Parameters
    ----------
    options : BatchOptions
        ``poll`` and ``poll_max``.
    title : str
        Of the scheduler.
    say : callable
        Shows a line to the person who watches.
    """

    def __init__(self, options: BatchOptions, title: str, say: Callable[[str], None]) -> None:
        self._least, self._most = options.poll, options.poll_max
        self._title, self._say = title, say
        self._said: set[tuple[str, str]] = set()
        self.every = self._least
        """Seconds until the next question."""

    def hurry(self) -> None:
        """Ask soon again: something has changed."""
        self.every = self._least

    def back_off(self) -> float:
        """Ask later; return after how many seconds."""
        self.every = min(self.every * 1.5, self._most)
        return self.every

    def trouble(self, what: tuple[str, str], exc: Busy) -> float:
        """Say what the trouble is, once until it is over; return as :meth:`back_off`."""
        does, then = what
        if what not in self._said:
            self._say(f"{self._title} {does} ({exc}); soops {then}")
        self._said.add(what)
        return self.back_off()

    def well(self, what: tuple[str, str]) -> None:
        """Note that there is no such trouble any more."""
        self._said.discard(what)
