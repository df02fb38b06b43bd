"""The scraper of CSV files."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from soops_builtin.scrapers.files import Paths, each_file, read_text

__all__ = ["csv_table", "typed_column"]

_INT = re.compile(r"[+-]?(0|[1-9][0-9]*)").fullmatch
_MISSING = frozenset(("", "nan", "NaN", "NA", "N/A", "null"))
_BOOLS = {"True": True, "False": False, "true": True, "false": False}
_ORIENTS = ("list", "first", "last", "records")


def csv_table(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    orient: str = "list",
    columns: Iterable[str] | None = None,
    delimiter: str = ",",
    comment: str | None = None,
    header: bool = True,
    prefix: str = "",
    key: str = "table",
) -> dict[str, Any]:
    """Return the columns of a CSV file.

    Parameters
    ----------
    path : str or list of str
        A file with one heading line.
    orient : {'list', 'first', 'last', 'records'}
        A list for each column; only the first or last row, one value for each column; or
        all rows as a list of dicts under the name ``key``.
    columns : iterable of str, optional
        Only these.
    delimiter : str
        Between the cells, one character.
    comment : str, optional
        Lines that begin with it are passed over.
    header : bool
        Whether the first line has the names; else they are ``c0``, ``c1``, ...
    prefix : str
        Put before the names.

    Returns
    -------
    dict
        A column whose cells are all numbers or missing has numbers, NaN where missing;
        other columns have texts. Numbers with leading zeros are texts.
    """
    if orient not in _ORIENTS:
        raise ValueError(f"orient is one of {', '.join(_ORIENTS)}, not {orient!r}")
    wanted = None if columns is None else tuple(columns)

    def read(one: str) -> dict[str, Any]:
        names, rows = _rows(read_text(one), delimiter, comment, header)
        for name in wanted or ():
            if name not in names:
                raise KeyError(f"no column {name!r}; there are {', '.join(names)}")
        table = {
            prefix + name: typed_column([row[place] for row in rows])
            for place, name in enumerate(names)
            if wanted is None or name in wanted
        }
        return _oriented(table, len(rows), orient, key)

    return each_file(path, read)


def typed_column(cells: list[str]) -> list[Any]:
    """Return the cells of a column as ints, floats or bools, or as the texts they are."""
    present = [cell for cell in cells if cell not in _MISSING]
    if not present:
        return [math.nan] * len(cells)
    if all(cell in _BOOLS for cell in present):
        return [_BOOLS.get(cell, math.nan) for cell in cells]
    if all(map(_INT, present)):
        return [int(cell) if cell not in _MISSING else math.nan for cell in cells]
    if any("_" in cell or re.match(r"[+-]?0[0-9]", cell) for cell in present):
        return cells
    try:
        return [float(cell) if cell not in _MISSING else math.nan for cell in cells]
    except ValueError:
        return cells


def _rows(
    text: str, delimiter: str, comment: str | None, header: bool
) -> tuple[list[str], list[list[str]]]:
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    source = (line for line in lines if comment is None or not line.startswith(comment))
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(source, delimiter=delimiter)
        if any(cell.strip() for cell in row)
    ]
    if not rows:
        raise ValueError("the file has no rows")
    names = rows.pop(0) if header else [f"c{place}" for place in range(len(rows[0]))]
    for number, row in enumerate(rows, 2 if header else 1):
        if len(row) != len(names):
            raise ValueError(f"row {number} has {len(row)} cells, not {len(names)}")
    if len(set(names)) != len(names):
        raise ValueError(f"two columns have one name: {', '.join(names)}")
    return names, rows


def _oriented(table: dict[str, Any], n_rows: int, orient: str, key: str) -> dict[str, Any]:
    if orient == "list":
        return table
    if orient == "records":
        return {
            key: [
                {name: values[place] for name, values in table.items()} for place in range(n_rows)
            ]
        }
    if not n_rows:
        raise ValueError("the file has no rows below its heading")
    return {name: values[0 if orient == "first" else -1] for name, values in table.items()}
