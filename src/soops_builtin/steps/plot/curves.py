"""Rows of a table -> curves: points in the order of x, several rows of one x as one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from soops_builtin.steps.arguments import StepError
from soops_builtin.steps.cells import drawable, is_array
from soops_builtin.steps.groups import aggregate

__all__ = ["Curve", "Source", "array_curves", "curves_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What is drawn as one line.

    Attributes
    ----------
    x, y : numpy.ndarray of float, shape (points,)
        The points; x are numbers or places of categories.
    spread : numpy.ndarray of float, shape (points,), optional
        What goes up and down from y.
    level, which : int
        The level of the hue; which one of the y columns.
    row : int
        The row of the table, for a curve that is a row; else -1.
    merged : bool
        Whether a point is more than one row.
    """

    x: Any
    y: Any
    spread: Any = None
    level: int = 0
    which: int = 0
    row: int = -1
    merged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One y column with what its points are made of.

    Attributes
    ----------
    x, y, error : numpy.ndarray of float, shape (rows,)
        NaN where there is none; ``error`` is None without a column for it.
    codes : numpy.ndarray of int, shape (rows,)
        The level of the hue.
    how, spread : str
        How several rows of one x become one point (``none``: not), and their spread.
    """

    x: Any
    y: Any
    error: Any
    codes: Any
    how: str
    spread: str | None
    which: int
    log: bool


def curves_of(source: Source, rows: Any) -> list[Curve]:
    """Return the curves of some rows, one for each level of the hue that has points."""
    import numpy as np

    found = []
    usable = rows & np.isfinite(source.x) & np.isfinite(source.y)
    if source.log and source.how == "none":
        usable &= source.y > 0
    for level in np.unique(source.codes[usable]):
        places = np.flatnonzero(usable & (source.codes == level))
        x, y = source.x[places], source.y[places]
        if source.how == "none":
            order = np.argsort(x, kind="stable")
            error = None if source.error is None else np.nan_to_num(source.error[places][order])
            curve = Curve(
                x=x[order], y=y[order], spread=error, level=int(level), which=source.which
            )
        else:
            curve = _merge(source, places, int(level))
        if len(curve.x):
            found.append(curve)
    return found


def _merge(source: Source, places: Any, level: int) -> Curve:
    import numpy as np

    x, y = source.x[places], source.y[places]
    at, ids = np.unique(x, return_inverse=True)
    middle = aggregate(y, ids, len(at), source.how)
    spread = None
    if source.spread:
        spread = np.nan_to_num(aggregate(y, ids, len(at), source.spread))
    elif source.error is not None:
        if len(at) < len(x):
            raise StepError("an error column needs one row for each x: name a hue or facets")
        spread = np.nan_to_num(aggregate(source.error[places], ids, len(at), "first"))
    kept = np.isfinite(middle) & ((middle > 0) | (not source.log))
    return Curve(
        x=at[kept],
        y=middle[kept],
        spread=None if spread is None else spread[kept],
        level=level,
        which=source.which,
        merged=len(at) < len(x),
    )


def array_curves(
    df: Any,
    x: Any,
    y: Any,
    codes: Any,
    which: int,
    log: tuple[bool, bool],
    leave_out: Callable[[int, str], None],
) -> list[Curve]:
    """Return one curve for each row whose cell of y is an array.

    Parameters
    ----------
    df : pandas.DataFrame
        The table.
    x : hashable, optional
        A column of arrays of the same lengths; None: the places in the array, from 0.
    y : hashable
        The column of arrays.
    codes : numpy.ndarray of int, shape (rows,)
        The level of the hue of each row.
    which : int
        Which one of the y columns it is.
    log : tuple of bool
        Whether x and y are on logarithmic scales.
    leave_out : callable
        ``leave_out(count, why)`` is told how many rows have no curve.
    """
    import numpy as np

    found, wrong = [], {"no array of numbers": 0, "arrays of different lengths": 0}
    across = [None] * len(df) if x is None else df[x].tolist()
    for row, (cell, other) in enumerate(zip(df[y].tolist(), across, strict=True)):
        ys = _floats(cell)
        xs = np.arange(len(ys), dtype=float) if ys is not None and x is None else _floats(other)
        if ys is None or xs is None:
            wrong["no array of numbers"] += 1
        elif len(xs) != len(ys):
            wrong["arrays of different lengths"] += 1
        else:
            usable = np.isfinite(xs) & ((xs > 0) | (not log[0]))
            ys = np.where(np.isfinite(ys) & ((ys > 0) | (not log[1])), ys, np.nan)
            if np.isfinite(ys[usable]).any():
                level = int(codes[row])
                found.append(Curve(x=xs[usable], y=ys[usable], level=level, which=which, row=row))
            else:
                wrong["no array of numbers"] += 1
    for why, count in wrong.items():
        leave_out(count, f"{why} in {str(y)!r}" + (f" and {str(x)!r}" if x is not None else ""))
    return found


def _floats(cell: Any) -> Any:
    """Return an array of one dimension, NaN for what is no number in it; None for another cell."""
    import numpy as np

    if not is_array(cell) or isinstance(cell, dict | set):
        return None
    try:
        made = drawable([np.nan if item is None else item for item in cell])
    except (TypeError, ValueError, OverflowError):
        return None
    return made if made.ndim == 1 and len(made) else None
