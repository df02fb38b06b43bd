"""What expressions compute with: operations that never raise and never run away.

Used by ``expression`` only. What has no result (``1/0``, ``'a' * 3``, an undefined parameter
in a sum) is None; what cannot be compared is not equal, not less and not greater.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["ARITHMETIC", "COMPARISONS", "FUNCTIONS", "negative", "positive", "truth"]

#: Larger integers and longer texts are no result: a query must not be able to stop a driver.
MAX_BITS = 20_000
MAX_TEXT = 100_000

_TROUBLE = (ArithmeticError, TypeError, ValueError, AttributeError)


def truth(value: Any) -> bool:
    """Return whether a value counts as true; what cannot tell is false."""
    try:
        return bool(value)
    except _TROUBLE:
        return False


def _plain(value: Any) -> Any:
    """Return the Python value of a numpy scalar, and anything else as it is."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        return value.item()
    return value


# --- comparisons -------------------------------------------------------------------------


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except _TROUBLE:  # arrays: their truth is ambiguous
        return False


def _ordering(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def ordered(a: Any, b: Any) -> bool:
        try:
            return bool(compare(a, b))
        except _TROUBLE:
            return False

    return ordered


def _within(a: Any, b: Any) -> bool:
    if isinstance(b, str):
        return isinstance(a, str) and a in b
    try:
        return any(_equal(a, item) for item in b)
    except _TROUBLE:
        return False


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda a, b: not _equal(a, b),
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
    "in": _within,
    "not in": lambda a, b: not _within(a, b),
}


# --- arithmetic --------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, complex))


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 64


def _numeric(
    operation: Callable[[Any, Any], Any], size: Callable[[Any, Any], float]
) -> Callable[[Any, Any], Any]:
    """Return an operation on two numbers that is None where it has no result.

    ``size`` says how many bits the result might have.
    """

    def apply(a: Any, b: Any) -> Any:
        a, b = _plain(a), _plain(b)
        try:
            if _is_number(a) and _is_number(b) and size(a, b) <= MAX_BITS:
                return operation(a, b)
            if operation is operator.add and isinstance(a, str) and isinstance(b, str):
                return a + b if len(a) + len(b) <= MAX_TEXT else None
        except _TROUBLE:
            pass
        return None

    return apply


def _largest(a: Any, b: Any) -> float:
    return max(_bits(a), _bits(b))


def _power_bits(a: Any, b: Any) -> float:
    if isinstance(a, int) and isinstance(b, int):
        return a.bit_length() * b if b > 0 else a.bit_length()
    return 64


ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": _numeric(operator.add, _largest),
    "-": _numeric(operator.sub, _largest),
    "*": _numeric(operator.mul, lambda a, b: _bits(a) + _bits(b)),
    "/": _numeric(operator.truediv, _largest),
    "//": _numeric(operator.floordiv, _largest),
    "%": _numeric(operator.mod, _largest),
    "**": _numeric(operator.pow, _power_bits),
}


def negative(value: Any) -> Any:
    """Return ``-value``, or None for what is no number."""
    value = _plain(value)
    return -value if _is_number(value) else None


def positive(value: Any) -> Any:
    """Return ``+value``, or None for what is no number."""
    value = _plain(value)
    return +value if _is_number(value) else None


# --- functions ---------------------------------------------------------------------------


def _round(value: Any, digits: Any = 0) -> Any:
    # round(1, -10**9) would compute 10**(10**9).
    if not (isinstance(digits, int) and abs(digits) <= 308):
        return None
    return round(value, digits) if digits else round(value)


def _as_text(value: Any) -> Any:
    text = str(value)
    return text if len(text) <= MAX_TEXT else None


def _texts(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def apply(text: Any, part: Any) -> bool:
        return isinstance(text, str) and isinstance(part, str) and test(text, part)

    return apply


def _match(text: str, pattern: str) -> bool:
    import fnmatch

    return fnmatch.fnmatchcase(text, pattern)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*args: Any) -> Any:
        try:
            return function(*(_plain(arg) for arg in args))
        except _TROUBLE:
            return None

    return apply


#: Name to function and the least and largest number of its arguments.
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    name: (_guarded(function), least, most)
    for name, function, least, most in (
        ("abs", abs, 1, 1),
        ("min", min, 1, 100),
        ("max", max, 1, 100),
        ("round", _round, 1, 2),
        ("len", len, 1, 1),
        ("int", int, 1, 1),
        ("float", float, 1, 1),
        ("str", _as_text, 1, 1),
        ("bool", bool, 1, 1),
        ("sqrt", math.sqrt, 1, 1),
        ("exp", math.exp, 1, 1),
        ("log", math.log, 1, 2),
        ("log2", math.log2, 1, 1),
        ("log10", math.log10, 1, 1),
        ("floor", math.floor, 1, 1),
        ("ceil", math.ceil, 1, 1),
        ("sin", math.sin, 1, 1),
        ("cos", math.cos, 1, 1),
        ("tan", math.tan, 1, 1),
        ("isnan", math.isnan, 1, 1),
        ("lower", str.lower, 1, 1),
        ("upper", str.upper, 1, 1),
        ("startswith", _texts(str.startswith), 2, 2),
        ("endswith", _texts(str.endswith), 2, 2),
        ("contains", _texts(str.__contains__), 2, 2),
        ("match", _texts(_match), 2, 2),
        ("defined", lambda value: value is not None, 1, 1),
        ("if_else", lambda condition, value, other: value if condition else other, 3, 3),
    )
}
