"""Tables of a TOML text that know their lines, check types, and refuse what nobody takes.

Used by ``readers.toml`` only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from soops.api import Source, StudyError, unknown_name
from soops_builtin.readers.toml_lines import Path, lines_of

__all__ = ["Table", "table_of"]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _all(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(test(item) for item in value)


#: What a key may hold, in words, and the test of it.
_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "a text": _is_text,
    "true or false": lambda value: isinstance(value, bool),
    "a positive number": lambda value: (
        (isinstance(value, float) or _is_integer(value)) and 0 < value < float("inf")
    ),
    "a list of texts": _all(_is_text),
    "a list of integers": _all(_is_integer),
    "a list of lists of texts": _all(_all(_is_text)),
    "a text or a list of texts": lambda value: _is_text(value) or _all(_is_text)(value),
    "a table": lambda value: isinstance(value, dict),
    "a table of texts": lambda value: (
        isinstance(value, dict) and all(_is_text(item) for item in value.values())
    ),
}


class Table(Mapping[str, Any]):
    """One table of a text.

    Parameters
    ----------
    data : mapping
        What ``tomllib`` gave.
    path : tuple
        Where the table is in the text.
    find : callable
        Path to :class:`Source`.
    """

    def __init__(self, data: Mapping[str, Any], path: Path, find: Callable[[Path], Source]) -> None:
        self._data = data
        self._path = path
        self._find = find

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @property
    def title(self) -> str:
        """The name of the table as messages write it."""
        return ".".join(str(part) for part in self._path if isinstance(part, str))

    def source(self, *keys: str | int) -> Source:
        """Return where a key of the table is, or else the table itself."""
        return self._find((*self._path, *keys))

    def only(self, *keys: str) -> None:
        """Refuse all other keys.

        Raises
        ------
        StudyError
            With the near misses and the line.
        """
        for key in self._data:
            if key not in keys:
                what = f"key of [{self.title}]:" if self._path else "table"
                raise unknown_name(what, key, keys, source=self.source(key))

    def take(self, key: str, kind: str, default: Any = None, *, required: bool = False) -> Any:
        """Return the value of a key that may be there.

        Parameters
        ----------
        kind : str
            What it must be: ``"a text"``, ``"a list of texts"``, ``"true or false"``, ...

        Raises
        ------
        StudyError
            When it is something else, or required and not there.
        """
        if key not in self._data:
            if required:
                raise StudyError(
                    f"[{self.title}] has no {key!r}", source=self.source(), hint=f"add {key} = ..."
                )
            return default
        value = self._data[key]
        if not _KINDS[kind](value):
            raise StudyError(f"{key!r} must be {kind}", source=self.source(key))
        return value

    def table(self, key: str, *, required: bool = False) -> Table:
        """Return a table in the table; an empty one when it is not there."""
        data = self.take(key, "a table", {}) if key in self._data else {}
        if required and key not in self._data:
            raise StudyError(
                f"there is no table [{key}]", source=self.source(), hint=f"begin it with [{key}]"
            )
        return Table(data, (*self._path, key), self._find)

    def tables(self, key: str) -> list[Table]:
        """Return the tables of an array ``[[key]]``."""
        given = self._data.get(key, [])
        if not _all(lambda item: isinstance(item, dict))(given):
            raise StudyError(f"{key!r} must be written as [[{key}]]", source=self.source(key))
        return [
            Table(item, (*self._path, key, place), self._find) for place, item in enumerate(given)
        ]


def table_of(data: Mapping[str, Any], text: str, source: Source) -> Table:
    """Return the outermost table of a text; lines are looked up when an error needs them."""

    @functools.cache
    def lines() -> Mapping[Path, int]:
        return lines_of(text)

    def find(path: Path) -> Source:
        while path and path not in lines():
            path = path[:-1]
        return replace(source, line=lines().get(path))

    return Table(data, (), find)
