"""What a benchmark is: two commands that are run in turn, and a goal for their ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.workshop import Workshop

__all__ = ["BENCHMARKS", "Benchmark", "Missing", "Side", "benchmark"]


class Missing(Exception):
    """A program that a benchmark needs is not on this machine; the text says which."""


def nothing(directory: Path) -> None:
    """Prepare nothing."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two commands.

    Attributes
    ----------
    label : str
        What it is and which version.
    words : tuple of str
        The command; it is run in a fresh directory.
    prepare : callable
        ``prepare(directory)``, before each run and not measured.
    check : callable
        ``check(directory)`` after each run: raises when the work was not done.
    env : mapping
        Variables that are added to the environment.
    """

    label: str
    words: tuple[str, ...]
    prepare: Callable[[Path], None] = nothing
    check: Callable[[Path], None] = nothing
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Two commands, what is measured of them, and the goal.

    Attributes
    ----------
    name, what
        A word for the command line, and a line for the table.
    sides : callable
        Gives ours and the peer's side; called when the benchmark is run.
    goal : float, optional
        The largest ratio ours/peer that is good.
    printed : bool
        The commands print the seconds that count as their last line; else the wall time
        of the whole process counts.
    pairs : int
        How often each side is run.
    """

    name: str
    what: str
    sides: Callable[[Workshop], tuple[Side, Side]]
    goal: float | None
    printed: bool = False
    pairs: int = 5


#: Every benchmark by name, in the order of the table.
BENCHMARKS: dict[str, Benchmark] = {}


def benchmark(
    name: str, what: str, *, goal: float | None = None, printed: bool = False, pairs: int = 5
) -> Callable[[Callable[[Workshop], tuple[Side, Side]]], Callable[..., tuple[Side, Side]]]:
    """Return the decorator that registers a benchmark."""

    def register(
        sides: Callable[[Workshop], tuple[Side, Side]],
    ) -> Callable[[Workshop], tuple[Side, Side]]:
        BENCHMARKS[name] = Benchmark(
            name=name, what=what, sides=sides, goal=goal, printed=printed, pairs=pairs
        )
        return sides

    return register
