"""The panels of a figure: one, or one for each value of the facets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from soops_builtin.steps.arguments import StepError
from soops_builtin.steps.cells import Levels, levels_of
from soops_builtin.steps.plot.look import label_of, short, short_all
from soops_builtin.steps.plot.scales import room_below

__all__ = ["Grid", "Panel", "make_grid"]

_MOST = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel: its axes, the rows of the table in it, and about how wide it is in inches."""

    ax: Any
    rows: Any
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A figure with its panels."""

    figure: Any
    panels: Sequence[Panel]
    single: bool

    def label(self, x: str | None, y: str | None) -> None:
        """Write what is shown in both directions: once, also when there are many panels."""
        if self.single:
            self.panels[0].ax.set_xlabel(x or "")
            self.panels[0].ax.set_ylabel(y or "")
            return
        self.figure.supxlabel(x or "", fontsize="medium")
        self.figure.supylabel(y or "", fontsize="medium")

    def title(self, text: str | None) -> None:
        """Write a title above everything."""
        if not text:
            return
        if self.single:
            self.panels[0].ax.set_title(text, fontsize=self.figure_title_size())
        else:
            self.figure.suptitle(text)

    @staticmethod
    def figure_title_size() -> Any:
        """Return the size of titles in the style."""
        import matplotlib

        return matplotlib.rcParams["figure.titlesize"]


def make_grid(
    df: Any,
    facets: Sequence[Any],
    *,
    size: tuple[float, float] | None = None,
    beside: float = 0.0,
    ticks: Sequence[str] = (),
    panel_size: tuple[float, float] = (5.6, 4.2),
) -> Grid:
    """Return a figure with a panel for each value of a column, or each pair of two columns.

    Parameters
    ----------
    df : pandas.DataFrame
        The table.
    facets : sequence
        No column, one, or two: then the first goes down and the second across.
    size : tuple of float, optional
        Inches of the figure; by default what panels, legend and labels need.
    beside : float
        Inches for what stands beside the panels.
    ticks : sequence of str
        The texts at the x-axis.
    panel_size : tuple of float
        Inches of a single panel.

    Raises
    ------
    StepError
        When there would be too many panels.
    """
    from matplotlib.figure import Figure

    levels = [levels_of(df[label].tolist()) for label in facets]
    shape = _shape([len(level) for level in levels])
    if shape[0] * shape[1] > _MOST:
        raise StepError(
            f"facets would make {shape[0]} x {shape[1]} panels, and there is room for {_MOST}"
        )
    width, height = panel_size
    if shape != (1, 1):
        part = 0.7 if shape[0] == 1 else 0.55
        width, height = max(2.3, 0.55 * width), max(1.9, part * height)
    below = room_below(list(ticks), width - 0.2)
    inches = size or (width * shape[1] + beside + 0.5, height * shape[0] + below + 0.4)
    figure = Figure(figsize=inches, layout="constrained")
    axes = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False)
    room = (inches[0] - beside - 0.7) / shape[1] * 0.95, (inches[1] - 0.6) / shape[0] * 0.9
    return _fill(figure, df, facets, levels, axes, room)


def _shape(counts: Sequence[int]) -> tuple[int, int]:
    if not counts:
        return 1, 1
    if len(counts) == 2:
        return counts[0], counts[1]
    across = counts[0] if counts[0] <= 3 else math.ceil(math.sqrt(counts[0]))
    return math.ceil(counts[0] / across), across


def _fill(
    figure: Any, df: Any, facets: Sequence[Any], levels: Sequence[Any], axes: Any, room: Any
) -> Grid:
    """Give each panel its rows and its title; those without rows are taken away."""
    import numpy as np

    panels = []
    for place, ax in enumerate(axes.flat):
        down, across = divmod(place, axes.shape[1])
        rows = np.ones(len(df), dtype=bool)
        if len(facets) == 1:
            rows = levels[0].codes == place
            if place < len(levels[0]):
                ax.set_title(_title(df, facets[0], levels[0], place, room[0]))
        elif facets:
            rows = (levels[0].codes == down) & (levels[1].codes == across)
            if down == 0:
                ax.set_title(_title(df, facets[1], levels[1], across, room[0]))
            if across == axes.shape[1] - 1:
                text = _title(df, facets[0], levels[0], down, room[1])
                ax.annotate(text, (1.02, 0.5), xycoords="axes fraction", rotation=270, va="center")
        if rows.any():
            panels.append(
                Panel(ax=ax, rows=rows, width=max(room[0], 0.5), height=max(room[1], 0.5))
            )
        elif len(facets) == 1:
            ax.set_axis_off()
            axes[down - 1, across].tick_params(labelbottom=True)
    return Grid(figure=figure, panels=panels, single=axes.size == 1)


def _title(df: Any, label: Any, levels: Levels, place: int, inches: float) -> str:
    """Return ``mass = 1``, not longer than the panel."""
    letters = max(int(inches / 0.085), 12)
    name = short(label_of(df, label), max(letters // 2, letters - 9))
    texts = short_all(levels.texts(), max(letters - len(name) - 3, 6))
    return f"{name} = {texts[place]}"
