"""The cells of object columns: which values are plain, and their form as JSON text.

Plain values are the ones that every store gives back as they were: None, bool, numbers,
text, bytes, dates, lists, tuples, sets, dicts, numpy arrays and scalars, paths.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import itertools
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253 (a heavy leaf)
import pandas as pd  # noqa: TID253

from soops.api import StudyError

__all__ = [
    "ROWS",
    "SIMPLE",
    "as_lists",
    "decode",
    "encode",
    "first_strange",
    "is_utf8",
    "labels",
    "objects",
]

#: Types that are written as they are, alone and in lists.
SIMPLE = frozenset({int, float, str, bool, type(None), bytes, complex, datetime.datetime})
#: Types of rows of values.
ROWS = frozenset({list, tuple})
_LEAVES: tuple[type, ...] = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    type(None),
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.timezone,
    type(pd.NaT),
    type(pd.NA),
    decimal.Decimal,
    np.generic,
    Path,
    range,
)


def first_strange(values: Iterable[Any]) -> type | None:
    """Return the type of the first value that is not plain; None when all are."""
    # Most columns hold simple values, or lists of them: seen without a look at each.
    values = [value for value in values if type(value) not in SIMPLE]
    if ROWS.issuperset(map(type, values)) and SIMPLE.issuperset(
        map(type, itertools.chain.from_iterable(values))
    ):
        return None
    for value in values:
        kind = type(value)
        if kind in (list, tuple, set, frozenset):
            inner = first_strange(value)
        elif kind in (dict, OrderedDict) or kind.__module__ == "soops.base":
            inner = first_strange(dict.keys(value)) or first_strange(dict.values(value))
        elif kind is np.ndarray:
            if value.dtype.names is not None:
                return np.void
            inner = first_strange(value.flat) if value.dtype.hasobject else None
        elif isinstance(value, np.void) or not isinstance(value, _LEAVES):
            return kind
        else:
            inner = None
        if inner is not None:
            return inner
    return None


def encode(value: Any) -> str:
    """Return the JSON text of a plain value."""
    return json.dumps(_tagged(value), ensure_ascii=True, allow_nan=False)


def decode(text: str) -> Any:
    """Return the value of a text of :func:`encode`; nothing but values is made.

    Raises
    ------
    ValueError
        When the text is not one of those.
    """
    try:
        return _plain(json.loads(text))
    except Exception as exc:  # of whatever type the text asks for
        raise ValueError(f"a damaged cell {text!r:.60}") from exc


def as_lists(value: Any) -> Any:
    """Return a value with arrays as lists, for its full text; numpy scalars as Python's."""
    if isinstance(value, (np.ndarray, np.generic)) and not isinstance(value, np.datetime64):
        return as_lists(value.tolist()) if value.dtype.hasobject else value.tolist()
    if isinstance(value, (list, tuple)):
        if SIMPLE.issuperset(map(type, value)):
            return value
        items = [as_lists(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {as_lists(key): as_lists(item) for key, item in dict.items(value)}
    return value


def objects(values: Sequence[Any]) -> Any:
    """Return a Series of the values as they are; lists stay lists."""
    return pd.Series(np.fromiter(values, dtype=object, count=len(values)), dtype=object)


def labels(names: Sequence[Any]) -> Any:
    """Return an index of column names of any kind."""
    if all(isinstance(name, str) for name in names):
        try:
            return pd.Index(names)
        except UnicodeError:
            pass
    return pd.Index(objects(names).to_numpy(), dtype=object, tupleize_cols=False)


def is_utf8(text: str) -> bool:
    """Return whether a text has no bytes that were not UTF-8."""
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


def _tagged(value: Any) -> Any:
    kind = type(value)
    if kind in (bool, int, str, type(None)):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"@": "float", "v": repr(value)}
    if kind is list:
        return [_tagged(item) for item in value]
    for tag, (wanted, write, _) in _CODECS.items():
        if isinstance(value, wanted):
            return {"@": tag, "v": write(value)}
    raise StudyError(f"a {kind.__name__} cannot be stored")


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return _CODECS[value["@"]][2](value["v"])
    return value


def _write_array(value: Any) -> dict[str, Any]:
    if value.dtype.hasobject:
        return {"shape": list(value.shape), "items": [_tagged(item) for item in value.flat]}
    data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
    return {"shape": list(value.shape), "dtype": value.dtype.str, "data": data}


def _read_array(value: dict[str, Any]) -> Any:
    shape = tuple(int(n) for n in value["shape"])
    if "items" in value:
        array = np.empty(len(value["items"]), dtype=object)
        for place, item in enumerate(value["items"]):
            array[place] = _plain(item)
        return array.reshape(shape)
    dtype = _dtype(value["dtype"])
    raw = base64.b64decode(value["data"], validate=True)
    return np.frombuffer(raw, dtype=dtype).reshape(shape).copy()


def _read_scalar(value: dict[str, Any]) -> Any:
    raw = base64.b64decode(value["data"], validate=True)
    return np.frombuffer(raw, dtype=_dtype(value["dtype"]))[0]


def _dtype(text: Any) -> Any:
    dtype = np.dtype(str(text))
    if dtype.hasobject or dtype.names is not None:
        raise ValueError(f"a dtype {text!r}")
    return dtype


def _write_pairs(value: Any) -> list[Any]:
    return [[_tagged(key), _tagged(item)] for key, item in dict.items(value)]


def _read_pairs(value: Any) -> dict[Any, Any]:
    return {_plain(key): _plain(item) for key, item in value}


def _read_struct(value: Any) -> Any:
    from soops.base import Struct

    new = Struct()
    for key, item in _read_pairs(value).items():
        dict.__setitem__(new, key, item)
    return new


def _scalar_parts(value: Any) -> dict[str, str]:
    return {
        "dtype": value.dtype.str,
        "data": base64.b64encode(value.tobytes()).decode("ascii"),
    }


def _b64(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _is_struct(value: Any) -> bool:
    return isinstance(value, dict) and type(value).__module__ == "soops.base"


class _StructKind(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return _is_struct(value)


class _Struct(metaclass=_StructKind):
    """Any Struct of a script, without importing it."""


#: Tag: the types it is for (the first that fits), to JSON, from JSON.
_CODECS: dict[str, tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "array": (np.ndarray, _write_array, _read_array),
    "numpy": (np.generic, _scalar_parts, _read_scalar),
    "float": (float, repr, float),
    "complex": (complex, repr, complex),
    "tuple": (tuple, lambda v: [_tagged(i) for i in v], lambda v: tuple(map(_plain, v))),
    "struct": (_Struct, _write_pairs, _read_struct),
    "ordered": (OrderedDict, _write_pairs, lambda v: OrderedDict(_read_pairs(v))),
    "dict": (dict, _write_pairs, _read_pairs),
    "set": (set, lambda v: [_tagged(i) for i in v], lambda v: set(map(_plain, v))),
    "frozenset": (
        frozenset,
        lambda v: [_tagged(i) for i in v],
        lambda v: frozenset(map(_plain, v)),
    ),
    "bytes": (bytes, _b64, base64.b64decode),
    "bytearray": (bytearray, _b64, lambda v: bytearray(base64.b64decode(v))),
    "NaT": (type(pd.NaT), lambda v: None, lambda v: pd.NaT),
    "NA": (type(pd.NA), lambda v: None, lambda v: pd.NA),
    "timestamp": (pd.Timestamp, pd.Timestamp.isoformat, pd.Timestamp),
    "timedelta64": (pd.Timedelta, pd.Timedelta.isoformat, pd.Timedelta),
    "datetime": (
        datetime.datetime,
        lambda v: [v.isoformat(), v.fold],
        lambda v: datetime.datetime.fromisoformat(v[0]).replace(fold=int(v[1])),
    ),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "timedelta": (
        datetime.timedelta,
        lambda v: [v.days, v.seconds, v.microseconds],
        lambda v: datetime.timedelta(*v),
    ),
    "decimal": (decimal.Decimal, str, decimal.Decimal),
    "path": (Path, str, Path),
    "range": (range, lambda v: [v.start, v.stop, v.step], lambda v: range(*v)),
}
