"""What a key of a study file may hold: in words, as a test, and as JSON Schema.

Used by the ``schema`` only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["KINDS", "Kind"]

Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value."""

    test: Test
    schema: Mapping[str, Any]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (isinstance(value, float) and math.isfinite(value)) or _is_integer(value)


def _list(item: Kind) -> Kind:
    def test(value: Any) -> bool:
        return isinstance(value, list) and all(map(item.test, value))

    return Kind(test, {"type": "array", "items": item.schema})


def _table(item: Kind | None) -> Kind:
    def test(value: Any) -> bool:
        return isinstance(value, dict) and (item is None or all(map(item.test, value.values())))

    rest = {} if item is None else {"additionalProperties": item.schema}
    return Kind(test, {"type": "object", **rest})


def _either(*kinds: Kind) -> Kind:
    def test(value: Any) -> bool:
        return any(kind.test(value) for kind in kinds)

    return Kind(test, {"anyOf": [kind.schema for kind in kinds]})


def _at_least(least: int) -> Kind:
    return Kind(
        lambda value: _is_integer(value) and value >= least, {"type": "integer", "minimum": least}
    )


_TEXT = Kind(_is_text, {"type": "string"})
_YES_NO = Kind(lambda value: isinstance(value, bool), {"type": "boolean"})
_POSITIVE = Kind(
    lambda value: _is_number(value) and value > 0, {"type": "number", "exclusiveMinimum": 0}
)
_NOT_NEGATIVE = Kind(
    lambda value: _is_number(value) and value >= 0, {"type": "number", "minimum": 0}
)
_ANY = Kind(lambda value: True, {})
_TEXTS = _list(_TEXT)
_ANY_TABLE = _table(None)

#: In the words that messages and the reference page use.
KINDS: Mapping[str, Kind] = {
    "anything": _ANY,
    "a text": _TEXT,
    "true or false": _YES_NO,
    "an integer, 0 or more": _at_least(0),
    "an integer, 1 or more": _at_least(1),
    "a number, 0 or more": _NOT_NEGATIVE,
    "a list of texts": _TEXTS,
    "a list of integers": _list(Kind(_is_integer, {"type": "integer"})),
    "a list of lists of texts": _list(_TEXTS),
    "a text or a list of texts": _either(_TEXT, _TEXTS),
    "true, false or a list of texts": _either(_YES_NO, _TEXTS),
    "a positive number or a text": _either(_POSITIVE, _TEXT),
    "a text or a table": _either(_TEXT, _ANY_TABLE),
    "a text, a list or a table": _either(_TEXT, _list(_either(_TEXT, _ANY_TABLE)), _ANY_TABLE),
    "a list of texts or tables": _list(_either(_TEXT, _ANY_TABLE)),
    "a table": _ANY_TABLE,
    "a table of texts": _table(_TEXT),
    "a table of tables": _table(_ANY_TABLE),
    "a table of numbers or texts": _table(_either(_NOT_NEGATIVE, _TEXT)),
    "random, lhs, sobol or halton": Kind(
        lambda value: value in ("random", "lhs", "sobol", "halton"),
        {"enum": ["random", "lhs", "sobol", "halton"]},
    ),
}
