"""The step ``plot``: from a table to the files of a figure."""

from __future__ import annotations

from typing import Any

from soops_builtin.steps.arguments import StepError, known_as
from soops_builtin.steps.groups import with_data
from soops_builtin.steps.plot.arguments import PlotArguments, read
from soops_builtin.steps.plot.look import styled
from soops_builtin.steps.plot.notes import Notes
from soops_builtin.steps.plot.saving import file_names, save_figure

__all__ = ["draw", "plot"]


def plot(df: Any, data: Any = None, **kwargs: Any) -> Any:
    """Draw a figure of the table and write it.

    Parameters
    ----------
    df : pandas.DataFrame
        The table; ``df.attrs["units"]`` has the units of columns for the labels of axes.
    data : Struct, optional
        What the steps share; ``output_dir`` is where files go.
    kind : str
        ``line`` (default), ``scatter``, ``heatmap`` or ``parallel``.
    x : str
        The column that goes across; ``index`` where y holds arrays without an x.
    y : str or list of str
        The column that goes up; of a line or scatter also several.
    hue : str
        The column that makes colours.
    facets : str or list of str
        The column that makes panels; of two, the first goes down and the second across.
    value : str
        The column that makes the colours of a heat map.
    columns : list of str
        The axes of parallel coordinates; by default the parameters with several values, and y.
    aggregate : str
        What becomes of several rows at one place: mean, median, min, max, sum, std, sem,
        count, first, last or none. By default mean, and none for a scatter.
    error : str
        ``std`` or ``sem`` of the rows at one place, or a column: a band, or bars.
    logx, logy : bool
        Logarithmic scales.
    title, xlabel, ylabel : str
        Texts; formulas of matplotlib between dollar signs are allowed.
    size : list of two numbers
        Inches of the figure.
    dpi : number
        Pixels of an inch in png, 150 by default.
    style : str
        A style of matplotlib.
    output : str or list of str
        Files to write, ``.png``, ``.svg`` or ``.pdf``; by default a png named after the columns.
    table : str
        A table of the data instead of ``df``: ``statistics`` after the step of that name.

    Returns
    -------
    Struct
        The data; ``figures`` are the paths of all figures that were made.

    Raises
    ------
    StepError
        When an argument is wrong, or nothing is left to plot.
    """
    data, asked = with_data(data), read(kwargs)
    table = _table(df, data, asked.table)
    notes = Notes(len(table))
    with styled(asked.style):
        figure = draw(table, data, asked, notes)
        names = file_names(asked, data.get("figures") or ())
        data.figures = save_figure(figure, data, names, asked.dpi, notes)
    return data


def draw(table: Any, data: Any, asked: PlotArguments, notes: Notes) -> Any:
    """Return the figure of a table, a ``matplotlib.figure.Figure`` that no window knows of."""
    from soops_builtin.steps.plot.heatmap import draw_heatmap
    from soops_builtin.steps.plot.lines import draw_lines
    from soops_builtin.steps.plot.parallel import draw_parallel

    if not len(table):
        raise StepError("there is nothing to plot: the table has no rows")
    drawings = {
        "line": draw_lines,
        "scatter": draw_lines,
        "heatmap": draw_heatmap,
        "parallel": draw_parallel,
    }
    return drawings[asked.kind](table, data, asked, notes)


def _table(df: Any, data: Any, name: str | None) -> Any:
    if name is None:
        return df
    tables = [key for key, value in dict.items(data) if hasattr(value, "columns")]
    if name not in tables:
        raise StepError(
            f"there is no table {name!r}{known_as(name, tables)}; a step before this one makes it"
        )
    return data[name]
