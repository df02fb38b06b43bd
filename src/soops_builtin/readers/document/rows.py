"""Parameter sets from a table: CSV, JSON lines, parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from soops.api import PluginError, Source, StudyError, unknown_name
from soops_builtin.scrapers.csv_table import typed_column

__all__ = ["read_rows"]

Columns = dict[str, list[Any]]
_KEYS = ("file", "columns")


def read_rows(given: str | Mapping[str, Any], base: Path, source: Source) -> Columns:
    """Return the columns of a table of sets, each as long as there are rows.

    Parameters
    ----------
    given : str or mapping
        The file; or ``file`` and ``columns``, a list of names or a mapping from
        parameters to columns.
    base : Path
        The directory that a relative path begins at.
    source : Source
        Where the study says so.

    Raises
    ------
    StudyError
        When the file cannot be read, or has no such column.
    """
    wanted = {"file": given} if isinstance(given, str) else dict(given)
    for key in wanted:
        if key not in _KEYS:
            raise unknown_name("key of rows:", key, _KEYS, source=source)
    name = wanted.get("file")
    if not isinstance(name, str) or not name:
        raise StudyError("rows has no file", source=source, hint='write rows = "cases.csv"')
    columns = _read(base / name, name, source)
    chosen = wanted.get("columns")
    if chosen is None:
        return columns
    if not isinstance(chosen, (list, dict)) or not chosen:
        raise StudyError(
            "the columns of rows are a list, or a table of parameter to column",
            source=source,
            hint='write columns = ["n", "x"]',
        )
    names = chosen if isinstance(chosen, dict) else {column: column for column in chosen}
    for column in names.values():
        if column not in columns:
            raise unknown_name(f"column of {name!r}:", str(column), columns, source=source)
    return {str(key): columns[column] for key, column in names.items()}


def _read(path: Path, name: str, source: Source) -> Columns:
    readers: Mapping[str, Callable[[Path], Columns]] = {
        ".csv": _csv,
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".parquet": _parquet,
    }
    read = readers.get(path.suffix.lower())
    if read is None:
        known = ", ".join(readers)
        raise StudyError(
            f"rows are not read from {name!r}", source=source, hint=f"known suffixes: {known}"
        )
    try:
        columns = read(path)
    except OSError as exc:
        raise StudyError(
            f"the rows cannot be read: {name!r}: {exc.strerror or exc}",
            source=source,
            hint="paths are relative to the study file",
        ) from exc
    except (ValueError, csv.Error, RecursionError) as exc:
        raise StudyError(f"{name!r} is no table of rows: {exc}", source=source) from exc
    if not columns or not len(next(iter(columns.values()))):
        raise StudyError(f"{name!r} has no rows", source=source)
    return columns


def _csv(path: Path) -> Columns:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    if not rows:
        return {}
    head, *rest = ([cell.strip() for cell in row] for row in rows)
    if len(set(head)) != len(head) or "" in head:
        raise ValueError("each column needs a name of its own in the first line")
    for number, row in enumerate(rest, 2):
        if len(row) != len(head):
            raise ValueError(f"row {number} has {len(row)} cells, not {len(head)}")
        if "" in row:
            raise ValueError(f"row {number} has no value for {head[row.index('')]!r}")
    return {name: typed_column([row[place] for row in rest]) for place, name in enumerate(head)}


def _json_lines(path: Path) -> Columns:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as exc:
                raise ValueError(f"line {number}: {exc}") from exc
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is not an object")
            rows.append(row)
    return _columns(rows)


def _parquet(path: Path) -> Columns:
    try:
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise PluginError(
            "parquet files are read with pyarrow, which is not installed",
            hint="pip install 'soops[parquet]'",
        ) from exc
    with path.open("rb") as file:
        return _columns(pq.read_table(file).to_pylist())


def _columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    names = list(rows[0]) if rows else []
    for number, row in enumerate(rows, 1):
        if list(row) != names and set(row) != set(names):
            raise ValueError(f"row {number} has {sorted(row)}, not {sorted(names)}")
        for name, value in row.items():
            if value is None:
                raise ValueError(f"row {number} has no value for {name!r}")
    return {name: [row[name] for row in rows] for name in names}
