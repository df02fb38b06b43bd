"""The dict-like language of studies: text to values, in linear time, nothing evaluated.

Used wherever a person writes values: study texts and files, ``--conf``, ``--plugin-args``,
``soops.parsing``. It imports values and errors only, because every script that imports
``soops`` may come through here. The language is described in ``docs/value-language.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from soops.kernel.study.parser import Parser, parse_directive, parse_text
from soops.kernel.study.rendering import render
from soops.kernel.study.tokens import GrammarError, may_have_older
from soops.kernel.values import Source

__all__ = [
    "GrammarError",
    "parse_dict",
    "parse_directive",
    "parse_list",
    "parse_older",
    "parse_text",
    "parse_value",
    "render",
]


def parse_dict(
    text: str,
    *,
    free_word: bool = True,
    source: Source | None = None,
    directives: bool = True,
) -> dict[Any, Any]:
    """Return the entries ``key=value, key=value`` of a text; a later key wins.

    Parameters
    ----------
    text : str
        Without outer braces; an empty text is an empty dict.
    free_word : bool
        Whether unquoted words may hold more than letters, digits and ``_``.
    source : Source, optional
        Where the text comes from; its line and column are those of the first character.
    directives : bool
        Whether ``@name`` and ``@name(...)`` become :class:`Directive`; otherwise ``@name``
        is a text like any other.

    Raises
    ------
    GrammarError
        With line and column of the mistake.
    """
    result: dict[Any, Any] = Parser(text, free_word, source, directives).parse("dict")
    return result


def parse_older(
    text: str, values: Mapping[Any, Any], *, source: Source | None = None
) -> dict[Any, Any]:
    """Return the entries that soops 2026.2 read otherwise, as it read them; nearly always none.

    A blank after a number made it a text (``[1, 5 , 15]`` was 1, ``'5'``, 15), and so did a
    point at its beginning or an imaginary unit. The names of its directories tell of
    these values, so that a study of then is found only through them.

    Parameters
    ----------
    text : str
        In the language with free words.
    values : mapping
        What :func:`parse_dict` made of it.
    source : Source, optional
        As of :func:`parse_dict`.
    """
    if not may_have_older(text):
        return {}
    older: dict[Any, Any] = Parser(text, True, source, True, older=True).parse("dict")
    return {
        key: value
        for key, value in older.items()
        if key in values and repr(value) != repr(values[key])
    }


def parse_list(
    text: str,
    *,
    free_word: bool = True,
    source: Source | None = None,
    directives: bool = True,
) -> list[Any]:
    """Return the items ``value, value`` of a text; parameters as of :func:`parse_dict`."""
    result: list[Any] = Parser(text, free_word, source, directives).parse("list")
    return result


def parse_value(text: str, *, free_word: bool = True, source: Source | None = None) -> Any:
    """Return the one value that a text is, directives read; as of :func:`parse_dict`."""
    return Parser(text, free_word, source, True).parse("value")
