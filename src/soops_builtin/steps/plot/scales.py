"""One direction of a figure: numbers, or the different values of a column side by side."""

from __future__ import annotations

import itertools
import math
from typing import Any

from soops_builtin.steps.arguments import StepError
from soops_builtin.steps.cells import Levels, drawable, is_numeric, levels_of, numbers
from soops_builtin.steps.plot.look import number_texts, short_all

__all__ = ["Scale", "level_texts", "room_below", "set_categories"]

#: Inches that a letter, and a line of letters, of a tick takes.
_LETTER, _LINE = 0.085, 0.19
#: Inches of an axis from which on long texts have room to be slanted.
_WIDE = 3.5


class Scale:
    """Where the cells of a column are.

    Parameters
    ----------
    df : pandas.DataFrame
        The whole table, so that all panels have the same scale.
    label : hashable
        The column.
    log : bool
        Whether the scale is logarithmic.

    Attributes
    ----------
    places : numpy.ndarray of float, shape (rows,)
        The numbers, or the numbers of the categories from 0; NaN where there is none.
    texts : list of str
        The categories; empty for numbers.
    """

    def __init__(self, df: Any, label: Any, log: bool = False) -> None:
        self.log = log
        self.numeric = is_numeric(df, label)
        self.texts: list[str] = []
        if self.numeric:
            self.places = drawable(numbers(df, label))
            if log:
                self.places[self.places <= 0] = float("nan")
            return
        if log:
            raise StepError(f"there is no logarithmic scale of {str(label)!r}: it is no numbers")
        levels = levels_of(df[label].tolist())
        self.texts = levels.texts()
        self.places = levels.codes.astype(float)

    def set_on(self, ax: Any, inches: float) -> None:
        """Make the x-axis of some axes show this scale."""
        if not self.numeric:
            set_categories(ax.xaxis, self.texts, inches)
            ax.set_xlim(-0.5, len(self.texts) - 0.5)
            return
        if self.log:
            ax.set_xscale("log")
        self._set_ticks(ax, inches)

    def _set_ticks(self, ax: Any, inches: float) -> None:
        """Put the ticks where the values are if there are few of them, far enough apart."""
        import numpy as np
        from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

        values = np.unique(self.places[np.isfinite(self.places)])
        whole = bool(len(values)) and bool((values == np.round(values)).all())
        at = np.log10(values) if self.log else values
        texts = number_texts(values.tolist())
        if 2 <= len(values) <= 8:
            room = np.diff(at) / (at[-1] - at[0]) * inches
            needed = [_LETTER * (len(a) + len(b)) / 2 + 0.12 for a, b in itertools.pairwise(texts)]
            if (room >= needed).all():
                ax.xaxis.set_major_locator(FixedLocator(values.tolist()))
                ax.xaxis.set_major_formatter(FixedFormatter(texts))
                ax.xaxis.set_minor_locator(NullLocator())
                return
        if whole and not self.log:
            ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))


def level_texts(levels: Levels) -> list[str]:
    """Return how levels are shown as ticks: numbers with as few digits as they need."""
    if all(isinstance(value, int | float) and value == value for value in levels.values):
        return number_texts(levels.values)
    return levels.texts()


def set_categories(axis: Any, texts: list[str], inches: float) -> None:
    """Put texts at 0, 1, ... of an axis: turned if they are long, some of them if they are many."""
    labels = short_all(texts, 24 if inches >= _WIDE or axis.axis_name == "y" else 14)
    every = max(1, math.ceil(len(labels) * _LINE / inches))
    places = list(range(0, len(labels), every))
    axis.set_ticks(places, labels=[labels[place] for place in places])
    axis.set_minor_locator(_no_ticks())
    axis.grid(False)
    if axis.axis_name != "x":
        return
    if _needed(labels, inches):
        steep = _is_steep(len(places), inches)
        for text in axis.get_ticklabels():
            text.set(rotation=90 if steep else 30, rotation_mode="anchor")
            text.set(ha="right", va="center" if steep else "top")


def room_below(texts: list[str], inches: float) -> float:
    """Return how many inches the turned texts of an x-axis need below it."""
    longest = max(map(len, short_all(texts, 24 if inches >= _WIDE else 14)), default=0)
    if not _needed([text[:24] for text in texts], inches):
        return 0.0
    return longest * _LETTER * (0.9 if _is_steep(len(texts), inches) else 0.5)


def _needed(labels: list[str], inches: float) -> bool:
    """Tell whether texts do not fit side by side."""
    longest = max(map(len, labels), default=0)
    return longest * _LETTER * len(labels) > inches or len(labels) * _LINE > inches


def _is_steep(count: int, inches: float) -> bool:
    return inches < _WIDE or count * _LINE * 1.8 > inches


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()
