"""Groups of rows with equal values in some columns, and what becomes of the numbers in each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from soops.base import AttrDict, Output, Struct
from soops_builtin.steps.cells import is_numeric, levels_of

__all__ = [
    "Groups",
    "aggregate",
    "as_column",
    "as_object_column",
    "counted",
    "log",
    "own_columns",
    "say",
    "with_data",
]

log = logging.getLogger("soops")
say = Output("").get_output_function()

#: Integers up to this are exact as floats.
_EXACT = 2**53
#: Columns of soops itself.
_OWN = ("time", "state", "returncode", "number")


class Groups:
    """The rows of a table by the values of some columns.

    Parameters
    ----------
    df : pandas.DataFrame
        The table.
    labels : sequence
        Its columns; none make one group of all rows.

    Attributes
    ----------
    codes : numpy.ndarray of int, shape (groups, columns)
        The level of each group, in natural order; undefined values are a level of their own.
    ids : numpy.ndarray of int, shape (rows,)
        The group of each row.
    """

    def __init__(self, df: Any, labels: Sequence[Any]) -> None:
        import numpy as np

        self.labels = list(labels)
        self.levels = [levels_of(df[label].tolist()) for label in labels]
        if labels and len(df):
            table = np.stack([level.codes for level in self.levels], axis=1)
            self.codes, ids = np.unique(table, axis=0, return_inverse=True)
            self.ids = ids.reshape(-1)
        else:
            self.codes = np.zeros((min(len(df), 1), len(labels)), dtype=int)
            self.ids = np.zeros(len(df), dtype=int)

    def __len__(self) -> int:
        return len(self.codes)

    def values(self, place: int) -> list[Any]:
        """Return the value of one of the columns in each group."""
        return [self.levels[place].values[code] for code in self.codes[:, place]]


def aggregate(values: Any, ids: Any, count: int, how: str) -> Any:
    """Return one number for each group, of those of its numbers that are not NaN.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (rows,)
        The numbers.
    ids : numpy.ndarray of int, shape (rows,)
        The group of each.
    count : int
        How many groups there are.
    how : str
        One of ``AGGREGATES``. ``std`` and ``sem`` are those of a sample: NaN for one number.

    Returns
    -------
    numpy.ndarray of float, shape (groups,)
        NaN for groups without a number; there ``count`` is 0.
    """
    import numpy as np
    import pandas as pd

    groups = pd.Series(values).groupby(np.asarray(ids))
    with np.errstate(all="ignore"):
        found = groups.sum(min_count=1) if how == "sum" else groups.agg(how)
    fill = 0 if how == "count" else np.nan
    return found.reindex(range(count), fill_value=fill).to_numpy(dtype=float)


def as_column(result: Any, df: Any, label: Any, how: str) -> Any:
    """Return aggregated numbers as integers where they are some."""
    import numpy as np

    whole = how == "count" or (
        how in ("min", "max", "sum", "first", "last") and _all_integers(df, label)
    )
    return result.astype(int) if whole and (np.abs(result) <= _EXACT).all() else result


def as_object_column(cells: Sequence[Any]) -> Any:
    """Return cells as a column of their type, arrays as they are."""
    import numpy as np
    import pandas as pd

    made = np.empty(len(cells), dtype=object)
    for place, cell in enumerate(cells):
        made[place] = cell
    return pd.Series(made, dtype=object).infer_objects()


def _all_integers(df: Any, label: Any) -> bool:
    if df[label].dtype.kind != "O":
        return bool(df[label].dtype.kind in "iu")
    return is_numeric(df, label) and not any(
        isinstance(value, float) and value == value for value in df[label].tolist()
    )


def own_columns(df: Any) -> set[str]:
    """Return the columns of soops itself (``soops_state`` beside a scooped ``state``)."""
    found = set()
    for name in _OWN:
        if "rdir" not in df.columns:
            break
        while f"soops_{name}" in df.columns:
            name = f"soops_{name}"
        found.add(name)
    return found


def with_data(data: Any) -> Any:
    """Return the data of the steps, new ones where a step is called without."""
    if isinstance(data, AttrDict):
        return data
    return Struct(data or {})


def counted(count: int, word: str) -> str:
    """Return ``1 row`` or ``2 rows``."""
    return f"{count} {word}{'' if count == 1 else 's'}"
