"""Tables in parquet: small, quick, and readable by everything.

Columns of numbers, texts, times and lists of numbers are columns of parquet; those of
mixed or nested values are JSON texts; the metadata of the file say which, and have the units
of columns. Values come back as they were. The meta table is a second file,
``results-meta.parquet``.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253 (a heavy leaf)
import pandas as pd  # noqa: TID253

from soops.api import PluginError, Scooped, Source, StudyError
from soops_builtin.stores.atomic import refuse_empty, replacing
from soops_builtin.stores.cells import (
    decode,
    encode,
    first_strange,
    is_utf8,
    labels,
    objects,
)

__all__ = ["meta_path", "read", "write"]

_KEY = b"soops"
_VERSION = 1


def write(scooped: Scooped, path: Path) -> None:
    """Write a table and its meta table; each file is the old or the new one.

    Raises
    ------
    PluginError
        When pyarrow is not installed.
    StudyError
        When the table is empty and a file is there, when a value is not a plain one, or
        the system refuses.
    """
    arrow, parquet = _pyarrow()
    refuse_empty(scooped, path)
    keys = [encode(key) for key in scooped.parameter_keys]
    # Both are made before one is replaced: what cannot be stored changes nothing.
    units = [[encode(name), encode(unit)] for name, unit in scooped.units.items()]
    notes = {"parameter_keys": keys, **({"units": units} if units else {})}
    frame = _to_arrow(arrow, scooped.frame, path, notes)
    meta = _to_arrow(arrow, scooped.meta, path, {})
    for table, place in ((frame, path), (meta, meta_path(path))):
        with replacing(place) as temporary:
            parquet.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read(path: Path) -> Scooped:
    """Read a table back. No code runs from the file.

    Raises
    ------
    PluginError
        When pyarrow is not installed.
    StudyError
        When a file is missing, damaged, or not written here.
    """
    arrow, parquet = _pyarrow()
    frame, notes = _read_one(arrow, parquet, path)
    meta, _ = _read_one(arrow, parquet, meta_path(path))
    keys = tuple(decode(text) for text in notes.get("parameter_keys", ()))
    units = _units(notes.get("units", ()), path)
    return Scooped(frame=frame, meta=meta, parameter_keys=keys, path=path, units=units)


def meta_path(path: Path) -> Path:
    """Return the path of the meta table of a table."""
    return path.with_name(f"{path.stem}-meta{path.suffix}")


def _units(pairs: Any, path: Path) -> dict[str, str]:
    try:
        units = {decode(name): decode(unit) for name, unit in pairs}
        if not all(isinstance(text, str) for text in (*units.keys(), *units.values())):
            raise ValueError("units that are not texts")
    except (TypeError, ValueError) as exc:
        raise _unreadable(path, exc) from exc
    return units


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise PluginError(
            "parquet files need pyarrow, which is not installed",
            hint="pip install 'soops[parquet]', or keep results in .h5",
        ) from exc
    return pyarrow, pyarrow.parquet


def _to_arrow(arrow: Any, frame: Any, path: Path, notes: dict[str, Any]) -> Any:
    arrays, columns = [], []
    for place, name in enumerate(frame.columns):
        values = frame.iloc[:, place]
        form, array = _column_to_arrow(arrow, name, values, path)
        arrays.append(array)
        columns.append({"name": encode(name), "form": form})
    table = arrow.Table.from_arrays(arrays, names=_names(frame.columns))
    notes = {**notes, "version": _VERSION, "columns": columns}
    notes["check"] = _check(table, notes)
    return table.replace_schema_metadata({_KEY: json.dumps(notes).encode()})


def _check(table: Any, notes: dict[str, Any]) -> int:
    """Return a checksum of what the pages, which have their own, do not say."""
    rest = {name: value for name, value in notes.items() if name != "check"}
    types = [[field.name, _kind(field.type), field.nullable] for field in table.schema]
    return zlib.crc32(json.dumps([rest, types, table.num_rows], sort_keys=True).encode())


def _kind(given: Any) -> str:
    """Return a type as a text; that of a list without the name of its items, which changes."""
    return f"list of {given.field(0).type}" if given.num_fields else str(given)


def _column_to_arrow(arrow: Any, name: Any, values: Any, path: Path) -> tuple[str, Any]:
    """Return the form that a column has in the file, and the column."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biufMm":
        # Missing times are null; NaN is NaN, so that floats come back as they were.
        return "plain", arrow.array(values.to_numpy(), from_pandas=values.dtype.kind in "Mm")
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return "zoned", arrow.Array.from_pandas(values)
    cells = values.tolist()
    kinds = set(map(type, cells))
    for form, (wanted, fits, kind, write, _) in _FORMS.items():
        if kinds and kinds <= wanted and all(map(fits, cells)):
            return form, arrow.array(map(write, cells), type=kind(arrow), size=len(cells))
    strange = first_strange(cells)
    if strange is not None:
        raise StudyError(
            f"the column {name!r} holds {strange.__name__} objects, which cannot be stored",
            source=Source(path=str(path)),
            hint="return numbers, texts, lists, dicts or arrays from the scoop function",
        )
    form = "complex" if values.dtype == complex else "json"
    return form, arrow.array([encode(cell) for cell in cells], type=arrow.large_string())


def _same(value: Any) -> Any:
    return value


def _missing_as_none(value: Any) -> Any:
    return None if value != value else value


def _none_as_missing(value: Any) -> Any:
    return math.nan if value is None else value


def _is_int(value: Any) -> bool:
    return bool(value != value) if isinstance(value, float) else -(2**63) <= value < 2**63


def _is_text(value: Any) -> bool:
    return is_utf8(value) if isinstance(value, str) else bool(value != value)


def _are_texts(value: Any) -> bool:
    return all(isinstance(item, str) and is_utf8(item) for item in value)


def _are_floats(value: Any) -> bool:
    return set(map(type, value)) <= {float}


def _is_vector(value: Any) -> bool:
    return bool(value.ndim == 1 and value.dtype == np.float64)


def _are_times(value: Any) -> bool:
    return all(
        item != item
        if type(item) is float
        else type(item) is datetime and item.tzinfo is None and not item.fold
        for item in value
    )


#: Form: types of the cells, whether one fits, its arrow type, to arrow, from arrow.
#: The first form that fits all cells is taken; what fits none is JSON.
_FORMS: dict[str, tuple[set[type], Callable[..., bool], Callable[..., Any], Any, Any]] = {
    "int": ({int, float}, _is_int, lambda a: a.int64(), _missing_as_none, _none_as_missing),
    "text": (
        {str, float},
        _is_text,
        lambda a: a.large_string(),
        _missing_as_none,
        _none_as_missing,
    ),
    "array": (
        {np.ndarray},
        _is_vector,
        lambda a: a.list_(a.float64()),
        _same,
        lambda cell: np.array(cell, dtype=np.float64),
    ),
    "list": ({list}, _are_floats, lambda a: a.list_(a.float64()), _same, _same),
    "texts": ({list}, _are_texts, lambda a: a.list_(a.string()), _same, _same),
    "tuple": ({tuple}, _are_texts, lambda a: a.list_(a.string()), _same, tuple),
    "times": (
        {list},
        _are_times,
        lambda a: a.list_(a.timestamp("us")),
        lambda cell: [_missing_as_none(item) for item in cell],
        lambda cell: [_none_as_missing(item) for item in cell],
    ),
}


def _names(given: Sequence[Any]) -> list[str]:
    """Return names for the file: texts that differ, 1 and '1' being two columns."""
    names: dict[str, None] = {}
    for name in given:
        text = name if isinstance(name, str) and is_utf8(name) else repr(name)
        number = 2
        new = text
        while new in names:
            new, number = f"{text}.{number}", number + 1
        names[new] = None
    return list(names)


def _read_one(arrow: Any, parquet: Any, path: Path) -> tuple[Any, dict[str, Any]]:
    try:
        # Neither pandas' metadata nor extension types are looked at: columns are plain.
        table = parquet.ParquetFile(path, page_checksum_verification=True).read()
        notes = json.loads((table.schema.metadata or {})[_KEY])
        if notes.get("check") != _check(table, notes):
            raise ValueError("its names and types are not those that were written")
        columns = {
            place: _column_from_arrow(table.column(place), column["form"])
            for place, column in enumerate(notes["columns"])
        }
        names = [decode(column["name"]) for column in notes["columns"]]
        frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))
        frame.columns = labels(names)
    except FileNotFoundError as exc:
        raise StudyError("there are no stored results", source=Source(path=str(path))) from exc
    except (arrow.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError) as exc:
        raise _unreadable(path, exc) from exc
    return frame, notes


def _unreadable(path: Path, exc: Exception) -> StudyError:
    return StudyError(
        f"the stored results cannot be read: {type(exc).__name__}: {exc}",
        source=Source(path=str(path)),
        hint="scoop the run directories again, without --reuse and --update",
    )


def _column_from_arrow(column: Any, form: str) -> Any:
    if form == "plain":
        return pd.Series(column.to_numpy())
    if form == "zoned":
        return pd.Series(column.to_pandas())
    read = decode if form in ("json", "complex") else _FORMS[form][4]
    cells = [read(cell) for cell in column.to_pylist()]
    if form == "complex":
        return pd.Series(cells, dtype=complex)
    return pd.Series(cells) if form == "text" else objects(cells)
