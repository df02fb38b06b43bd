"""The arguments of ``plot``. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from soops_builtin.steps.arguments import AGGREGATES, Arguments, StepError

__all__ = ["ERRORS", "FIGURE_SUFFIXES", "KINDS", "PlotArguments", "check", "read"]

KINDS = ("line", "scatter", "heatmap", "parallel")
FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
#: Spreads that are computed; another word is a column.
ERRORS = ("std", "sem")
#: What is of no use for a kind of figure.
_USELESS = {
    "line": ("value", "columns"),
    "scatter": ("value", "columns"),
    "heatmap": ("hue", "columns", "error", "logx", "logy"),
    "parallel": (
        *("x", "value", "facets", "aggregate", "error"),
        *("logx", "logy", "xlabel", "ylabel"),
    ),
}
#: What a kind of figure is made of.
_NEEDED = {
    "line": ("x", "y"),
    "scatter": ("x", "y"),
    "heatmap": ("x", "y", "value"),
    "parallel": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotArguments:
    """What is to be drawn; the fields are the arguments of :func:`plot`."""

    kind: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    hue: str | None
    facets: tuple[str, ...]
    value: tuple[str, ...]
    columns: tuple[str, ...]
    aggregate: str | None
    error: str | None
    logx: bool
    logy: bool
    title: str | None
    xlabel: str | None
    ylabel: str | None
    size: tuple[float, float] | None
    dpi: float
    style: str | None
    output: tuple[str, ...]
    table: str | None


def check(**kwargs: Any) -> None:
    """Raise ValueError when the arguments of ``plot`` cannot be right."""
    read(kwargs)


def read(kwargs: Mapping[str, Any]) -> PlotArguments:
    """Return the arguments of a step.

    Raises
    ------
    StepError
        When one is missing, unknown or of another kind.
    """
    given = Arguments(kwargs)
    kind = given.choice("kind", KINDS, "line") or ""
    given.refuse(_USELESS[kind], f"the figure is of kind {kind!r}")
    x, y, value = (given.names(name) for name in ("x", "y", "value"))
    asked = PlotArguments(
        kind=kind,
        x=x,
        y=y,
        value=value,
        hue=given.text("hue"),
        facets=given.names("facets"),
        columns=given.names("columns"),
        aggregate=given.choice("aggregate", (*AGGREGATES, "none"), None),
        error=given.text("error"),
        logx=given.flag("logx"),
        logy=given.flag("logy"),
        title=given.text("title"),
        xlabel=given.text("xlabel"),
        ylabel=given.text("ylabel"),
        size=given.pair("size", 1, 100),
        dpi=given.number("dpi", 10, 1200, 150),
        style=given.text("style"),
        output=given.files("output", FIGURE_SUFFIXES),
        table=given.text("table"),
    )
    given.close()
    for name in _NEEDED[kind]:
        if not getattr(asked, name):
            raise StepError(f'{name} is missing: write {name} = "a column"')
    _check_together(asked)
    return asked


def _check_together(asked: PlotArguments) -> None:
    """Raise when arguments do not fit each other."""
    for name in ("x", "value", *(["y"] if asked.kind == "heatmap" else [])):
        if len(getattr(asked, name)) > 1:
            raise StepError(f"{name} is one column: {', '.join(getattr(asked, name))}")
    if len(asked.facets) > 2:
        raise StepError(f"facets are one column or two: {', '.join(asked.facets)}")
    if len(asked.columns) == 1:
        raise StepError(f"columns are at least two: {asked.columns[0]}")
    if asked.error and asked.aggregate not in (None, "mean", "median"):
        raise StepError(f"error goes with the aggregate mean or median: {asked.aggregate!r}")
