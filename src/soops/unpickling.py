"""Unpickle plain values and nothing else.

The list of what may be asked for is fixed: plain values, dates, numpy arrays and
scalars. Nothing that can be changed is handed to the unpickler. Arrays and dtypes are
rebuilt from the values in the pickle by numpy's public constructors, because the state
of a pickled dtype may describe memory that is not there.
"""

from __future__ import annotations

import datetime
import decimal
import io
import itertools
import math
import pickle
import re
import zoneinfo
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: TID253 (a heavy leaf)

__all__ = ["Refused", "loads"]


class Refused(pickle.UnpicklingError):
    """A pickle asks for something that is not on the list."""


def loads(data: Any, **kwargs: Any) -> Any:
    """Return what a pickle holds, made of plain values only.

    Raises
    ------
    Refused
        When it asks for anything that is not on the list.
    """
    value = _Unpickler(io.BytesIO(bytes(data)), **kwargs).load()
    return _Finish().value(value)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[f"{module}.{name}"]
        except KeyError:
            raise Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise Refused("a persistent object")


class _Call:
    """A function that a pickle may call but not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        raise Refused("a change of a function")

    def __setstate__(self, state: Any) -> None:
        raise Refused("a change of a function")


class _Dtype:
    """Stands for a dtype while its state is not complete."""

    __slots__ = ("_text", "_unit")

    def __init__(self, text: Any, *_: Any) -> None:
        text = _text(text)
        if not re.fullmatch(r"[<>=|]?[biufcSUmMO]\d{0,9}", text):
            raise Refused(f"a dtype {text!r:.60}")
        self._text = text.lstrip("<>=|")
        self._unit = ""

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subarray, names, fields, size, alignment, flags[, metadata])
        if not isinstance(state, tuple) or len(state) < 8 or state[2:5] != (None, None, None):
            raise Refused("a structured dtype")
        order = _text(state[1])
        if order in ("<", ">"):
            self._text = order + self._text
        if "M" in self._text or "m" in self._text:
            unit, count = state[8][1][:2]
            if not re.fullmatch(r"[A-Za-z]{1,7}", _text(unit)):
                raise Refused("a dtype with an unknown unit")
            self._unit = f"[{int(count)}{_text(unit)}]" if _text(unit) != "generic" else ""

    def real(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self._text + self._unit)
        return dtype


class _Array:
    """Stands for an array while its state is not complete."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, data = state
        self.fill(data, dtype, shape, "F" if is_fortran else "C")

    def fill(self, data: Any, dtype: Any, shape: Any, order: str, axes: Any = None) -> None:
        real = _real_dtype(dtype)
        shape = tuple(int(n) for n in shape) if isinstance(shape, tuple) else (int(shape),)
        if real.hasobject:
            flat = np.empty(len(data), dtype=object)
            for place, item in enumerate(data):
                flat[place] = item
            order = "C"  # the items of a list are in this order, whatever the flag says
        else:
            flat = np.frombuffer(_bytes(data), dtype=real)
        array = flat.reshape(shape, order="F" if order == "F" else "C")
        if axes is not None:
            array = array.transpose(axes)
        self.value = array.copy(order="K")


class _Fixed(type):
    """A class whose attributes a pickle cannot set."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise Refused("a change of a class")


class _StructData(dict[Any, Any], metaclass=_Fixed):
    """Stands for a Struct of a script."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        self.update(dict(state))


class _NdarrayName:
    """Stands for the name ``numpy.ndarray`` in a pickle; it does nothing."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise Refused("a change of a class")


_NDARRAY = _NdarrayName()


def _real_dtype(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _Dtype):
        raise Refused("an array without a dtype")
    return dtype.real()


def _reconstruct(subtype: Any, shape: Any, typecode: Any) -> _Array:
    if subtype is not _NDARRAY:
        raise Refused("a kind of array")
    return _Array()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
    array = _Array()
    array.fill(data, dtype, shape, order, axes if order == "K" else None)
    return array


def _scalar(dtype: Any, data: Any = b"") -> Any:
    real = _real_dtype(dtype)
    if real.hasobject:
        raise Refused("a scalar object")
    raw = _bytes(data)
    return np.frombuffer(raw, dtype=real)[0] if raw else np.zeros(1, dtype=real)[0]


def _text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise Refused("something instead of a text")
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):  # bytes in a pickle of Python 2
        return value.encode("latin-1")
    if not isinstance(value, (bytes, bytearray)):
        raise Refused("something instead of bytes")
    return bytes(value)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    # How bytes are pickled by old protocols; other encodings import modules.
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused("an encoding")
    return text.encode("latin-1")


def _timestamp(value: Any, freq: Any = None, tz: Any = None, unit: Any = 10) -> Any:
    import pandas as pd

    if not isinstance(tz, (type(None), datetime.timezone, zoneinfo.ZoneInfo)) or freq is not None:
        raise Refused("a time zone")
    time = pd.Timestamp(np.datetime64(int(value), _UNITS[unit]))
    return time if tz is None else time.tz_localize("UTC").tz_convert(tz)


def _timedelta(value: Any, unit: Any = 10) -> Any:
    import pandas as pd

    return pd.Timedelta(np.timedelta64(int(value), _UNITS[unit]))


def _nat(*_: Any) -> Any:
    import pandas as pd

    return pd.NaT


def _zone(key: Any, *_: Any) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(_text(key))


def _path(*parts: Any) -> Any:
    from pathlib import Path

    if not all(isinstance(part, str) for part in parts):
        raise Refused("a path")
    return Path(*parts)


#: The numbers of pandas for the units of its times.
_UNITS: dict[Any, Any] = {7: "s", 8: "ms", 9: "us", 10: "ns"}

_ALLOWED: dict[str, Any] = {
    # Types in C that cannot be changed; calling them runs nothing of the caller.
    **{
        f"{module}.{cls.__name__}": cls
        for module in ("builtins", "__builtin__")
        for cls in (bytes, bytearray, complex, frozenset, range, set, slice)
    },
    **{
        f"datetime.{cls.__name__}": cls
        for cls in (
            datetime.datetime,
            datetime.date,
            datetime.time,
            datetime.timedelta,
            datetime.timezone,
        )
    },
    "collections.OrderedDict": OrderedDict,
    "decimal.Decimal": decimal.Decimal,
    "soops.base.Struct": _StructData,
    "soops.base.AttrDict": _StructData,
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _Call(_Dtype),
    "_codecs.encode": _Call(_encode),
    "pandas._libs.tslibs.timestamps._unpickle_timestamp": _Call(_timestamp),
    "pandas._libs.tslibs.timedeltas._timedelta_unpickle": _Call(_timedelta),
    "pandas._libs.tslibs.nattype._nat_unpickle": _Call(_nat),
    "pandas._libs.tslibs.nattype.__nat_unpickle": _Call(_nat),  # before pandas 3
    "zoneinfo.ZoneInfo._unpickle": _Call(_zone),
    "pandas.NA": math.nan,
    "pandas._libs.missing.NA": math.nan,
    "pathlib.PosixPath": _Call(_path),
    "pathlib._local.PosixPath": _Call(_path),
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray._reconstruct"] = _Call(_reconstruct)
    _ALLOWED[f"{_core}.multiarray.scalar"] = _Call(_scalar)
    _ALLOWED[f"{_core}.numeric._frombuffer"] = _Call(_frombuffer)


class _Finish:
    """Put arrays and Structs in the places of what stands for them."""

    def __init__(self) -> None:
        self._done: dict[int, Any] = {}
        # Ids are only unique as long as the objects live.
        self._alive: list[Any] = []

    def value(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if id(value) in self._done:
            return self._done[id(value)]
        handler = _HANDLERS.get(kind)
        if handler is None:
            return self._other(value)
        self._alive.append(value)
        return handler(self, value)

    def _remember(self, old: Any, new: Any) -> Any:
        self._done[id(old)] = new
        return new

    def list(self, value: Any) -> Any:
        self._remember(value, value)
        if not _PLAIN.issuperset(map(type, value)):
            value[:] = [self.value(item) for item in value]
        return value

    def dict(self, value: Any) -> Any:
        self._remember(value, value)
        self._check_keys(value)
        if not _PLAIN.issuperset(map(type, value.values())):
            for key, item in list(value.items()):
                value[key] = self.value(item)
        return value

    def struct(self, value: Any) -> Any:
        from soops.base import Struct

        new = self._remember(value, Struct())
        self._check_keys(value)
        for key, item in value.items():
            dict.__setitem__(new, key, self.value(item))
        return new

    def tuple(self, value: Any) -> Any:
        if _PLAIN.issuperset(map(type, value)):
            return value
        return self._remember(value, tuple(self.value(item) for item in value))

    def array(self, value: Any) -> Any:
        new = self._remember(value, value.value)
        if new is None:
            raise Refused("an array without values")
        if new.dtype.hasobject:
            flat = new.reshape(-1, order="A")
            # Most arrays hold values, or lists of values: seen without a call for each.
            nested = [item for item in flat.tolist() if type(item) not in _PLAIN]
            if not _ROWS.issuperset(map(type, nested)) or not _PLAIN.issuperset(
                map(type, itertools.chain.from_iterable(nested))
            ):
                for place, item in enumerate(flat):
                    flat[place] = self.value(item)
        return new

    def set(self, value: Any) -> Any:
        self._check_keys(value)
        return value

    def _check_keys(self, keys: Any) -> None:
        """Refuse keys that stand for something else: they cannot be put right."""
        if not _PLAIN.issuperset(map(type, keys)):
            for key in keys:
                if isinstance(key, tuple):
                    self._check_keys(key)
                elif isinstance(key, (*_STAND_INS, list, dict)):
                    raise Refused("a key that is no plain value")

    def _other(self, value: Any) -> Any:
        if isinstance(value, _STAND_INS):
            raise Refused("a name instead of a value")
        return value


_PLAIN = frozenset({int, float, str, bool, type(None), bytes, complex, datetime.datetime})
_ROWS = frozenset({list, tuple})
_STAND_INS = (_Call, _Dtype, _Array, _NdarrayName, _StructData, type)
_HANDLERS: dict[type, Callable[[_Finish, Any], Any]] = {
    list: _Finish.list,
    dict: _Finish.dict,
    OrderedDict: _Finish.dict,
    _StructData: _Finish.struct,
    tuple: _Finish.tuple,
    set: _Finish.set,
    frozenset: _Finish.set,
    _Array: _Finish.array,
}
