"""The directives of the builtin: ``@name(...)`` of a study to values.

numpy is imported only when one of its functions is asked for. Words stand for what they
mean there: ``dtype=np.int32``, ``num=10+1``, ``stop=2*np.pi``. Nothing is evaluated by
Python.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from soops.api import DEFINED, UNDEFINED, Generated, StudyError

__all__ = [
    "MAX_VALUES",
    "arange_",
    "defined_",
    "generate_",
    "geomspace_",
    "linspace_",
    "logspace_",
    "range_",
    "undefined_",
]

#: A directive makes at most so many values.
MAX_VALUES = 10_000_000

_CONSTANTS = {
    "True": True,
    "False": False,
    "pi": math.pi,
    "np.pi": math.pi,
    "numpy.pi": math.pi,
    "math.pi": math.pi,
    "e": math.e,
    "np.e": math.e,
    "numpy.e": math.e,
    "math.e": math.e,
}
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
#: Types that a dtype may name, by the beginnings of their names.
_DTYPES = ("int", "uint", "float", "complex", "bool", "str", "double", "single", "half", "long")


def defined_() -> str:
    """Return the value of an option that is given without one."""
    return DEFINED


def undefined_() -> str:
    """Return the value of an option that is left out."""
    return UNDEFINED


def generate_() -> Generated:
    """Say that a function of the user's module makes the values."""
    return Generated()


def range_(*args: Any) -> list[int]:
    """Return the integers of Python's ``range(stop)`` or ``range(start, stop[, step])``."""
    numbers = [_number(arg) for arg in args]
    if not 1 <= len(numbers) <= 3 or not all(type(number) is int for number in numbers):
        raise StudyError("@range takes one to three integers", hint="write @range(1, 10, 2)")
    try:
        found = range(*numbers)
    except ValueError:
        raise StudyError("the step of @range is 0", hint="write @range(1, 10, 2)") from None
    # len() of a range cannot be larger than a machine word.
    span = max(abs(found.stop - found.start), 1) / abs(found.step)
    _check_count("range", span)
    return list(found)


def arange_(*args: Any, **kwargs: Any) -> list[Any]:
    """Return ``numpy.arange([start,] stop[, step], dtype=None)`` as a list."""
    values, named = _arguments("arange", args, kwargs)
    given = dict(zip(("start", "stop", "step"), values, strict=False))
    given.update(named)
    start, stop, step = given.get("start", 0), given.get("stop"), given.get("step", 1)
    if stop is None:
        start, stop = 0, start
    if all(isinstance(number, (int, float)) for number in (start, stop, step)) and step:
        _check_count("arange", (stop - start) / step)
    return _numpy("arange", values, named)


def linspace_(*args: Any, **kwargs: Any) -> list[Any]:
    """Return ``numpy.linspace(start, stop, num=50, endpoint=True, dtype=None)`` as a list."""
    return _spaced("linspace", args, kwargs)


def logspace_(*args: Any, **kwargs: Any) -> list[Any]:
    """Return ``numpy.logspace(start, stop, num=50, endpoint=True, base=10)`` as a list."""
    return _spaced("logspace", args, kwargs)


def geomspace_(*args: Any, **kwargs: Any) -> list[Any]:
    """Return ``numpy.geomspace(start, stop, num=50, endpoint=True)`` as a list."""
    return _spaced("geomspace", args, kwargs)


def _spaced(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    values, named = _arguments(name, args, kwargs)
    if named.pop("retstep", False):
        raise StudyError(f"retstep of numpy.{name} gives no list of values", hint="leave it out")
    count = named.get("num", values[2] if len(values) > 2 else 50)
    if isinstance(count, (int, float)):
        ends = (len(value) if isinstance(value, (list, tuple)) else 1 for value in values[:2])
        _check_count(name, count * max(ends, default=1))
    return _numpy(name, values, named)


def _numpy(name: str, values: list[Any], named: dict[str, Any]) -> list[Any]:
    """Call a function of numpy; its warnings and errors become one error of ours."""
    import warnings

    import numpy as np

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            result = getattr(np, name)(*values, **named)
    except (ArithmeticError, TypeError, ValueError, np.exceptions.ComplexWarning) as exc:
        raise StudyError(f"numpy.{name} refuses its arguments: {exc}") from exc
    if result.dtype.hasobject:
        raise StudyError(f"numpy.{name} gives no numbers")
    plain: list[Any] = result.tolist()
    return plain


def _check_count(name: str, count: float) -> None:
    if not count <= MAX_VALUES:
        raise StudyError(
            f"@{name} would make {count:.3g} values; {MAX_VALUES} is the most",
            hint="split the study",
        )


def _arguments(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments with words replaced by what they mean to numpy."""
    values = [_number(arg) for arg in args[:3]]
    # The fourth positional argument of arange is a dtype, that of linspace a truth value.
    values += [_dtype(arg) if isinstance(arg, str) else arg for arg in args[3:]]
    named = {
        key: _dtype(value) if key == "dtype" else _number(value) for key, value in kwargs.items()
    }
    for key in ("out", "like", "device"):
        if key in named:
            raise StudyError(f"@{name} has no argument {key!r}")
    return values, named


def _dtype(word: Any) -> Any:
    """Return the name of a numpy type for ``int``, ``np.int32``, ``'float64'``."""
    if word is None or isinstance(word, bool):
        return word
    if isinstance(word, str):
        name = word.removeprefix("numpy.").removeprefix("np.").strip()
        if name in _CONSTANTS and isinstance(_CONSTANTS[name], bool):
            return _CONSTANTS[name]
        if name.rstrip("_").startswith(_DTYPES) or name in ("i4", "i8", "f4", "f8"):
            return name.removesuffix("_")
    raise StudyError(f"{word!r} is no dtype", hint="write dtype=int, float or np.int32")


def _number(value: Any) -> Any:
    """Return the number that a word stands for, as ``2*np.pi``; other values as they are."""
    if isinstance(value, (list, tuple)):
        return [_number(item) for item in value]
    if not isinstance(value, str):
        return value
    if value in _CONSTANTS:
        return _CONSTANTS[value]
    if len(value) <= 200:
        try:
            return _arithmetic(ast.parse(value.strip(), mode="eval").body)
        except (ArithmeticError, SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    raise StudyError(f"{value[:60]!r} is no number", hint="write numbers, np.pi, + - * / and **")


def _arithmetic(node: ast.expr) -> int | float:
    """Return the value of a tree of numbers and operations; ValueError for anything else."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_arithmetic(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _arithmetic(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, exponent = _arithmetic(left), _arithmetic(right)
            if abs(exponent) <= 400 and abs(base) <= 1e100:
                return _real(base**exponent)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _real(_OPERATIONS[type(op)](_arithmetic(left), _arithmetic(right)))
        case ast.Name() | ast.Attribute() if ast.unparse(node) in _CONSTANTS:
            return _CONSTANTS[ast.unparse(node)]
    raise ValueError("no number")


def _real(number: Any) -> int | float:
    if not isinstance(number, (int, float)):
        raise ValueError("no real number")
    return number
