"""Figures of kind ``line`` and ``scatter``."""

from __future__ import annotations

from typing import Any

from soops_builtin.steps.cells import levels_of, shown
from soops_builtin.steps.plot.arguments import PlotArguments
from soops_builtin.steps.plot.curves import Curve
from soops_builtin.steps.plot.look import (
    MARKERS,
    add_bar,
    dashes,
    label_of,
    legend_width,
    palette,
    place_legend,
    short,
)
from soops_builtin.steps.plot.notes import Notes
from soops_builtin.steps.plot.panels import Panel, make_grid
from soops_builtin.steps.plot.plan import Plan

__all__ = ["draw_lines"]

#: Points of a curve above which they have no markers, rows above which curves have no names,
#: points of a figure above which they are small.
_MARKED, _NAMED, _LARGE = 40, 10, 600
_GRAY = "#606060"


def draw_lines(df: Any, data: Any, asked: PlotArguments, notes: Notes) -> Any:
    """Return the figure of curves or points."""
    plan = Plan(df, asked, notes)
    looks = _Looks(plan, data)
    entries = looks.entries()
    title = None if plan.hue_label is None else short(label_of(df, plan.hue_label), 40)
    beside = legend_width([text for _, text in entries])
    beside = beside or 0.9 * bool(plan.hue.bar)
    ticks = plan.scale.texts if plan.scale is not None else ()
    grid = make_grid(df, plan.facets, size=asked.size, beside=beside, ticks=ticks)
    for panel in grid.panels:
        _draw_panel(panel, plan, looks)
    grid.label(plan.x_text(), plan.y_text())
    grid.title(asked.title)
    if plan.hue.bar is not None:
        add_bar(grid, plan.hue.bar, title)
        title = None
    notes.say_if(place_legend(grid.figure, looks.handles(entries), title))
    return grid.figure


class _Looks:
    """How each curve of a figure looks: colour, line and marker."""

    def __init__(self, plan: Plan, data: Any) -> None:
        self.plan = plan
        self.scatter = plan.asked.kind == "scatter"
        self.several = len(plan.ys) > 1
        rows = list(dict.fromkeys(curve.row for curve in plan.curves))
        # Without a hue, curves of few rows have colours and names of their own.
        self.named = rows if plan.scale is None and self._plain() and len(rows) <= _NAMED else []
        drawn = plan.df.iloc[self.named]
        keys = [key for key in plan.df.columns if key in (data.get("multi_par_keys") or ())]
        self.parameters = [key for key in keys if len(levels_of(drawn[key].tolist())) > 1]
        few = max(len(curve.x) for curve in plan.curves) <= _MARKED
        self.marked = self.scatter or (few and plan.scale is not None)
        points = sum(len(curve.x) for curve in plan.curves)
        self.many = points > _LARGE if self.scatter else len(rows) > _NAMED
        self.floor = min((float(_lowest(curve)) for curve in plan.curves), default=1.0) / 2

    def _plain(self) -> bool:
        return self.plan.hue_label is None and not self.several

    def colour(self, curve: Curve) -> Any:
        cycle = palette()
        if self.plan.hue_label is not None:
            return self.plan.hue.colours[curve.level]
        if self.named:
            return cycle[self.named.index(curve.row) % len(cycle)]
        return cycle[curve.which % len(cycle)]

    def marker(self, curve: Curve) -> str:
        if self.several:
            return MARKERS[curve.which % len(MARKERS)]
        return self.plan.hue.marker(curve.level)

    def line(self, curve: Curve) -> str:
        if self.several:
            return dashes(curve.which)
        if self.named:
            return dashes(self.named.index(curve.row) // len(palette()))
        return self.plan.hue.line(curve.level)

    def entries(self) -> list[tuple[Curve | str, str]]:
        """Return what the legend has: an example and a text for each entry."""
        found: list[tuple[Curve | str, str]] = []
        used = {curve.level for curve in self.plan.curves}
        for level, text in self.plan.hue.entries(used) if self.plan.hue_label is not None else ():
            found.append((Curve(x=(), y=(), level=level), text))
        for which, label in enumerate(self.plan.ys if self.several else ()):
            text = short(label_of(self.plan.df, label), 40)
            kind: Curve | str = Curve(x=(), y=(), which=which)
            found.append((dashes(which) if self.plan.hue_label is not None else kind, text))
        for row in self.named if len(self.named) > 1 else ():
            found.append((Curve(x=(), y=(), row=row), self._row_text(row)))
        return found

    def _row_text(self, row: int) -> str:
        cells = self.plan.df.iloc[row]
        pairs = [f"{str(key).lstrip('-')}={shown(cells[key], 16)}" for key in self.parameters]
        return short(", ".join(pairs) or f"row {row}", 60)

    def handles(self, entries: list[tuple[Curve | str, str]]) -> list[Any]:
        from matplotlib.lines import Line2D

        made = []
        for place, (curve, text) in enumerate(entries):
            if isinstance(curve, str):  # one of several y beside a hue
                which = place - (len(entries) - len(self.plan.ys))
                style: dict[str, Any] = {
                    "color": _GRAY,
                    "linestyle": curve,
                    "marker": MARKERS[which % 8],
                }
            else:
                style = {
                    "color": self.colour(curve),
                    "linestyle": self.line(curve),
                    "marker": self.marker(curve),
                }
            if not self.marked:
                del style["marker"]
            if self.scatter:
                style["linestyle"] = "none"
            made.append(Line2D([], [], label=text, **style))
        return made


def _lowest(curve: Curve) -> Any:
    import numpy as np

    return np.nanmin(curve.y)


def _draw_panel(panel: Panel, plan: Plan, looks: _Looks) -> None:
    for curve in plan.of_rows(panel.rows):
        draw = _draw_points if looks.scatter else _draw_line
        draw(panel.ax, curve, plan, looks)
    if plan.asked.logy:
        panel.ax.set_yscale("log")
    if plan.scale is not None:
        plan.scale.set_on(panel.ax, panel.width)
    elif plan.asked.logx:
        panel.ax.set_xscale("log")
    elif plan.x is None:
        panel.ax.xaxis.get_major_locator().set_params(integer=True)


def _draw_line(ax: Any, curve: Curve, plan: Plan, looks: _Looks) -> None:
    colour = looks.colour(curve)
    ax.plot(
        curve.x,
        curve.y,
        color=colour,
        linestyle=looks.line(curve),
        marker=looks.marker(curve) if looks.marked else "",
        alpha=0.6 if looks.many and plan.scale is None else 1.0,
    )
    if curve.spread is not None:
        low, high = _bounds(curve, plan, looks)
        if plan.scale is not None and plan.scale.numeric and len(curve.x) > 1:
            ax.fill_between(curve.x, low, high, color=colour, alpha=0.18, linewidth=0)
        else:
            _bars(ax, curve, low, high, colour)


def _draw_points(ax: Any, curve: Curve, plan: Plan, looks: _Looks) -> None:
    colour = looks.colour(curve)
    if curve.spread is not None:
        _bars(ax, curve, *_bounds(curve, plan, looks), colour)
    ax.scatter(
        curve.x,
        curve.y,
        color=colour,
        marker=looks.marker(curve),
        s=10 if looks.many else 26,
        alpha=0.55 if looks.many else 0.85,
        linewidths=0,
        zorder=2.5,
    )


def _bounds(curve: Curve, plan: Plan, looks: _Looks) -> tuple[Any, Any]:
    """Return where spreads end; on a logarithmic scale they end below the lowest point."""
    import numpy as np

    low = curve.y - curve.spread
    if plan.asked.logy:
        low = np.where(low > 0, np.maximum(low, looks.floor), looks.floor)
    return low, curve.y + curve.spread


def _bars(ax: Any, curve: Curve, low: Any, high: Any, colour: Any) -> None:
    ends = (curve.y - low, high - curve.y)
    ax.errorbar(curve.x, curve.y, yerr=ends, fmt="none", ecolor=colour, capsize=3, elinewidth=1)
