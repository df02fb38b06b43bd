"""Figures of kind ``parallel``: a line for each row over axes side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from soops_builtin.steps.arguments import StepError
from soops_builtin.steps.cells import (
    drawable,
    find_column,
    is_numeric,
    is_undefined,
    levels_of,
    numbers,
)
from soops_builtin.steps.plot.arguments import PlotArguments
from soops_builtin.steps.plot.hues import Hue
from soops_builtin.steps.plot.look import (
    add_bar,
    is_geometric,
    label_of,
    legend_width,
    number_texts,
    place_legend,
    short,
)
from soops_builtin.steps.plot.notes import Notes
from soops_builtin.steps.plot.panels import Grid, make_grid

__all__ = ["draw_parallel"]

#: Different numbers that are ticks of their own; ticks on an axis at most; axes at most.
_FEW, _TICKS, _AXES = 8, 14, 24


class _Axis:
    """One of the axes: where the rows are on it, from 0 to 1, and its ticks."""

    def __init__(self, df: Any, label: Any, is_parameter: bool) -> None:
        import numpy as np

        self.label = label
        levels = levels_of(df[label].tolist())
        numeric = is_numeric(df, label)
        cells = df[label].tolist()
        undefined = any(is_undefined(x) and (is_parameter or isinstance(x, str)) for x in cells)
        if numeric and not (undefined and len(levels) <= _FEW):
            values = drawable(numbers(df, label))
            if np.isnan(values).all():
                raise StepError(f"there is no number in the column {str(label)!r}")
            self._of_numbers(values)
            return
        # Few values of a parameter, undefined among them: that is a place like the others.
        count = len(levels)
        self.places = (levels.codes + 0.5) / count
        every = -(-count // _TICKS)
        texts = levels.texts()
        self.ticks = [((i + 0.5) / count, texts[i]) for i in range(0, count, every)]

    def _of_numbers(self, values: Any) -> None:
        import numpy as np
        from matplotlib.ticker import MaxNLocator

        found: Any = np.unique(values[np.isfinite(values)])
        log = is_geometric(found)
        if log:
            values, found = np.log10(values), np.log10(found)
        low, high = float(found[0]), float(found[-1])
        span = high - low
        self.places = (values - low) / span if span else np.where(np.isnan(values), np.nan, 0.5)
        near = len(found) > 1 and np.diff(found).min() < span / (1.5 * _FEW)
        if len(found) > _FEW or near:
            steps = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], integer=log)
            found = steps.tick_values(low, high)
            found = found[(found >= low) & (found <= high)]
        at = (found - low) / span if span else [0.5]
        values = 10.0**found if log else found
        texts = number_texts([round(value, 12) for value in values.tolist()])
        self.ticks = [(float(place), text) for place, text in zip(at, texts, strict=True)]


def draw_parallel(df: Any, data: Any, asked: PlotArguments, notes: Notes) -> Any:
    """Return the figure of parallel coordinates; lines have the colours of the last axis."""
    import numpy as np

    labels = _labels(df, data, asked)
    hue_label = labels[-1] if asked.hue is None else find_column(df, asked.hue)
    keys = data.get("par_keys") or ()
    axes = [_Axis(df, label, label in keys) for label in labels]
    hue = Hue(df, hue_label)
    places = np.stack([axis.places for axis in axes], axis=1)
    usable = np.isfinite(places).all(axis=1)
    notes.leave_out(int((~usable).sum()), "no number on one of the axes")
    if not usable.any():
        raise StepError("nothing is left to plot: no row has a number on each of the axes")
    entries = hue.entries(set(hue.codes[usable].tolist()))
    texts = [text for _, text in entries]
    width = max(1.35 * len(labels), 4.6)
    beside = legend_width(texts) or 0.9 * (hue.bar is not None)
    grid = make_grid(df, (), size=asked.size, beside=beside, panel_size=(width, 4.4))
    _draw_axes(grid, df, axes)
    _draw_rows(grid.panels[0].ax, places[usable], hue, hue.codes[usable])
    grid.title(asked.title)
    title: str | None = short(label_of(df, hue_label), 40)
    if hue.bar is not None:
        add_bar(grid, hue.bar, title)
        title = None
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=hue.colours[i], ls=hue.line(i), label=t) for i, t in entries]
    notes.say_if(place_legend(grid.figure, handles, title))
    return grid.figure


def _labels(df: Any, data: Any, asked: PlotArguments) -> Sequence[Any]:
    """Return the columns of the axes: those asked for, or the parameters and the y columns."""
    labels = [find_column(df, name) for name in asked.columns]
    if not labels:
        keys = data.get("multi_par_keys") or ()
        labels = [label for label in df.columns if label in keys]
        labels += [x for name in asked.y if (x := find_column(df, name)) not in labels]
    if len(labels) < 2:
        raise StepError(
            'there are no two parameters with several values: write columns = ["a", "b"]'
        )
    if len(labels) > _AXES:
        raise StepError(f"there would be {len(labels)} axes: name {_AXES} at most by columns")
    return labels


def _draw_axes(grid: Grid, df: Any, axes: Sequence[_Axis]) -> None:
    ax = grid.panels[0].ax
    room = grid.panels[0].width / max(len(axes) - 1, 1)
    letters = max(6, int(room / 0.085))
    names = [short(label_of(df, axis.label), 28) for axis in axes]
    ax.set_xticks(range(len(axes)), labels=names)
    turned = max(map(len, names)) > letters
    for text in ax.get_xticklabels():
        if turned:
            text.set(rotation=25, ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.1, len(axes) - 0.55)
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_visible(False)
    ax.grid(False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    for place, axis in enumerate(axes):
        ax.axvline(place, color="#404040", linewidth=1.0, zorder=3)
        for at, text in axis.ticks:
            ax.plot([place, place + 0.03], [at, at], color="#404040", linewidth=1.0, zorder=3)
            ax.annotate(
                short(text, 16),
                (place + 0.05, at),
                va="center",
                fontsize=8,
                zorder=4,
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8},
            )


def _draw_rows(ax: Any, places: Any, hue: Hue, codes: Any) -> None:
    import numpy as np
    from matplotlib.collections import LineCollection

    x = np.arange(places.shape[1], dtype=float)
    segments = [np.column_stack([x, row]) for row in places]
    alpha = float(np.clip(60 / len(segments), 0.15, 0.85))
    lines = LineCollection(
        segments,
        colors=[hue.colours[code] for code in codes],
        linestyles=[hue.line(code) for code in codes],
        linewidths=1.3,
        alpha=alpha,
    )
    ax.add_collection(lines)
