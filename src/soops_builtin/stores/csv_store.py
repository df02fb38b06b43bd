"""Tables as text: ``results.csv`` and ``results-meta.csv`` beside it.

Arrays and lists are written in full, as Python lists. Text keeps no types: what looks
like a number comes back as a number. Use HDF5 or parquet to keep them. Units of columns, where
there are some, are a dict in the first cell of the column ``units`` of the metadata.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd  # noqa: TID253 (a heavy leaf)

from soops.api import Scooped, Source, StudyError
from soops.ioutils import read_value
from soops_builtin.csv_text import csv_line, csv_lines
from soops_builtin.stores.atomic import refuse_empty, replacing
from soops_builtin.stores.cells import ROWS, SIMPLE, as_lists, labels, objects

__all__ = ["meta_path", "read", "write", "write_meta"]

#: Rows whose texts are held in memory at a time.
BLOCK = 20_000

_UNITS = "units"
_TIMES = re.compile(r"datetime\.datetime\(([0-9, ]+)\)|nan")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?").fullmatch


def write(scooped: Scooped, path: Path) -> None:
    """Write a table and its meta table; each file is the old or the new one.

    Raises
    ------
    StudyError
        When the table is empty and a file is there, or the system refuses.
    """
    refuse_empty(scooped, path)
    with replacing(path) as temporary:
        _write_frame(scooped.frame, temporary)
    write_meta(scooped, path)


def write_meta(scooped: Scooped, path: Path) -> Path:
    """Write the meta table that belongs to a table at ``path``; return where."""
    meta = meta_path(path)
    frame = scooped.meta
    if scooped.units and len(frame):
        cells = [dict(scooped.units), *[math.nan] * (len(frame) - 1)]
        frame = frame.assign(**{_UNITS: objects(cells).to_numpy()})
    with replacing(meta) as temporary:
        _write_frame(frame, temporary)
    return meta


def read(path: Path) -> Scooped:
    """Read a table back; texts that look like values become values. No code runs.

    Raises
    ------
    StudyError
        When a file is missing or damaged.
    """
    frame = _read_frame(path)
    meta = _read_frame(meta_path(path))
    if not meta.columns.is_unique:
        raise _unreadable(meta_path(path), "it has two columns of the same name")
    if "mtimes" in meta.columns:
        meta["mtimes"] = objects([_read_times(str(text)) for text in meta["mtimes"].tolist()])
    for name in ("error", "stamp"):
        if name in meta.columns:
            texts = ["" if text != text else str(text) for text in meta[name].tolist()]
            meta[name] = _series(texts, {str}, complete=True)
    units = meta.pop(_UNITS).tolist()[:1] if _UNITS in meta.columns else []
    return Scooped(
        frame=frame, meta=meta, parameter_keys=(), path=path, units=_units(units, meta_path(path))
    )


def meta_path(path: Path) -> Path:
    """Return the path of the meta table of a table."""
    return path.with_name(f"{path.stem}-meta{path.suffix}")


def _units(cells: list[Any], path: Path) -> dict[str, str]:
    units = cells[0] if cells else {}
    if not isinstance(units, dict) or not all(
        isinstance(text, str) for text in (*units.keys(), *units.values())
    ):
        raise _unreadable(path, f"its units are {units!r:.60}")
    return units


def _write_frame(frame: Any, path: Path) -> None:
    columns = [frame.iloc[:, place].tolist() for place in range(frame.shape[1])]
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(csv_line(["", *("" if name is None else str(name) for name in frame.columns)]))
        for start in range(0, len(frame), BLOCK):
            rows = range(start, min(start + BLOCK, len(frame)))
            numbers = list(map(str, rows))
            file.write(
                csv_lines([numbers, *(_texts(cells[start : rows.stop]) for cells in columns)])
            )


def _texts(cells: list[Any]) -> list[str]:
    """Return cells as texts, missing ones as empty texts."""
    kinds = set(map(type, cells))
    if kinds == {str}:
        return cells
    if kinds <= {str, int, bool}:
        return list(map(str, cells))
    if kinds <= {float}:
        return ["" if cell != cell else str(cell) for cell in cells]
    if kinds == {tuple}:  # names of columns, which are the same for most rows
        known = {id(cell): cell for cell in cells}
        texts = {key: _text(cell) for key, cell in known.items()}
        return [texts[id(cell)] for cell in cells]
    if kinds <= ROWS:
        simple = SIMPLE.issuperset
        return [str(cell) if simple(map(type, cell)) else _text(cell) for cell in cells]
    return list(map(_text, cells))


def _text(value: Any) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    return str(as_lists(value))


def _read_frame(path: Path) -> Any:
    limit = csv.field_size_limit(sys.maxsize)  # a cell may hold an array
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = list(_rows(csv.reader(file)))
    except FileNotFoundError as exc:
        raise StudyError("there are no stored results", source=Source(path=str(path))) from exc
    except (OSError, csv.Error, ValueError) as exc:
        raise _unreadable(path, str(exc)) from exc
    finally:
        csv.field_size_limit(limit)
    header, *body = rows
    if body:
        data = dict(enumerate(map(_column, zip(*body, strict=True))))
        frame = pd.DataFrame(data, index=pd.RangeIndex(len(body)))
    else:  # all at once: a line of commas has thousands of columns
        frame = pd.DataFrame(index=pd.RangeIndex(0), columns=range(len(header)), dtype=object)
    frame.columns = labels(header)
    return frame


def _unreadable(path: Path, reason: str) -> StudyError:
    return StudyError(
        f"the stored results cannot be read: {reason}",
        source=Source(path=str(path)),
        hint="scoop the run directories again, without --reuse and --update",
    )


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the rows without the column of the index, which has no name."""
    header = next(reader, None)
    if not header:
        raise ValueError("it is empty")
    skip = 1 if header[0] == "" else 0
    yield header[skip:]
    for number, row in enumerate(reader, 2):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells, not {len(header)}")
        yield row[skip:]


def _column(cells: tuple[str, ...]) -> Any:
    present = [cell for cell in cells if cell]
    if present and all(map(_STAMP, present)):
        with contextlib.suppress(ValueError):  # the 99th of a month is a text
            return pd.Series(
                [datetime.datetime.fromisoformat(cell) if cell else pd.NaT for cell in cells]
            )
    values: list[Any] = [read_value(cell) if cell else math.nan for cell in cells]
    kinds = {type(value) for value, cell in zip(values, cells, strict=True) if cell}
    if str in kinds and kinds & {int, float, complex}:
        # A column that has texts has no numbers: 7 beside 007 is a text.
        values, kinds = [cell if cell else math.nan for cell in cells], {str}
    return _series(values, kinds, complete=len(present) == len(cells))


def _series(values: list[Any], kinds: set[type], *, complete: bool) -> Any:
    """Return a column of the same type as a scooped one has."""
    with contextlib.suppress(UnicodeError, OverflowError):
        if kinds == {str} or (kinds == {int} and complete):
            return pd.Series(values)
        if kinds == {float} or kinds == {int, float}:
            return pd.Series(values, dtype=float)
        if kinds == {bool} and complete:
            return pd.Series(values, dtype=bool)
    return objects(values)


def _read_times(text: str) -> list[Any]:
    return [_read_time(match[1]) if match[1] else math.nan for match in _TIMES.finditer(text)]


def _read_time(text: str) -> Any:
    """Return a time; one that cannot be is unknown, so that its file is read again."""
    try:
        parts: Any = [int(part) for part in text.split(",")]
        return datetime.datetime(*parts)
    except (ValueError, TypeError, OverflowError):
        return math.nan
