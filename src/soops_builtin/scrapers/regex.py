"""The scraper of texts by regular expressions with named groups: logs of any program."""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from soops_builtin.scrapers.arguments import all_options, expect, texts
from soops_builtin.scrapers.files import Paths, each_file, read_text

__all__ = ["check_regex", "regex"]

#: Factors to seconds, bytes and plain fractions.
UNITS: dict[str, float] = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "sec": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "%": 0.01,
}
_WHICH = ("last", "first", "all", "count")
_INT = re.compile(r"[+-]?(0|[1-9][0-9]*)").fullmatch


def regex(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    pattern: str | Sequence[str],
    types: Mapping[str, str | Callable[[str], Any]] | None = None,
    which: str = "last",
    multiline: bool = True,
    unit: Mapping[str, str | float] | None = None,
    required: bool = True,
) -> dict[str, Any]:
    r"""Return what the named groups of patterns match in a text.

    Parameters
    ----------
    path : str or list of str
        A text file; bytes that are not UTF-8 do no harm.
    pattern : str or sequence of str
        ``r"elapsed: (?P<elapsed>\S+)"``; each group is a value.
    types : mapping, optional
        Group to ``"int"``, ``"float"``, ``"str"``, ``"bool"`` or a function of the text.
        Without a type, what looks like a number is one.
    which : {'last', 'first', 'all', 'count'}
        Which match counts. With 'all', each value is a list; with 'count', the number of
        matches that the group is part of, and no match is 0 and no error.
    multiline : bool
        ``^`` and ``$`` match at each line, and ``.`` no line end; else the text is one
        whole in which ``.`` matches everything.
    unit : mapping, optional
        Group to the unit in which the text gives it, for values in seconds, bytes or
        fractions: a unit (``"ms"``, ``"MiB"``, ``"%"``, ...), a factor, or the name of
        another group that matches the unit and is then no value itself.
    required : bool
        A pattern without a match is an error; else its values are left out.

    Raises
    ------
    LookupError
        When a required pattern does not match.
    ValueError
        When a match is not of its type, or an option is wrong.
    """
    patterns, convert = _checked(pattern, types, which, multiline, unit)
    units = dict(unit or {})

    def read(one: str) -> dict[str, Any]:
        text = read_text(one)
        values: dict[str, Any] = {}
        for expression in patterns:
            values.update(_values(expression, text, which, convert, units, required))
        return values

    return each_file(path, read)


def check_regex(**options: Any) -> None:
    """Raise ValueError for options of :func:`regex` that cannot be right."""
    given = all_options(regex, options)
    expect("true or false", multiline=given["multiline"], required=given["required"])
    rules = ("pattern", "types", "which", "multiline", "unit")
    _checked(*(given[name] for name in rules))


def _checked(
    pattern: str | Sequence[str],
    types: Mapping[str, str | Callable[[str], Any]] | None,
    which: str,
    multiline: bool,
    unit: Mapping[str, str | float] | None,
) -> tuple[list[re.Pattern[str]], dict[str, Callable[[str], Any]]]:
    """Return the patterns and converters; raise ValueError for an option that is wrong."""
    if which not in _WHICH:
        raise ValueError(f"which is one of {', '.join(_WHICH)}, not {which!r}")
    expect("a table", types=types, unit=unit)
    if which == "count" and (types or unit):
        raise ValueError("which = 'count' gives numbers of matches: they have no types and unit")
    flags = re.MULTILINE if multiline else re.DOTALL
    given = [pattern] if isinstance(pattern, str) else texts("pattern", pattern)
    if not given:
        raise ValueError("there is no pattern")
    patterns = [_compiled(text, flags) for text in given]
    convert = _converters(types or {})
    _check_names(patterns, {*(types or {}), *(unit or {})})
    for name, one in (unit or {}).items():
        _check_unit(name, one, patterns)
    return patterns, convert


def _check_unit(name: str, unit: Any, patterns: Sequence[re.Pattern[str]]) -> None:
    """Raise when a unit is no number, no known word and no group beside its value."""
    beside = {
        group
        for expression in patterns
        if name in expression.groupindex
        for group in expression.groupindex
    }
    if isinstance(unit, str) and unit not in UNITS and unit not in beside:
        raise ValueError(f"unknown unit {unit!r} of {name!r}; known: {', '.join(UNITS)}")
    if not isinstance(unit, (str, int, float)) or isinstance(unit, bool):
        raise ValueError(f"the unit of {name!r} is a text or a number, not {unit!r}")


def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern, flags)
    except re.error as exc:
        raise ValueError(f"the pattern {pattern!r} is wrong: {exc}") from exc
    if not expression.groupindex:
        raise ValueError(f"the pattern {pattern!r} has no named group (?P<name>...)")
    return expression


def _converters(types: Mapping[str, Any]) -> dict[str, Callable[[str], Any]]:
    known: dict[Any, Callable[[str], Any]] = {
        "int": int,
        "float": _float,
        "str": str,
        "bool": _bool,
        float: _float,
        bool: _bool,
    }
    converters = {}
    for name, kind in types.items():
        converter = known.get(kind, kind) if isinstance(kind, str) or callable(kind) else None
        if not callable(converter):
            raise ValueError(f"the type of {name!r} is int, float, str or bool, not {kind!r}")
        converters[name] = converter
    return converters


def _check_names(patterns: Sequence[re.Pattern[str]], names: Iterable[str]) -> None:
    groups = {name for expression in patterns for name in expression.groupindex}
    for name in names:
        if name not in groups:
            raise ValueError(f"no pattern has a group {name!r}; there are {sorted(groups)}")


def _values(
    expression: re.Pattern[str],
    text: str,
    which: str,
    convert: Mapping[str, Callable[[str], Any]],
    units: Mapping[str, str | float],
    required: bool,
) -> dict[str, Any]:
    found = expression.finditer(text)
    if which == "count":
        groups = [match.groupdict() for match in found]
        return {
            name: sum(group[name] is not None for group in groups) for name in expression.groupindex
        }
    if which == "all":
        matches = list(found)
    elif which == "first":
        matches = list(itertools.islice(found, 1))
    else:
        matches = list(collections.deque(found, maxlen=1))
    if not matches:
        if required:
            raise LookupError(f"no match of {expression.pattern!r}")
        return {}
    rows = [_typed(match.groupdict(), convert, units) for match in matches]
    if which == "all":
        return {name: [row[name] for row in rows] for name in rows[0]}
    return rows[0]


def _typed(
    groups: Mapping[str, str | None],
    convert: Mapping[str, Callable[[str], Any]],
    units: Mapping[str, str | float],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in groups.items():
        if name in units.values():  # it is the unit of another group
            continue
        if text is None:
            values[name] = None
            continue
        try:
            value = convert.get(name, _guess)(text)
        except ValueError:
            raise ValueError(f"{name} is {text!r}") from None
        values[name] = value * _factor(units[name], groups) if name in units else value
    return values


def _factor(unit: str | float, groups: Mapping[str, str | None]) -> float:
    if not isinstance(unit, str):
        return unit
    text = groups.get(unit, unit)
    if text not in UNITS:
        raise ValueError(f"unknown unit {text!r}; known: {', '.join(UNITS)}")
    return UNITS[text]


def _guess(text: str) -> Any:
    if _INT(text):
        return int(text)
    if "_" in text:  # 1_000 is a name, whatever Python thinks
        return text
    try:
        return _float(text)
    except ValueError:
        return text


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        # 1.5D+02 is how Fortran writes doubles.
        if re.fullmatch(r"[+-]?[0-9.]+[dD][+-]?[0-9]+", text.strip()):
            return float(text.lower().replace("d", "e"))
        raise


def _bool(text: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "on": True, "t": True}
    words.update({"false": False, "no": False, "0": False, "off": False, "f": False})
    try:
        return words[text.strip().lower()]
    except KeyError:
        raise ValueError(text) from None
