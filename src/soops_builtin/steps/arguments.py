"""Keyword arguments of the builtin steps: their kinds, and what is said of wrong ones.

Nothing heavy is imported: the arguments in a study file are looked at before anything is run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from soops.api import UsageError, near_misses

__all__ = ["AGGREGATES", "TABLE_SUFFIXES", "Arguments", "StepError", "known_as"]

#: How several values become one.
AGGREGATES = ("mean", "median", "min", "max", "sum", "std", "sem", "count", "first", "last")
#: What a table can be written as.
TABLE_SUFFIXES = (".csv", ".md", ".txt")


class StepError(UsageError, ValueError):
    """An argument of a step is wrong, or does not fit the table."""


def known_as(word: str, known: Iterable[str], limit: int = 40) -> str:
    """Return the near misses of a word and the list of what would be right."""
    names = list(dict.fromkeys(known))
    shown = ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
    hint = near_misses(word, names)
    return f"; {hint} known: {shown}" if hint else f"; known: {shown or 'none'}"


class Arguments:
    """The keyword arguments of a step, taken one by one.

    Parameters
    ----------
    given : mapping
        Name to value. None is as good as not given.

    Raises
    ------
    StepError
        By every method, naming the argument, when its value is of another kind.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = {name: value for name, value in given.items() if value is not None}
        self._taken: list[str] = []

    def take(self, name: str, default: Any = None) -> Any:
        """Return a value as it is."""
        self._taken.append(name)
        return self._given.get(name, default)

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a text."""
        value = self.take(name, default)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise StepError(f"{name} is not a text: {value!r}")
        return value

    def names(self, name: str, default: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the texts of a text or a list of texts, none of them twice."""
        value = self.take(name, tuple(default))
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(
            isinstance(item, str) and item.strip() for item in items
        ):
            raise StepError(f"{name} is not a text or a list of texts: {value!r}")
        if name in self._given and not items:
            raise StepError(f"{name} is an empty list")
        if len(set(items)) < len(items):
            raise StepError(f"{name} names something twice: {', '.join(items)}")
        return tuple(items)

    def needed(self, name: str, example: str) -> tuple[str, ...]:
        """Return the texts of an argument that must be there."""
        items = self.names(name)
        if not items:
            raise StepError(f'{name} is missing: write {name} = "{example}"')
        return items

    def choice(self, name: str, choices: Iterable[str], default: str | None) -> str | None:
        """Return one of some words."""
        value = self.text(name, default)
        if value is not None and value not in choices:
            raise StepError(f"unknown {name} {value!r}{known_as(value, choices)}")
        return value

    def choices(self, name: str, choices: Iterable[str], default: Iterable[str]) -> tuple[str, ...]:
        """Return some of some words."""
        items = self.names(name, default)
        for item in items:
            if item not in choices:
                raise StepError(f"unknown word {item!r} in {name}{known_as(item, choices)}")
        return items

    def flag(self, name: str) -> bool:
        """Return true or false; false when it is not given."""
        value = self.take(name, False)
        if not isinstance(value, bool):
            raise StepError(f"{name} is not true or false: {value!r}")
        return value

    def number(self, name: str, low: float, high: float, default: float) -> float:
        """Return a number of a range."""
        value = self.take(name, default)
        if not _is_number(value) or not low <= value <= high:
            raise StepError(f"{name} is not a number from {low:g} to {high:g}: {value!r}")
        return float(value)

    def pair(self, name: str, low: float, high: float) -> tuple[float, float] | None:
        """Return two numbers of a range."""
        value = self.take(name)
        if value is None:
            return None
        if (
            not isinstance(value, list | tuple)
            or len(value) != 2
            or not all(_is_number(item) and low <= item <= high for item in value)
        ):
            raise StepError(f"{name} is not two numbers from {low:g} to {high:g}: {value!r}")
        return float(value[0]), float(value[1])

    def files(self, name: str, suffixes: Iterable[str]) -> tuple[str, ...]:
        """Return names of files, each with one of some suffixes; none when not given."""
        items = self.names(name)
        for item in items:
            if PurePath(item).suffix.lower() not in suffixes or "\0" in item:
                raise StepError(
                    f"{name} is not the name of a file with one of the suffixes "
                    f"{', '.join(suffixes)}: {item!r}"
                )
        return items

    def refuse(self, names: Iterable[str], because: str) -> None:
        """Raise when one of some arguments is given (and is not false)."""
        for name in names:
            if self._given.get(name, False) is not False:
                raise StepError(f"{name} is of no use: {because}")

    def close(self) -> None:
        """Raise when there is an argument that nothing took."""
        for name in self._given:
            if name not in self._taken:
                raise StepError(f"unknown argument {name!r}{known_as(name, self._taken)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
