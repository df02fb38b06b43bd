"""Figures of kind ``heatmap``: a colour for each pair of values."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from soops_builtin.steps.arguments import StepError
from soops_builtin.steps.cells import drawable, find_column, levels_of, numbers
from soops_builtin.steps.groups import aggregate, counted
from soops_builtin.steps.plot.arguments import PlotArguments
from soops_builtin.steps.plot.look import add_bar, label_of
from soops_builtin.steps.plot.notes import Notes
from soops_builtin.steps.plot.panels import Grid, Panel, make_grid
from soops_builtin.steps.plot.scales import level_texts, set_categories

__all__ = ["draw_heatmap"]

#: Cells that are annotated with their numbers, and cells at most in one direction.
_ANNOTATED, _MOST = 150, 1000
#: Points that a person can read.
_READABLE = 4.5
_EMPTY = "#D9D9D9"


class _Cells:
    """The numbers of one heat map, or of one in each panel."""

    def __init__(self, df: Any, asked: PlotArguments, notes: Notes) -> None:
        import numpy as np

        self.x, self.y, self.value = (
            find_column(df, name) for name in (asked.x[0], asked.y[0], asked.value[0])
        )
        self.across = levels_of(df[self.x].tolist())
        self.down = levels_of(df[self.y].tolist())
        for name, level in ((self.x, self.across), (self.y, self.down)):
            if len(level) > _MOST:
                raise StepError(f"{str(name)!r} has {len(level)} values: too many for a heat map")
        self.values = drawable(numbers(df, self.value))
        self.how = asked.aggregate or "mean"
        missing = int(np.isnan(self.values).sum())
        if missing == len(self.values):
            raise StepError(f"there is no number in the column {str(self.value)!r}")
        notes.leave_out(missing, f"no number in {str(self.value)!r}")
        self.merged = False

    def of_rows(self, rows: Any) -> Any:
        """Return the numbers of some rows, of shape (values of y, values of x), NaN for none."""
        import numpy as np

        shape = len(self.down), len(self.across)
        usable = rows & np.isfinite(self.values)
        ids = (self.down.codes * shape[1] + self.across.codes)[usable]
        if self.how == "none" and len(np.unique(ids)) < len(ids):
            raise StepError("there are several rows for a cell: name an aggregate or facets")
        self.merged |= len(np.unique(ids)) < len(ids)
        how = "first" if self.how == "none" else self.how
        found = aggregate(self.values[usable], ids, shape[0] * shape[1], how).reshape(shape)
        present = np.zeros(shape[0] * shape[1], dtype=bool)
        present[ids] = True
        return np.where(present.reshape(shape), found, np.nan)


def draw_heatmap(df: Any, data: Any, asked: PlotArguments, notes: Notes) -> Any:
    """Return the figure of a heat map."""
    import numpy as np
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    cells = _Cells(df, asked, notes)
    shape = len(cells.down), len(cells.across)
    facets = [find_column(df, name) for name in asked.facets]
    size = min(max(0.62 * shape[1], 3.6), 9.0) + 1.0, min(max(0.45 * shape[0], 2.6), 8.0) + 0.9
    grid = make_grid(
        df, facets, size=asked.size, beside=0.9, ticks=level_texts(cells.across), panel_size=size
    )
    tables = [cells.of_rows(panel.rows) for panel in grid.panels]
    drawn = np.concatenate([table[np.isfinite(table)] for table in tables])
    if not len(drawn):
        raise StepError(f"nothing is left to plot: the {cells.how} needs more rows in a cell")
    scale = ScalarMappable(norm=Normalize(drawn.min(), drawn.max()))
    for panel, table in zip(grid.panels, tables, strict=True):
        _draw_panel(panel, table, cells, scale)
    empty = sum(int(np.isnan(table).sum()) for table in tables)
    if empty:
        notes.say(f"{counted(empty, 'cell')} of the heat map without a number: gray")
    x, y = asked.xlabel, asked.ylabel
    grid.label(label_of(df, cells.x) if x is None else x, label_of(df, cells.y) if y is None else y)
    grid.title(asked.title)
    what = label_of(df, cells.value)
    add_bar(grid, scale, f"{what}, {cells.how}" if cells.merged or cells.how == "count" else what)
    _annotate_all(grid, tables, scale)
    return grid.figure


def _draw_panel(panel: Panel, table: Any, cells: _Cells, scale: Any) -> None:
    import numpy as np

    ax = panel.ax
    ax.set_facecolor(_EMPTY)
    edges = [np.arange(count + 1) - 0.5 for count in (table.shape[1], table.shape[0])]
    ax.pcolormesh(*edges, np.ma.masked_invalid(table), norm=scale.norm, cmap=scale.cmap)
    set_categories(ax.xaxis, level_texts(cells.across), panel.width)
    set_categories(ax.yaxis, level_texts(cells.down), panel.height)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _annotate_all(grid: Grid, tables: Sequence[Any], scale: Any) -> None:
    """Write the numbers into the cells, if all of them fit."""
    import numpy as np

    if max(table.size for table in tables) > _ANNOTATED:
        return
    with warnings.catch_warnings():  # a figure that is too small is told of when it is written
        warnings.simplefilter("ignore")
        grid.figure.get_layout_engine().execute(grid.figure)
    width, height = grid.figure.get_size_inches() * 72
    sizes = [9.0]
    for panel, table in zip(grid.panels, tables, strict=True):
        box = panel.ax.get_position()
        longest = max((len(f"{value:.3g}") for value in table[np.isfinite(table)]), default=1)
        sizes.append(box.width * width / table.shape[1] / (0.7 * longest))
        sizes.append(box.height * height / table.shape[0] * 0.65)
    if min(sizes) >= _READABLE:
        for panel, table in zip(grid.panels, tables, strict=True):
            _annotate(panel.ax, table, scale, min(sizes))


def _annotate(ax: Any, table: Any, scale: Any, points: float) -> None:
    """Write the number of each cell into it, dark on light colours and light on dark ones."""
    import numpy as np

    for down, across in zip(*np.nonzero(np.isfinite(table)), strict=True):
        value = float(table[down, across])
        red, green, blue, _ = scale.to_rgba(value)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        ax.text(
            across,
            down,
            f"{value:.3g}",
            ha="center",
            va="center",
            fontsize=points,
            color="white" if dark else "black",
        )
