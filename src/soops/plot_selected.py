"""Plot the rows of a table, each parameter shown by a style of its own.

Part of the script library; numpy and matplotlib are imported when a plot is made. The
words used here:

- *selected*: parameter to the list of its values that are plotted;
- *styles*: parameter to ``{style name: list}``, one item for each of its values, as
  ``{'num': {'color': [...]}, 'host': {'ls': ['-', '--']}}``. Short lists are used again;
- *indices*: parameter to the place of a row's value in the list of its values;
- *used*: parameter to the set of the places that were plotted;
- *compares*: parameter to a function of a selected value and that of a row, which tells
  whether they are the same; without one they are compared by ``==``, and missing values
  (None, NaN) are the same.

A function for labels is called with the parameter, the place of the value, and the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from soops.base import output
from soops.plot_styles import (
    Selected,
    Styles,
    get_cat_style,
    get_parameters_styles,
    normalize_selected,
    select_by_keys,
    select_cat_style,
    setup_plot_styles,
)

__all__ = [
    "add_legend",
    "get_cat_style",
    "get_indices_in_selected",
    "get_legend_items",
    "get_parameters_styles",
    "get_plot_style",
    "get_row_style",
    "get_row_style_used",
    "normalize_selected",
    "plot_selected",
    "select_by_keys",
    "select_cat_style",
    "setup_plot_styles",
    "update_used",
]

Compares = Mapping[str, Callable[[Any, Any], Any]]
Indices = Mapping[str, int]
Used = dict[str, set[int]]
FormatLabels = Callable[[str, int, Any], str]

GRAY = (0.5, 0.5, 0.5)
#: Styles that are seen on markers only.
_OF_MARKERS = frozenset(
    {
        "markersize",
        "ms",
        "markerfacecolor",
        "mfc",
        "markeredgecolor",
        "mec",
        "markeredgewidth",
        "mew",
        "fillstyle",
    }
)


def get_indices_in_selected(
    selected: Selected, row: Any, compares: Compares | None = None
) -> dict[str, int] | None:
    """Return the places of a row's values, or None when one of them is not selected.

    Parameters
    ----------
    selected : mapping
        Parameters and their values.
    row : mapping or pandas.Series
        Has a value for each of the parameters.
    compares : mapping, optional
        See the module.
    """
    indices = {}
    given: Compares = compares or {}
    for key, values in selected.items():
        same: Callable[[Any, Any], Any] = given.get(key, _is_same)
        wanted = row[key]
        for place, value in enumerate(values):
            if same(value, wanted):
                indices[key] = place
                break
        else:
            return None
    return indices


def _is_same(one: Any, other: Any) -> bool:
    if _is_missing(one) or _is_missing(other):
        return _is_missing(one) and _is_missing(other)
    try:
        return bool(one == other)
    except (TypeError, ValueError):  # arrays
        import numpy as np

        return np.array_equal(one, other)


def _is_missing(value: Any) -> bool:
    """Tell whether a value is None, NaN, NaT or NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False


def get_plot_style(indices: Indices, styles: Styles) -> dict[str, Any]:
    """Return the styles of one curve: keyword arguments of ``Axes.plot``."""
    style: dict[str, Any] = {}
    for key, place in indices.items():
        for name, values in styles.get(key, {}).items():
            if not len(values):
                continue
            if name in style:
                output(f'style key "{name}" of "{key}" already in use!')
            style[name] = values[place % len(values)]
    return style


def get_row_style(
    row: Any, selected: Selected, compares: Compares | None, styles: Styles, **plot_kwargs: Any
) -> tuple[dict[str, Any] | None, dict[str, int] | None]:
    """Return the style of a row and the places of its values; None if it is not selected.

    Keyword arguments take precedence over the style.
    """
    indices = get_indices_in_selected(selected, row, compares)
    if indices is None:
        return None, None
    return {**get_plot_style(indices, styles), **plot_kwargs}, indices


def update_used(used: Used | None, indices: Indices) -> Used:
    """Add the places of a plotted row to ``used``, and return it."""
    used = {} if used is None else used
    for key, place in indices.items():
        used.setdefault(key, set()).add(place)
    return used


def get_row_style_used(
    row: Any,
    selected: Selected,
    compares: Compares | None,
    styles: Styles,
    used: Used | None,
    **plot_kwargs: Any,
) -> tuple[dict[str, Any] | None, dict[str, int] | None, Used]:
    """Return what :func:`get_row_style` does, and ``used`` with the row added."""
    style, indices = get_row_style(row, selected, compares, styles, **plot_kwargs)
    return style, indices, update_used(used, indices or {})


def get_legend_items(
    selected: Selected,
    styles: Styles,
    used: Mapping[str, Iterable[int]] | None = None,
    format_labels: FormatLabels | None = None,
) -> tuple[list[list[Any]], list[list[str]]]:
    """Return lines and labels for a legend, a list of each for every styled parameter.

    Parameters
    ----------
    selected, styles : mapping
        See the module.
    used : mapping, optional
        Show only these places; by default all.
    format_labels : callable, optional
        Makes a label; by default ``'parameter: value'``.
    """
    from matplotlib.lines import Line2D

    lines, labels = [], []
    for key, values in selected.items():
        own = {name: items for name, items in styles.get(key, {}).items() if len(items)}
        places = range(len(values)) if used is None else sorted(used.get(key, ()))
        if not own or not places:
            continue
        row = []
        for place in places:
            style = {name: items[place % len(items)] for name, items in own.items()}
            if _OF_MARKERS & style.keys() and "marker" not in style:
                style["marker"] = "o"
            if "color" not in style and "c" not in style:
                style["color"] = GRAY
            row.append(Line2D([], [], **style))
        lines.append(row)
        make = format_labels or (lambda key, place, value: f"{key}: {value}")
        labels.append([make(key, place, values[place]) for place in places])
    return lines, labels


def add_legend(
    ax: Any,
    lines: Sequence[Sequence[Any]],
    labels: Sequence[Sequence[str]],
    per_parameter: bool = False,
    max_legend_labels: int | None = None,
    loc: Any = "best",
    fontsize: Any = None,
    frame_alpha: float | None = 0.5,
    **kwargs: Any,
) -> None:
    """Add the legend of :func:`get_legend_items` to axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to.
    lines, labels : sequences
        One sequence for each parameter.
    per_parameter : bool
        A legend for each parameter.
    max_legend_labels : int, optional
        Show at most so many labels of a parameter, the first and the last among them.
    loc : str or int, or list of these
        The place, or that of each legend.
    fontsize : number or str, optional
        Of the labels.
    frame_alpha : float
        How opaque the frames are.
    **kwargs
        Further arguments of ``Axes.legend``.
    """
    if max_legend_labels is not None:
        lines = [_thinned(items, max_legend_labels) for items in lines]
        labels = [_thinned(items, max_legend_labels) for items in labels]
    options = {"fontsize": fontsize, "framealpha": frame_alpha, **kwargs}
    if not per_parameter:
        flat_lines = [line for items in lines for line in items]
        flat_labels = [label for items in labels for label in items]
        ax.legend(flat_lines, flat_labels, loc=loc, **options)
        return
    locs = loc if isinstance(loc, list) else [loc] * len(lines)
    for place, (row, texts) in enumerate(zip(lines, labels, strict=True)):
        legend = ax.legend(row, texts, loc=locs[place % len(locs)], **options)
        if place < len(lines) - 1:  # the next call would take its place
            ax.add_artist(legend)


def _thinned(items: Sequence[Any], count: int) -> list[Any]:
    """Return ``count`` items, evenly spaced, with the first and the last one."""
    if len(items) <= count:
        return list(items)
    if count < 2:
        return list(items[:count])
    return [items[place * (len(items) - 1) // (count - 1)] for place in range(count)]


def plot_selected(
    ax: Any,
    df: Any,
    column: str,
    selected: Selected,
    compares: Compares | None,
    styles: Styles,
    format_labels: FormatLabels | None = None,
    xaxis: str | None = None,
    legend_kwargs: Mapping[str, Any] | None = None,
    make_legend: bool = True,
    max_legend_labels: int | None = None,
    **plot_kwargs: Any,
) -> Any:
    """Plot a column of a table, one curve for each row whose parameters are selected.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Where to; None makes a figure.
    df : pandas.DataFrame
        The table.
    column : str
        The column with the values: arrays or lists. Rows without a value are left out.
    selected, compares, styles : mapping
        See the module.
    format_labels : callable, optional
        See :func:`get_legend_items`.
    xaxis : str, optional
        The column with the abscissae; by default 0, 1, ...
    legend_kwargs : mapping, optional
        Arguments of :func:`add_legend`.
    make_legend : bool
        Whether there is a legend; it shows what was plotted.
    max_legend_labels : int, optional
        See :func:`add_legend`.
    **plot_kwargs
        Arguments of ``Axes.plot``; they take precedence over the styles.

    Returns
    -------
    Axes, or (Axes, lines, labels)
        Without a legend, what :func:`add_legend` needs to make one.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots()
    used: Used = {}
    for _, row in df.iterrows():
        values = row[column]
        if values is None:
            continue
        style, _, used = get_row_style_used(row, selected, compares, styles, used, **plot_kwargs)
        if style is not None:
            ax.plot(*(() if xaxis is None else (row[xaxis],)), values, **style)
    lines, labels = get_legend_items(selected, styles, used or None, format_labels)
    if not make_legend:
        return ax, lines, labels
    options = {"max_legend_labels": max_legend_labels, **(legend_kwargs or {})}
    add_legend(ax, lines, labels, **options)
    return ax
