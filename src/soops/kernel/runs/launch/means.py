"""What a slot has that starts its runs in another way than by a plain command."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Means"]


class Means:
    """What belongs to a slot besides the run under way; made for a subclass.

    Attributes
    ----------
    keep : set of int
        Children of the slot that serve several runs. They lead sessions of their own, are no
        part of a run, and are not ended with it; the slot takes out those that end.
    notes : list of str
        What the next outcome is to say besides.
    """

    def __init__(self) -> None:
        self.keep: set[int] = set()
        self.notes: list[str] = []

    def prepare(self, job: Mapping[str, Any], env: Mapping[bytes, bytes]) -> None:
        """Do, before a run starts, what is not to be counted as its time.

        Parameters
        ----------
        job : mapping
            The fields of a ``Job``; its working directory is that of the slot.
        env : mapping
            The whole environment that the run will have.
        """
