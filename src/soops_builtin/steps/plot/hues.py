"""Colours by the values of a column."""

from __future__ import annotations

from typing import Any

from soops_builtin.steps.cells import (
    AS_UNDEFINED,
    drawable,
    is_numeric,
    is_undefined,
    levels_of,
    numbers,
)
from soops_builtin.steps.plot.look import (
    MARKERS,
    UNDEFINED_COLOUR,
    dashes,
    is_geometric,
    palette,
    samples,
    short_all,
)

__all__ = ["Hue"]

#: With more numbers than these there is a colour bar instead of a legend.
_MOST_IN_LEGEND = 10


class Hue:
    """The levels of a column and how each of them looks.

    Few numbers have colours from dark to light, many have a colour bar. Texts have colours that
    are easy to tell apart, and further ones other lines and markers too.

    Parameters
    ----------
    df : pandas.DataFrame
        The whole table, so that all panels have the same colours.
    label : hashable, optional
        The column; without one all rows look the same.

    Attributes
    ----------
    codes : numpy.ndarray of int, shape (rows,)
        The level of each row.
    bar : matplotlib.cm.ScalarMappable or None
        What the colour bar shows.
    """

    def __init__(self, df: Any, label: Any = None) -> None:
        import numpy as np

        self.bar: Any = None
        self.texts: list[str] = []
        self.codes = np.zeros(len(df), dtype=int)
        self.colours: list[Any] = palette()[:1]
        self.numeric = self.undefined = False
        if label is None:
            return
        levels = levels_of(df[label].tolist())
        self.codes, self.texts = levels.codes, levels.texts()
        self.numeric = is_numeric(df, label)
        defined = [value for value in levels.values if not is_undefined(value)]
        values = drawable(numbers(df, label)) if self.numeric else np.array([])
        if len(defined) > _MOST_IN_LEGEND and np.isfinite(values).any():
            self.bar = _bar(values[np.isfinite(values)])
            firsts = values[np.unique(levels.codes, return_index=True)[1]][: len(defined)].tolist()
            self.colours = [
                self.bar.to_rgba(value) if value == value else UNDEFINED_COLOUR for value in firsts
            ]
        elif self.numeric and len(defined) > 2:
            self.colours = samples(len(defined))
        else:
            cycle = palette()
            self.colours = [cycle[place % len(cycle)] for place in range(len(defined))]
        self.undefined = len(defined) < len(levels)
        self.colours += [UNDEFINED_COLOUR] * (len(levels) - len(defined))

    def entries(self, used: set[int]) -> list[tuple[int, str]]:
        """Return those of some levels that are in the legend, and their texts."""
        if self.bar is None:
            places = sorted(used)
            texts = short_all([self.texts[place] for place in places], 40)
            return list(zip(places, texts, strict=True))
        last = len(self.texts) - 1
        return [(last, AS_UNDEFINED)] if self.undefined and last in used else []

    def marker(self, level: int) -> str:
        """Return the marker of a level."""
        return MARKERS[level % len(MARKERS)] if self.bar is None and self.texts else MARKERS[0]

    def line(self, level: int) -> str:
        """Return the line style of a level: another one when the colours are used up."""
        return "-" if self.numeric else dashes(level // max(len(palette()), 1))


def _bar(values: Any) -> Any:
    """Return a colour scale of numbers, logarithmic when they span several powers of ten evenly."""
    import numpy as np
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    low, high = float(values.min()), float(values.max())
    norm: Any = Normalize(low, high)
    if is_geometric(np.unique(values)):
        norm = LogNorm(low, high)
    return ScalarMappable(norm=norm, cmap=ListedColormap(samples(256), name="soops"))
