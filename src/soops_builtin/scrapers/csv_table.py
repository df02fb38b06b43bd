"""The scraper of CSV files."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from soops_builtin.scrapers.arguments import all_options, expect, texts
from soops_builtin.scrapers.files import Paths, each_file, read_text

__all__ = ["check_csv", "csv_table", "typed_column"]

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
    cells: Mapping[str, Sequence[Any]] | None = None,
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
    key : str
        See ``orient``.
    cells : mapping, optional
        Name to ``[column, row number]``: single cells as values. Rows are counted from 0 below
        the heading, or from -1 at the end. With ``columns`` these are values, too; without,
        the cells are all.

    Returns
    -------
    dict
        A column whose cells are all numbers or missing has numbers, NaN where missing;
        other columns have texts. Numbers with leading zeros are texts.
    """
    wanted = _checked(orient, columns, delimiter, comment, cells)
    places = dict(cells or {})

    def read(one: str) -> dict[str, Any]:
        names, rows = _rows(read_text(one), delimiter, comment, header)
        for name in (*(wanted or ()), *(column for column, _ in places.values())):
            if name not in names:
                raise KeyError(f"no column {name!r}; there are {', '.join(names)}")
        all_columns = wanted is None and cells is None
        needed = {*(wanted or ()), *(column for column, _ in places.values())}
        table = {
            name: typed_column([row[place] for row in rows])
            for place, name in enumerate(names)
            if all_columns or name in needed
        }
        single = {name: _cell(table, *place) for name, place in places.items()}
        if cells is not None and wanted is None:
            return single
        kept = {prefix + name: table[name] for name in names if wanted is None or name in wanted}
        values = _oriented(kept, len(rows), orient, key)
        for name in single:
            if name in values:
                raise ValueError(f"a cell and a column are called {name!r}")
        return {**values, **single}

    return each_file(path, read)


def check_csv(**options: Any) -> None:
    """Raise ValueError for options of :func:`csv_table` that cannot be right."""
    given = all_options(csv_table, options)
    expect("a text", prefix=given["prefix"], key=given["key"])
    expect("true or false", header=given["header"])
    rules = ("orient", "columns", "delimiter", "comment", "cells")
    _checked(*(given[name] for name in rules))


def _checked(
    orient: str,
    columns: Iterable[str] | None,
    delimiter: str,
    comment: str | None,
    cells: Mapping[str, Sequence[Any]] | None,
) -> list[str] | None:
    """Return the names of the columns; raise ValueError for an option that is wrong."""
    if orient not in _ORIENTS:
        raise ValueError(f"orient is one of {', '.join(_ORIENTS)}, not {orient!r}")
    expect("one character", delimiter=delimiter)
    expect("a text", comment="" if comment is None else comment)
    expect("a table", cells=cells)
    for name, place in (cells or {}).items():
        right = isinstance(place, (list, tuple)) and list(map(type, place)) == [str, int]
        if not right or not isinstance(name, str):
            raise ValueError(f"the cell {name!r} is [column, row number], not {place!r}")
    return texts("columns", columns)


def _cell(table: Mapping[str, list[Any]], column: str, row: int) -> Any:
    values = table[column]
    try:
        return values[row]
    except IndexError:
        raise LookupError(f"there is no row {row}: the table has {len(values)} rows") from None


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
