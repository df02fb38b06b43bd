"""What is said about a figure while it is made."""

from __future__ import annotations

from soops_builtin.steps.groups import counted, log

__all__ = ["Notes"]


class Notes:
    """Says what is left out of a figure.

    Parameters
    ----------
    rows : int
        How many rows the table has.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def leave_out(self, count: int, why: str) -> None:
        """Say that rows are left out, if there are some."""
        if count:
            self.say(f"{counted(count, 'row')} of {self.rows} left out: {why}")

    def say(self, text: str) -> None:
        """Say anything."""
        log.warning("plot: %s", text)

    def say_if(self, text: str) -> None:
        """Say anything but an empty text."""
        if text:
            self.say(text)
