"""Values of a study file: directives in texts. Used by the modules of ``document`` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from soops.api import Directive, Source
from soops.parsing import GrammarError, parse_text
from soops_builtin.readers.document.tables import Table

__all__ = ["value_of", "values_of"]


def values_of(table: Table, given: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Return the values below a path of a table, directives read; mistakes are noted."""
    values = {}
    for key, item in given.items():
        with table.mistakes.noting(table.source(*path, key)):
            values[key] = value_of(table, (*path, key), item)
    return values


def value_of(table: Table, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a value of the file with the texts that are directives read as such.

    Raises
    ------
    GrammarError
        For a text that begins as a directive and is none.
    """
    if isinstance(value, str):
        return _text(value, table.source(*path)) if value.startswith("@") else value
    if isinstance(value, list):
        return [value_of(table, (*path, place), item) for place, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: value_of(table, (*path, key), item) for key, item in value.items()}
    return value


def _text(text: str, source: Source) -> Directive | str:
    """Return the directive that a text is, or the text; the column of it is not known."""
    try:
        found = parse_text(text, source)
    except GrammarError as exc:
        exc.source = replace(source, excerpt=text)
        raise
    return replace(found, source=source) if isinstance(found, Directive) else found
