"""Timers and time stamps. Part of the script library."""

from __future__ import annotations

import time

from soops.base import Struct

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Self

__all__ = ["Timer", "get_timestamp"]


class Timer(Struct):
    """A stopwatch of the wall clock, in seconds.

    Attributes
    ----------
    t0, t1 : float or None
        When it was started and stopped, on a clock without a meaning of its own.
    dt : float
        Between the last start and stop.
    total : float
        The sum of all ``dt``.

    >>> timer = Timer("solve").start()
    >>> timer.stop() == timer.dt == timer.total
    True
    """

    def __init__(self, name: str = "timer") -> None:
        super().__init__(name=name, time_function=time.perf_counter)
        self.reset()

    def reset(self) -> Self:
        """Forget all times."""
        self.t0 = self.t1 = None
        self.total = self.dt = 0.0
        return self

    def start(self) -> Self:
        """Start, or start again, and return the timer itself."""
        self.t1 = None
        self.t0 = self.time_function()
        return self

    def stop(self) -> float:
        """Stop, and return the seconds since the start.

        Raises
        ------
        ValueError
            When it was not started.
        """
        now = self.time_function()
        if self.t0 is None:
            raise ValueError(f'timer "{self.name}" was not started!')
        self.t1 = now
        self.dt = self.t1 - self.t0
        self.total += self.dt
        return float(self.dt)


def get_timestamp(fmt: str = "%Y-%m-%d-%H-%M-%S", dtime: datetime | None = None) -> str:
    """Return a time as text.

    Parameters
    ----------
    fmt : str
        As of ``datetime.strftime``.
    dtime : datetime, optional
        Default: now, in local time.
    """
    if dtime is None:
        return time.strftime(fmt)
    return dtime.strftime(fmt)


def __getattr__(name: str) -> Any:
    if name == "datetime":  # once a name of this module
        from datetime import datetime

        return datetime
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
