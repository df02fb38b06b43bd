"""The step ``pivot``: one parameter down, another across, a value in the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from soops_builtin.steps.arguments import AGGREGATES, TABLE_SUFFIXES, Arguments, StepError
from soops_builtin.steps.cells import find_column, numbers, plain_name, shown
from soops_builtin.steps.groups import (
    Groups,
    aggregate,
    as_column,
    as_object_column,
    counted,
    log,
    with_data,
)
from soops_builtin.steps.tables import put_table

__all__ = ["check", "pivot"]

#: A table that is wider than that was meant otherwise.
_MAX_COLUMNS = 1000


def check(**kwargs: Any) -> None:
    """Raise ValueError when the arguments of ``pivot`` cannot be right."""
    _read(kwargs)


def _read(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    given = Arguments(kwargs)
    read: dict[str, Any] = {
        "index": given.needed("index", "a parameter"),
        "columns": given.names("columns"),
        "values": given.needed("values", "a result"),
        "aggregate": given.choice("aggregate", AGGREGATES, "mean"),
        "output": given.files("output", TABLE_SUFFIXES) or ("pivot.csv",),
    }
    given.close()
    both = set(read["index"]) & set(read["columns"])
    if both:
        raise StepError(f"{', '.join(sorted(both))} is both in index and in columns")
    return read


def pivot(df: Any, data: Any = None, **kwargs: Any) -> Any:
    """Make a pivot table: a file, ``data.pivot``, and lines on the screen.

    Parameters
    ----------
    df : pandas.DataFrame
        The table.
    data : Struct, optional
        What the steps share; ``output_dir`` is where files go.
    index : str or list of str
        The columns whose values go down.
    columns : str or list of str, optional
        The columns whose values go across.
    values : str or list of str
        The columns of numbers in the cells.
    aggregate : str
        What becomes of several numbers of one cell: mean (default), median, min, max, sum,
        std, sem, count, first, last.
    output : str or list of str
        Files to write, ``.csv``, ``.md`` or ``.txt``; by default ``pivot.csv``.

    Returns
    -------
    Struct
        The data, with ``pivot``.

    Raises
    ------
    StepError
        When an argument is wrong or no cell has a number.
    """
    data, asked = with_data(data), _read(kwargs)
    index = [find_column(df, name) for name in asked["index"]]
    across = [find_column(df, name) for name in asked["columns"]]
    values = [find_column(df, name) for name in asked["values"]]
    table = _table(df, index, across, values, asked["aggregate"])
    data.pivot = table
    put_table(table, data, asked["output"])
    return data


def _table(
    df: Any, index: Sequence[Any], across: Sequence[Any], values: Sequence[Any], how: str
) -> Any:
    import numpy as np
    import pandas as pd

    rows, heads = Groups(df, index), Groups(df, across)
    if len(heads) * len(values) > _MAX_COLUMNS:
        raise StepError(
            f"there would be {len(heads) * len(values)} columns: swap index and columns"
        )
    made = {str(label): as_object_column(rows.values(place)) for place, label in enumerate(index)}
    results = []
    for label in values:
        given = numbers(df, label)
        missing = int(np.isnan(given).sum())
        if missing == len(given):
            raise StepError(f"there is no number in the column {str(label)!r}")
        if missing:
            log.warning(
                "pivot: %s of %d left out: no number in %r",
                counted(missing, "row"),
                len(given),
                str(label),
            )
        cells = rows.ids * len(heads) + heads.ids
        found = aggregate(given, cells, len(rows) * len(heads), how)
        found = as_column(found, df, label, how).reshape(len(rows), len(heads))
        for place in range(len(heads)):
            name = _head(heads, place, label if len(values) > 1 or not across else None)
            if name in made:
                raise StepError(f"two columns would have the name {name!r}")
            made[name] = found[:, place]
            results.append(name)
    table = pd.DataFrame(made)
    table.attrs["results"] = results
    return table


def _head(heads: Groups, place: int, label: Any) -> str:
    """Return ``mass=1``, with the name of the value before it where there are several."""
    pairs = [
        f"{plain_name(name)}={shown(level.values[code])}"
        for name, level, code in zip(heads.labels, heads.levels, heads.codes[place], strict=True)
    ]
    return " ".join(filter(None, [str(label) if label is not None else "", ", ".join(pairs)]))
