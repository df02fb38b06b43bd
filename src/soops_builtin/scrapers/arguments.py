"""The rules of the options of scrapers, for the scrapers and for their checks alike.

A check is called before anything is run, ``check(**options)``; it raises ValueError for what
no file can make right.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from soops.api import near_misses

__all__ = ["all_options", "chosen", "expect", "texts"]

_KINDS: dict[str, Callable[[Any], bool]] = {
    "a text": lambda value: isinstance(value, str),
    "one character": lambda value: isinstance(value, str) and len(value) == 1,
    "true or false": lambda value: isinstance(value, bool),
    "a table": lambda value: value is None or isinstance(value, Mapping),
}


def all_options(scraper: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a scraper, those that are not given with their defaults.

    Raises
    ------
    ValueError
        When an option is unknown, or one that is needed lacks.
    """
    known = {
        name: parameter.default
        for name, parameter in inspect.signature(scraper).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for name in given:
        if name not in known:
            near = near_misses(name, known) or f"there are {', '.join(known)}"
            raise ValueError(f"unknown option {name!r}: {near}")
    options = {**known, **given}
    for name, value in options.items():
        if value is inspect.Parameter.empty:
            raise ValueError(f"the option {name!r} is needed")
    return options


def expect(kind: str, **options: Any) -> None:
    """Raise a ValueError for an option that is not of a kind, such as ``"a text"``."""
    for name, value in options.items():
        if not _KINDS[kind](value):
            raise ValueError(f"{name} is {kind}, not {value!r}")


def texts(name: str, value: Iterable[str] | None) -> list[str] | None:
    """Return an option that is a list of texts, or None as it is.

    Raises
    ------
    ValueError
        When it is something else; one text is no list.
    """
    if value is None:
        return None
    if not isinstance(value, (str, bytes, Mapping)) and isinstance(value, Iterable):
        items = list(value)
        if all(isinstance(item, str) for item in items):
            return items
    raise ValueError(f"{name} is a list of texts, not {value!r}")


def chosen(name: str, value: Iterable[str] | Mapping[str, str] | None) -> dict[str, str] | None:
    """Return what an option chooses: the names in a file to those of the values.

    Raises
    ------
    ValueError
        When it is no list or table of texts, or calls two values by one name.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return {item: item for item in texts(name, value) or ()}
    names = dict(value)
    if not all(isinstance(text, str) for text in (*names.keys(), *names.values())):
        raise ValueError(f"{name} is a table of texts, not {names!r}")
    if len(set(names.values())) < len(names):
        raise ValueError(f"{name} calls two values by one name: {', '.join(names.values())}")
    return names
