"""Texts -> typed values, without evaluating anything: what ``str(value)`` once wrote.

A text becomes a number only when Python would write that number back as the same text:
``1.5`` and ``-3`` are numbers; ``1.10``, ``007``, ``1e5``, ``0x10``, ``3/4``,
``2020-10-12``, ``max`` and ``id`` stay texts. ``None``, ``True``, ``False``, ``nan``,
``inf`` and ``-inf`` are what they say. A text in brackets that holds only such values,
quoted texts and further brackets is a list, tuple, set or dict. Because ``str`` drops
the quotes of a text, the text ``'5'`` and the number 5 cannot be told apart: both are 5.

Part of the script library, under the name :mod:`soops.ioutils`.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

__all__ = ["read_options", "read_value"]

#: Longer texts in brackets stay texts.
MAX_LITERAL = 10_000_000

_CONSTANTS: dict[str, Any] = {
    "None": None,
    "True": True,
    "False": False,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
}
_INT = re.compile(r"0|-?[1-9][0-9]{0,4000}").fullmatch
#: What the parser of Python may warn about: backslashes, and 1or 2.
_SUSPICIOUS = re.compile(r"\\|[0-9][A-Za-z]").search
_ONLY_NUMBERS = re.compile(r"\[[-0-9.eE, \[\]]*").fullmatch
_NUMBER_STARTS = frozenset("-0123456789")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_CONTAINERS = (list, tuple, dict, set)


def read_value(text: str) -> Any:
    """Return the value that a text stands for, or the text itself.

    Parameters
    ----------
    text : str
        As ``str(value)`` wrote it. Blanks around it make it a text.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    first = text[:1]
    if first in _NUMBER_STARTS:
        return _number(text)
    if first in _BRACKETS and text[-1] == _BRACKETS[first]:
        return _literal(text)
    return text


def _number(text: str) -> Any:
    if _INT(text):
        return int(text)
    kind: Callable[[str], Any] = complex if text[-1] == "j" else float
    try:
        value = kind(text)
    except ValueError:
        return text
    return value if repr(value) == text else text


def _literal(text: str) -> Any:
    if len(text) > MAX_LITERAL:
        return text
    if _ONLY_NUMBERS(text):
        try:
            return json.loads(text)  # the same values, ten times as quick
        except (ValueError, RecursionError):
            pass
    try:
        value = _convert(_parse(text))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return text
    if isinstance(value, _CONTAINERS) or repr(value) == text:
        return value
    return text


def _parse(text: str) -> ast.expr:
    if not _SUSPICIOUS(text):
        return ast.parse(text, mode="eval").body
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def _convert(node: ast.expr) -> Any:
    """Return the value of a syntax tree of constants; ValueError for anything else."""
    match node:
        case ast.Constant(value=value) if value is not Ellipsis:
            return value
        case ast.List(elts=items):
            return [_convert(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_convert(item) for item in items)
        case ast.Set(elts=items):
            return {_convert(item) for item in items}
        case ast.Dict(keys=keys, values=values):
            if any(key is None for key in keys):  # {**other}
                return _no_value()
            pairs = zip(cast("list[ast.expr]", keys), values, strict=True)
            return {_convert(key): _convert(item) for key, item in pairs}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number_of(operand)
        case ast.BinOp(
            left=left, op=ast.Add() | ast.Sub() as sign, right=ast.Constant(complex() as b)
        ):
            a = _number_of(left)
            return a + b if isinstance(sign, ast.Add) else a - b
        case ast.Name(id="nan" | "inf" as name):
            return _CONSTANTS[name]
        case ast.Call() | ast.Attribute():
            return _numpy(node)
    return _no_value()


def _number_of(node: ast.expr) -> Any:
    value = _convert(node)
    if isinstance(value, bool) or not isinstance(value, (int, float, complex)):
        _no_value()
    return value


def _numpy(node: ast.expr) -> Any:
    """Return the value of ``np.float64(1.5)``, ``np.True_``: how numpy 2 writes scalars."""
    match node:
        case ast.Attribute(value=ast.Name(id="np"), attr="True_" | "False_" as name):
            return name == "True_"
        case ast.Call(func=ast.Name(id="set"), args=[], keywords=[]):
            return set()
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=[argument], keywords=[]
        ):
            value = _convert(argument)
            if re.fullmatch(r"u?int\d*|float\d+|longdouble|complex\d+", name) and isinstance(
                value, (int, float, complex)
            ):
                return value
            if name in ("str_", "bytes_") and isinstance(value, (str, bytes)):
                return value
    return _no_value()


def _no_value() -> Any:
    raise ValueError("not a plain value")


_COMMAND_LINE = "command line"
_ENTRY = re.compile(r"(\S[^:]*?)\s*:(?: (.*))?", re.DOTALL).fullmatch


def read_options(text: str) -> dict[str, Any]:
    """Return the options in a text of the form of :func:`soops.ioutils.save_options`.

    Groups have a heading that is underlined with dashes; the command line is passed over.
    An entry is ``key: value``; a line that is no entry continues the value above it. An
    option of a later group replaces one of the same name.
    """
    options: dict[str, Any] = {}
    for name, lines in _groups([line.rstrip("\r") for line in text.split("\n")]):
        if name != _COMMAND_LINE:
            options.update((key, read_value(value)) for key, value in _entries(lines))
    return options


def _groups(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each group and its lines; those before the first are a group, too."""
    name, start = "", 0
    for place in range(len(lines) - 1):
        dashes = lines[place + 1]
        above = lines[place - 1] if place else ""
        if dashes and set(dashes) == {"-"} and len(dashes) == len(lines[place]) and not above:
            yield name, lines[start:place]
            name, start = lines[place], place + 2
    yield name, lines[start:]


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    key, parts, blank = None, [""], 0
    for line in lines:
        match = _ENTRY(line)
        if match is not None:
            if key is not None:
                yield key, "\n".join(parts)
            key, parts, blank = match[1], [match[2] or ""], 0
        elif not line:
            blank += 1  # within a value, or at its end
        else:
            parts += [""] * blank + [line]
            blank = 0
    if key is not None:
        yield key, "\n".join(parts)
