"""What ``get_scoop_info()`` and post-processing functions of scripts use.

Part of the script library. numpy and pandas are imported by the functions that need them.
What reads files is in :mod:`soops.loading`; its names are names of this module, too.
"""

from __future__ import annotations

import os.path as op
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from glob import glob
from typing import Any

from soops.base import Struct, flatten_dict, import_file, output, product
from soops.ioutils import ensure_path, load_options, locate_files
from soops.loading import (
    filter_dict,
    load_array,
    load_csv,
    load_soops_parameters,
    load_split_options,
    split_options,
)
from soops.parsing import parse_as_dict, parse_as_list
from soops.timing import Timer

__all__ = [
    "Struct",
    "Timer",
    "ensure_path",
    "filter_dict",
    "flatten_dict",
    "get_uniques",
    "glob",
    "import_file",
    "init_plugin_data",
    "iter_uniques",
    "load_array",
    "load_csv",
    "load_options",
    "load_soops_parameters",
    "load_split_options",
    "locate_files",
    "op",
    "output",
    "parse_as_dict",
    "parse_as_list",
    "product",
    "split_options",
    "sys",
    "warnings",
]


def get_uniques(df: Any, columns: Iterable[str]) -> dict[str, list[Any]]:
    """Return the different values of columns of a table, sorted, missing ones last.

    Columns are in sorted order.

    Raises
    ------
    KeyError
        When there is no such column.
    """
    from soops.kernel.table.post import get_uniques as uniques

    return uniques(df, sorted(columns))


def iter_uniques(
    df: Any, columns: Iterable[str], uniques: Mapping[str, Iterable[Any]]
) -> Iterator[tuple[int, Struct, Any]]:
    """Yield the parts of a table in which some columns have the same values.

    Parameters
    ----------
    df : pandas.DataFrame
        The table.
    columns : iterable of str
        The columns.
    uniques : mapping
        Column to the values to look for, as of :func:`get_uniques`.

    Yields
    ------
    index : int
        The place of the combination of values among all combinations, the last column
        fastest.
    selection : Struct
        Column to value.
    part : pandas.DataFrame
        The rows, at least one.
    """
    from soops.plot_selected import get_indices_in_selected

    names = list(columns)
    selected = {name: list(uniques[name]) for name in names}
    if not names:
        yield 0, Struct(), df
        return
    rows: dict[int, list[int]] = {}
    for number, values in enumerate(zip(*(df[name].tolist() for name in names), strict=True)):
        indices = get_indices_in_selected(selected, dict(zip(names, values, strict=True)))
        if indices is not None:
            index = 0
            for name in names:
                index = index * len(selected[name]) + indices[name]
            rows.setdefault(index, []).append(number)
    for index in sorted(rows):
        rest = index
        selection = Struct()
        for name in reversed(names):
            rest, place = divmod(rest, len(selected[name]))
            selection[name] = selected[name][place]
        yield index, Struct((name, selection[name]) for name in names), df.iloc[rows[index]]


def init_plugin_data(
    df: Any, par_keys: Iterable[str], output_dir: str, store_filename: str
) -> Struct:
    """Return the ``data`` that post-processing functions get.

    Returns
    -------
    Struct
        ``par_keys``, the set of columns that are input parameters; ``multi_par_keys``,
        those with more than one value, sorted; ``par_uniques`` and ``multi_par_uniques``,
        their values; ``output_dir`` and ``store_filename``.
    """
    from soops.kernel.table.post import init_plugin_data as init

    data: Struct = init(df, par_keys, output_dir, store_filename)
    return data


def __getattr__(name: str) -> Any:
    """Give the heavy modules that were once names of this module."""
    if name == "np":
        import numpy

        return numpy
    if name == "pd":
        import pandas

        return pandas
    if name == "datetime":
        from datetime import datetime

        return datetime
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
