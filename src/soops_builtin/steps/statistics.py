"""The step ``statistics``: mean, spread and count over the replicates of each parameter set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from soops_builtin.steps.arguments import AGGREGATES, TABLE_SUFFIXES, Arguments, StepError
from soops_builtin.steps.cells import (
    find_column,
    is_array,
    is_numeric,
    numbers,
    plain_name,
)
from soops_builtin.steps.groups import (
    Groups,
    aggregate,
    as_column,
    as_object_column,
    counted,
    log,
    own_columns,
    with_data,
)
from soops_builtin.steps.tables import put_table

__all__ = ["check", "statistics"]

#: Columns that only tell one replicate from another.
_REPLICATES = ("replicate", "seed")


def check(**kwargs: Any) -> None:
    """Raise ValueError when the arguments of ``statistics`` cannot be right."""
    _read(kwargs)


def _read(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    given = Arguments(kwargs)
    read: dict[str, Any] = {
        "over": given.names("over"),
        "by": given.names("by"),
        "values": given.names("values"),
        "what": given.choices("what", AGGREGATES, ("mean", "std", "count")),
        "output": given.files("output", TABLE_SUFFIXES) or ("statistics.csv",),
    }
    given.close()
    both = set(read["over"]) & set(read["by"])
    if both:
        raise StepError(f"{', '.join(sorted(both))} is both in over and in by")
    return read


def statistics(df: Any, data: Any = None, **kwargs: Any) -> Any:
    """Make a table with one row for each parameter set, of its replicates.

    The table is written, shown, and put into ``data.statistics``; ``plot`` uses it with
    ``table = "statistics"``. A value that is missing is not counted. Undefined parameters are
    a group of their own.

    Parameters
    ----------
    df : pandas.DataFrame
        The table.
    data : Struct, optional
        What the steps share; ``par_keys`` are the parameters, ``output_dir`` is where files go.
    over : str or list of str
        The columns that tell the replicates of one parameter set apart. A column ``seed``
        is always one of them; by default ``replicate`` and ``seed`` where there.
    by : str or list of str
        The columns that make a group; by default all other parameters.
    values : str or list of str
        The columns of numbers; by default all that are no parameters.
    what : str or list of str
        What is computed: mean, median, min, max, sum, std, sem, count, first, last; by default
        mean, std and count. ``std`` is that of a sample (divided by the count less one), and
        ``sem`` is ``std`` divided by the root of the count.
    output : str or list of str
        Files to write, ``.csv``, ``.md`` or ``.txt``; by default ``statistics.csv``.

    Returns
    -------
    Struct
        The data, with ``statistics``: columns as ``energy_mean``, behind those of the groups.

    Raises
    ------
    StepError
        When an argument is wrong or there is no number.
    """
    data, asked = with_data(data), _read(kwargs)
    over = _over(df, asked["over"], asked["by"])
    by = _by(df, data, asked["by"], over)
    values = _values(df, data, asked["values"], {*by, *over})
    table = _table(df, by, values, asked["what"])
    data.statistics = table
    put_table(table, data, asked["output"])
    return data


def _over(df: Any, asked: Sequence[str], by: Sequence[str]) -> list[Any]:
    over = [find_column(df, name) for name in asked]
    wanted = {find_column(df, name) for name in by}
    usual = _REPLICATES[1:] if asked else _REPLICATES
    over += [
        label
        for label in df.columns
        if plain_name(label) in usual and label not in over and label not in wanted
    ]
    if not over and not by:
        log.warning("statistics: there is no column replicate or seed: name others by over or by")
    return over


def _by(df: Any, data: Any, asked: Sequence[str], over: Sequence[Any]) -> list[Any]:
    if asked:
        return [find_column(df, name) for name in asked]
    keys = data.get("par_keys") or ()
    return [label for label in df.columns if label in keys and label not in over]


def _values(df: Any, data: Any, asked: Sequence[str], others: set[Any]) -> list[Any]:
    """Return the columns of numbers; arrays are left out with a word."""
    import numpy as np

    if asked:
        labels = [find_column(df, name) for name in asked]
    else:
        known = {*others, *own_columns(df), "rdir", "rfiles", *(data.get("par_keys") or ())}
        labels = [label for label in df.columns if label not in known]
    arrays = [label for label in labels if any(map(is_array, df[label].tolist()))]
    if arrays:
        names = ", ".join(str(label) for label in arrays)
        log.warning("statistics: left out, for there are arrays in it: %s", names)
    labels = [label for label in labels if label not in arrays]
    wrong = [label for label in labels if np.isnan(numbers(df, label)).all()]
    if asked and wrong:
        raise StepError(f"there is no number in the column {str(wrong[0])!r}")
    if not asked:
        labels = [label for label in labels if is_numeric(df, label) or df[label].dtype.kind == "b"]
        labels = [label for label in labels if label not in wrong]
    if not labels:
        raise StepError("there is no column of numbers that is no parameter: name some by values")
    return labels


def _table(df: Any, by: Sequence[Any], values: Sequence[Any], what: Sequence[str]) -> Any:
    import numpy as np
    import pandas as pd

    groups = Groups(df, by)
    made = {str(label): as_object_column(groups.values(i)) for i, label in enumerate(by)}
    units = dict(df.attrs.get("units") or {})
    results = {}
    for label in values:
        given = numbers(df, label)
        missing = int(np.isnan(given).sum())
        if missing:
            log.warning(
                "statistics: %s of %d left out: no number in %r",
                counted(missing, "row"),
                len(given),
                str(label),
            )
        for how in what:
            name = f"{label}_{how}"
            if name in made:
                raise StepError(f"two columns would have the name {name!r}")
            found = aggregate(given, groups.ids, len(groups), how)
            made[name] = as_column(found, df, label, how)
            results[name] = "" if how == "count" else units.get(label, "")
    table = pd.DataFrame(made)
    kept = {label: units[label] for label in by if label in units}
    table.attrs["units"] = {**kept, **{name: unit for name, unit in results.items() if unit}}
    table.attrs["results"] = list(results)
    return table
