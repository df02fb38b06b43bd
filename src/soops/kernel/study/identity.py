"""What makes a parameter set itself: the legacy key, the identity, values as JSON.

Anyone may import this module; numpy is never imported, its scalars are recognised.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from soops.kernel.values import UNDEFINED

__all__ = [
    "dumps",
    "from_jsonable",
    "identity",
    "loads",
    "loads_many",
    "pkey",
    "pkey_of_texts",
    "to_jsonable",
]

TAG = "@"
#: Longer integers are written in hexadecimal: Python refuses to print thousands of digits.
_LONG = 10_000


def pkey(values: Mapping[str, Any]) -> str:
    """Return the legacy key: the md5 of the text of the dict, types and order included.

    Parameters
    ----------
    values : mapping
        Sorted keys first, computed ones after; without unhashed keys.
    """
    return _md5(str(values if type(values) is dict else dict(values)))


def pkey_of_texts(texts: Mapping[str, str]) -> str:
    """Return the legacy key of values that are given as the texts that Python prints of them."""
    inner = ", ".join([f"{key!r}: {text}" for key, text in texts.items()])
    return _md5(f"{{{inner}}}")


def _md5(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def identity(values: Mapping[str, Any]) -> str:
    """Return what two sets share when they mean the same: 32 hexadecimal digits.

    Undefined parameters do not count, nor does the order of keys; types do (1, 1.0, '1'
    and True differ), but a numpy scalar is the Python value it holds.

    Parameters
    ----------
    values : mapping
        Without unhashed keys.
    """
    pieces = []
    for key in sorted(values, key=str):
        value = values[key]
        if type(value) in _REMEMBERED and (type(value) is not str or len(value) < _SHORT):
            if value != UNDEFINED:
                pieces.append(_piece(key, value))
        elif not _is_undefined(value):
            pieces.append(_encode([key, _canonical(value)]))
    return hashlib.sha256(f"[{','.join(pieces)}]".encode("ascii")).hexdigest()[:32]


#: The sets of a study have most of their values in common. Not floats: 0.0 equals -0.0.
_REMEMBERED = {str, int, bool, type(None)}
_SHORT = 200
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


@functools.lru_cache(maxsize=2048, typed=True)
def _piece(key: Any, value: Any) -> str:
    return _encode([key, _canonical(value)])


def _is_undefined(value: Any) -> bool:
    # The type is asked first: comparing an array with a string is not a bool.
    return isinstance(value, str) and value == UNDEFINED


def _canonical(value: Any) -> Any:
    """Return the JSON of a value that is the same for values that mean the same."""
    if _is_numpy(value):
        value = _unpacked(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return {TAG: "float", "v": repr(float(value))}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {TAG: kind, "v": [_canonical(item) for item in value]}
    if isinstance(value, Mapping):
        pairs = [[_canonical(key), _canonical(item)] for key, item in value.items()]
        return {TAG: "dict", "v": sorted(pairs, key=json.dumps)}
    if isinstance(value, (set, frozenset)):
        return {TAG: "set", "v": sorted((_canonical(item) for item in value), key=json.dumps)}
    return to_jsonable(value)


# --- values as JSON ----------------------------------------------------------------------


def to_jsonable(value: Any) -> Any:
    """Return a value as plain JSON from which :func:`from_jsonable` makes it again.

    None, bool, int, finite float, str and list stand for themselves; everything else is
    ``{"@": kind, "v": ...}``. What has no such form is kept as its ``repr``.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if type(value) is int:
        return {TAG: "int", "v": hex(value)} if value.bit_length() > _LONG else value
    if type(value) is float:
        return value if math.isfinite(value) else {TAG: "float", "v": repr(value)}
    if isinstance(value, list):
        return [to_jsonable(item) for item in value]
    if isinstance(value, Mapping):
        pairs = [[to_jsonable(key), to_jsonable(item)] for key, item in value.items()]
        return {TAG: "dict", "v": pairs}
    return _tagged(value)


def _tagged(value: Any) -> dict[str, Any]:
    """Return the tagged form of a value that JSON knows nothing like."""
    if isinstance(value, tuple):
        return {TAG: "tuple", "v": [to_jsonable(item) for item in value]}
    if type(value) is complex:
        return {TAG: "complex", "v": [repr(value.real), repr(value.imag)]}
    if isinstance(value, (set, frozenset)):
        items = sorted((to_jsonable(item) for item in value), key=json.dumps)
        return {TAG: "set" if isinstance(value, set) else "frozenset", "v": items}
    if isinstance(value, bytes):
        return {TAG: "bytes", "v": value.hex()}
    if type(value) in (date, datetime, time):
        return {TAG: type(value).__name__, "v": value.isoformat()}
    if _is_numpy(value):
        return {TAG: "numpy", "dtype": str(value.dtype), "v": to_jsonable(_unpacked(value))}
    return {TAG: "repr", "v": _text(repr(value))}


def from_jsonable(value: Any) -> Any:
    """Return the value that :func:`to_jsonable` was given.

    A numpy scalar comes back as the Python value it held, an array as lists.

    Raises
    ------
    ValueError
        For a form that is not known.
    """
    try:
        return _from_jsonable(value)
    except RecursionError:
        raise ValueError("not a value of soops: it is nested too deep") from None


def _from_jsonable(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_jsonable(item) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        return _BACK[value.get(TAG)](value["v"])
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as exc:
        raise ValueError(f"not a value of soops: {json.dumps(value)[:80]}") from exc


_BACK: dict[Any, Any] = {
    "int": lambda v: int(v, 16),
    "float": float,
    "complex": lambda v: complex(float(v[0]), float(v[1])),
    "tuple": lambda v: tuple(_from_jsonable(item) for item in v),
    "dict": lambda v: {_from_jsonable(key): _from_jsonable(item) for key, item in v},
    "set": lambda v: {_from_jsonable(item) for item in v},
    "frozenset": lambda v: frozenset(_from_jsonable(item) for item in v),
    "bytes": bytes.fromhex,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "numpy": lambda v: _from_jsonable(v),
    "repr": lambda v: _from_jsonable(v),
    "str": lambda v: bytes.fromhex(v).decode("utf-8", "surrogatepass"),
}


def dumps(values: Mapping[str, Any]) -> str:
    """Return parameters as one line of JSON, order and types kept."""
    return json.dumps(
        {key: to_jsonable(value) for key, value in values.items()}, separators=(",", ":")
    )


def loads(text: str) -> dict[str, Any]:
    """Return the parameters that :func:`dumps` was given.

    Raises
    ------
    ValueError
        When the text is damaged.
    """
    try:
        given = json.loads(text)
    except RecursionError:
        raise ValueError("not the parameters of a run: nested too deep") from None
    if not isinstance(given, dict):
        raise ValueError(f"not the parameters of a run: {text[:80]}")
    return {key: from_jsonable(value) for key, value in given.items()}


def loads_many(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return what :func:`loads` would make of each; in one go where all values are plain."""
    joined = ",".join(texts)
    if f'"{TAG}":' in joined:
        return [loads(text) for text in texts]
    try:
        found = json.loads(f"[{joined}]")
    except (ValueError, RecursionError):
        return [loads(text) for text in texts]
    plain = len(found) == len(texts) and all(type(item) is dict for item in found)
    return found if plain else [loads(text) for text in texts]


def _is_numpy(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "dtype")


def _unpacked(value: Any) -> Any:
    """Return the Python value that a numpy scalar or array holds."""
    plain = value.tolist()
    # A long double has no Python value.
    return str(plain) if _is_numpy(plain) else plain


def _text(text: str) -> Any:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # bytes of the command line that are no UTF-8
        return {TAG: "str", "v": text.encode("utf-8", "surrogatepass").hex()}
    return str(text)
