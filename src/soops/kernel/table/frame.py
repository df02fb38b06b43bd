"""Rows -> one table: columns with their types, sorting, filtering, the update of a table.

A heavy leaf (pandas): imported where a table is made, never at start-up.

The type of a column follows from its values, missing ones (a row lacks the key) aside:

=====================================  ==========================================
values                                 column
=====================================  ==========================================
all int, none missing                  int64
all int, some missing or None          object: exact Python ints and NaN
int and float                          float64; object when an int is not exact there
all str                                str of pandas (object when it cannot hold them)
all bool; all complex; dates           bool; complex128; datetime64 of pandas
anything else                          object: the values as they are
=====================================  ==========================================

So an integer is an integer also when some run failed; a missing value is NaN
everywhere, as pandas users expect. ``None`` is NaN in columns of numbers and texts.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np  # noqa: TID253 (a heavy leaf)
import pandas as pd  # noqa: TID253

from soops.kernel.errors import StudyError, unknown_name
from soops.kernel.table.directories import natural_key
from soops.kernel.values import Scooped, ScoopedRow

__all__ = ["META_COLUMNS", "OWN_COLUMNS", "build", "column", "filter_rows", "sort_rows"]

#: The columns of ``Scooped.meta``; ``error`` is empty for an item that was read.
META_COLUMNS = ("data_row", "data_columns", "filename", "filenames", "mtimes", "error", "stamp")
#: Columns of soops itself; they step aside (``soops_state``) for scooped ones.
OWN_COLUMNS = ("time", "state", "returncode", "number")

_MISSING = math.nan
_EXACT = 2**53
_DATES = (datetime.date, datetime.timedelta, np.datetime64, np.timedelta64, type(pd.NaT))


def build(rows: Iterable[ScoopedRow]) -> Scooped:
    """Return the table of some rows.

    Parameters
    ----------
    rows : iterable of ScoopedRow
        In the order of the table.

    Returns
    -------
    Scooped
        ``frame`` has the columns ``rdir`` and ``rfiles``, the scooped ones in the order
        in which they first appear, ``time`` (naive UTC), and where there are records
        ``state``, ``returncode`` and ``number``.
    """
    rows = list(rows)
    scooped: dict[Any, None] = {"rdir": None, "rfiles": None}
    own: dict[str, None] = {}
    parameter_keys: dict[Any, None] = {}
    for row in rows:
        scooped.update(dict.fromkeys(row.values))
        own.update(dict.fromkeys(row.own))
        parameter_keys.update(dict.fromkeys(row.parameter_keys))
    data: dict[Hashable, Any] = {
        name: column([row.values.get(name, _MISSING) for row in rows]) for name in scooped
    }
    for name in own:
        data[own_name(name, scooped)] = column([row.own.get(name, _MISSING) for row in rows])
    return Scooped(
        frame=make_frame(data, len(rows)),
        meta=_meta(rows),
        parameter_keys=tuple(parameter_keys),
        errors={row.directory: row.errors for row in rows if row.errors},
    )


def own_name(name: str, scooped: Iterable[Hashable]) -> str:
    """Return the name of a column of soops itself beside the scooped ones."""
    taken = set(scooped)
    while name in taken:
        name = f"soops_{name}"
    return name


def column(values: Sequence[Any]) -> Any:
    """Return a Series of values; NaN and None stand for missing ones (see above)."""
    kinds = set(map(type, values))
    if any(issubclass(kind, np.generic) for kind in kinds):
        values = [_plain(value) for value in values]
        kinds = set(map(type, values))
    if float in kinds and kinds != {float} and not any(v == v for v in values if type(v) is float):
        kinds.discard(float)  # only missing ones
    kinds.discard(type(None))
    try:
        if kinds <= {int, float} and kinds:
            return _numbers(values)
        if kinds == {str} or kinds <= {complex, int, float}:
            if int in kinds and any(type(v) is int and abs(v) > _EXACT for v in values):
                return _objects(values)
            kind = complex if complex in kinds else None
            filled = [math.nan if value is None else value for value in values]
            return pd.Series(filled, dtype=kind) if kinds else _objects(values)
        if kinds == {bool} and set(map(type, values)) == {bool}:
            return pd.Series(values, dtype=bool)
        if all(issubclass(kind, _DATES) for kind in kinds):
            return pd.Series(values)
    except (UnicodeError, OverflowError, ValueError, TypeError):
        pass  # what pandas has no type for, such as text that is not UTF-8
    return _objects(values)


def sort_rows(scooped: Scooped, keys: Sequence[str]) -> Scooped:
    """Return the table sorted by columns; ``rdir`` counts numbers as numbers.

    Raises
    ------
    StudyError
        When there is no such column.
    """
    frame = scooped.frame
    for key in keys:
        if key not in frame.columns:
            names = [str(name) for name in frame.columns]
            raise unknown_name("column", key, names)
    ranks = [
        (_rank(row) for row in frame[key].tolist())
        if key != "rdir"
        else ([natural_key(part) for part in str(path).split("/")] for path in frame[key])
        for key in keys
    ]
    sortable = list(zip(*ranks, strict=True)) if ranks else [()] * len(frame)
    return take(scooped, sorted(range(len(frame)), key=sortable.__getitem__))


def filter_rows(scooped: Scooped, names: Iterable[str]) -> Scooped:
    """Return the rows in which at least one of the items was read.

    Raises
    ------
    StudyError
        When no row is left.
    """
    wanted = set(names)
    kept = [
        place
        for place, files in enumerate(scooped.frame["rfiles"].tolist())
        if not wanted.isdisjoint(files)
    ]
    if not kept and len(scooped.frame):
        known = sorted({name for files in scooped.frame["rfiles"] for name in files})
        raise StudyError(
            f"the filter {', '.join(sorted(wanted))} leaves no row",
            hint=f"files that were read: {', '.join(known)}",
        )
    return take(scooped, kept)


def take(scooped: Scooped, places: Sequence[int]) -> Scooped:
    """Return the rows at some places, in that order; ``meta.data_row`` follows them."""
    frame = scooped.frame.iloc[list(places)].reset_index(drop=True)
    frame.attrs.update(scooped.frame.attrs)
    meta = scooped.meta
    new_row = {old: new for new, old in enumerate(places)}
    moved = [new_row.get(row, -1) for row in meta["data_row"].tolist()]
    order = sorted((i for i, row in enumerate(moved) if row >= 0), key=moved.__getitem__)
    meta = meta.iloc[order].reset_index(drop=True)
    meta["data_row"] = pd.Series([moved[i] for i in order], dtype="int64")
    return replace(scooped, frame=frame, meta=meta)


def _rank(value: Any) -> tuple[Any, ...]:
    """Return a key that orders any values: numbers, texts, the rest, missing ones last."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return (9,)
    if isinstance(value, (bool, int, float)):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    if isinstance(value, datetime.datetime):
        return (2, value.timestamp())
    if isinstance(value, datetime.date):
        return (2, value.toordinal() * 86400.0)
    if isinstance(value, (list, tuple)):
        return (3, [_rank(item) for item in value])
    return (4, type(value).__name__, repr(value))


def _plain(value: Any) -> Any:
    """Return a numpy scalar as the Python value that it is."""
    if isinstance(value, np.generic) and not isinstance(
        value, (np.datetime64, np.timedelta64, np.void)
    ):
        return value.item()
    return value


def _numbers(values: Sequence[Any]) -> Any:
    """Return a column of ints, floats and missing ones, at least one of them present."""
    filled = [math.nan if value is None else value for value in values]
    present = [value for value in filled if value == value]
    ints = [value for value in present if type(value) is int]
    if len(ints) == len(filled):
        return pd.Series(filled)  # int64; uint64 or object when they are larger
    inexact = any(abs(value) > _EXACT for value in ints)
    if ints and (len(ints) == len(present) or inexact):
        return _objects(filled)
    return pd.Series(filled, dtype=float)


def _objects(values: Sequence[Any]) -> Any:
    # One by one: lists of equal length stay lists.
    return pd.Series(np.fromiter(values, dtype=object, count=len(values)), dtype=object)


def make_frame(data: Mapping[Any, Any], length: int) -> Any:
    """Return a frame of columns by name; names may be of any kind."""
    frame = pd.DataFrame(dict(enumerate(data.values())), index=pd.RangeIndex(length))
    frame.columns = _labels(list(data))
    return frame


def _labels(names: list[Hashable]) -> Any:
    if all(isinstance(name, str) for name in names):
        try:
            return pd.Index(names)
        except UnicodeError:
            pass
    return pd.Index(_objects(names).to_numpy(), dtype=object, tupleize_cols=False)


def _meta(rows: Sequence[ScoopedRow]) -> Any:
    data: dict[str, list[Any]] = {name: [] for name in META_COLUMNS}
    for place, row in enumerate(rows):
        for file in row.files:
            data["data_row"].append(place)
            data["data_columns"].append(file.columns)
            data["filename"].append(file.filenames[0])
            data["filenames"].append(list(file.filenames))
            data["mtimes"].append([as_datetime(mtime) for mtime in file.mtimes])
            data["error"].append(row.errors.get(file.item, ""))
            data["stamp"].append(file.stamp)
    return meta_frame(data)


def meta_frame(data: Mapping[str, list[Any]]) -> Any:
    """Return the meta table of lists, one for each of ``META_COLUMNS``."""
    return make_frame(
        {
            "data_row": pd.Series(data["data_row"], dtype="int64"),
            "data_columns": _objects(data["data_columns"]),
            "filename": column(data["filename"]),
            "filenames": _objects(data["filenames"]),
            "mtimes": _objects(data["mtimes"]),
            "error": column(data["error"]),
            "stamp": column(data["stamp"]),
        },
        len(data["data_row"]),
    )


def as_datetime(mtime: float) -> datetime.datetime | float:
    """Return a time of the file system as naive UTC, NaN as it is."""
    if mtime != mtime:
        return mtime
    return datetime.datetime.fromtimestamp(mtime, datetime.UTC).replace(tzinfo=None)
