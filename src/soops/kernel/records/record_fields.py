"""The fields of a record in JSON form, and the types that they may have.

For ``record``, and for whoever keeps a part of a record elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from soops.kernel.values import State

__all__ = ["FIELDS", "checked"]

_TEXT, _NUMBER, _WHOLE = (str,), (int, float), (int,)
#: Field to the types of its JSON value and whether it may be null.
FIELDS: dict[str, tuple[tuple[type, ...], bool]] = {
    "schema": (_WHOLE, False),
    "identity": (_TEXT, False),
    "pkey": (_TEXT, False),
    "number": (_WHOLE, False),
    "directory": (_TEXT, False),
    "state": (_TEXT, False),
    "cause": (_TEXT, False),
    "returncode": (_WHOLE, True),
    "signal": (_TEXT, True),
    "started": (_TEXT, True),
    "ended": (_TEXT, True),
    "elapsed": (_NUMBER, True),
    "cpu_time": (_NUMBER, True),
    "max_rss": (_WHOLE, True),
    "tree_rss": (_WHOLE, True),
    "host": (_TEXT, True),
    "attempts": (_WHOLE, False),
    "runner": (_TEXT, False),
    "run_function": (_TEXT, False),
    "message": (_TEXT, False),
    "output_key": (_TEXT, False),
    "command": ((str, list), False),
    "parameters": ((dict,), False),
    "provenance": ((dict,), False),
}
#: Field to the types of a value that needs no other look, but for the size of an integer.
_EXACT = {
    name: frozenset((*types, type(None)) if nullable else types)
    for name, (types, nullable) in FIELDS.items()
}
_ABSENT = object()
_REQUIRED = frozenset({"identity", "pkey", "number", "directory", "state", "command", "parameters"})
_LARGE = 2**63
_STATES = frozenset(state.value for state in State)


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known fields of a record in JSON form, once their types are right.

    Raises
    ------
    ValueError
        Naming the first field that is wrong.
    """
    shape = (*given, *map(type, given.values()))
    known = _shapes.get(shape)
    if known is None:
        values = _checked_each(given)
        if len(_shapes) < MOST_SHAPES and len(given) - ("checksum" in given) == len(values):
            whole = tuple(name for name, value in values.items() if type(value) is int)
            _shapes[shape] = tuple(values), whole
    else:
        values = {name: given[name] for name in known[0]}
        for name in known[1]:
            if not -_LARGE <= values[name] < _LARGE:
                raise ValueError(_what_is_wrong(name, values[name]))
    if values["state"] not in _STATES:
        raise ValueError(f"state is {values['state']!r}")
    command = values["command"]
    if isinstance(command, list) and not all(isinstance(word, str) for word in command):
        raise ValueError("command is not a list of texts")
    return values


def _checked_each(given: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, exact in _EXACT.items():
        value = given.get(name, _ABSENT)
        kind = type(value)
        if kind not in exact or (kind is int and not -_LARGE <= value < _LARGE):
            if value is _ABSENT and name not in _REQUIRED:
                continue
            raise ValueError(_what_is_wrong(name, value))
        values[name] = value
    return values


#: Keys and types of records that were right -> the known keys, and those of integers. Of ten
#: thousand records of a study nearly all have the same.
_shapes: dict[tuple[Any, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}
MOST_SHAPES = 100


def _what_is_wrong(name: str, value: Any) -> str:
    if value is _ABSENT:
        return f"{name} is missing"
    if value is None:
        return f"{name} is null"
    if type(value) is int and int in _EXACT[name]:
        return f"{name} is too large"
    return f"{name} is a {type(value).__name__}"
