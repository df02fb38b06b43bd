"""The value language for scripts and plugins: text to dicts, lists and numbers.

Part of the script library: any script may import it, and it costs next to nothing. The
``parse_as_...`` functions keep directives (``@name``) as texts; readers of study formats
use the functions below, which are those of the kernel. The language is described in
``docs/value-language.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from soops.kernel.study.grammar import (
    GrammarError,
    parse_dict,
    parse_directive,
    parse_list,
    parse_older,
    parse_text,
    parse_value,
    render,
)

__all__ = [
    "GrammarError",
    "extract_floats",
    "extract_ints",
    "extract_values",
    "parse_as_dict",
    "parse_as_list",
    "parse_dict",
    "parse_directive",
    "parse_list",
    "parse_older",
    "parse_text",
    "parse_value",
    "render",
]


def parse_as_dict(
    string: str | Mapping[Any, Any] | None,
    allow_tuple: bool = False,
    free_word: bool = False,
    defaults: str | Mapping[Any, Any] | None = None,
) -> Any:
    """Return the dict that ``key=value, ...`` stands for, merged over defaults.

    Parameters
    ----------
    string : str, dict or None
        The text; a dict is copied, None is an empty dict.
    allow_tuple : bool
        Whether the text may also be one tuple ``(1, 2)``, which is then returned.
    free_word : bool
        Whether unquoted words may hold more than letters, digits and ``_``.
    defaults : str or dict, optional
        Values of keys that are not given.

    Raises
    ------
    GrammarError
        A ``ValueError``, with line and column of the mistake.
    """
    if allow_tuple and isinstance(string, str) and string.lstrip().startswith("("):
        try:
            items = parse_list(string, free_word=free_word, directives=False)
        except GrammarError:
            items = []  # a dict whose first key is a tuple, or wrong: told below
        if len(items) == 1 and isinstance(items[0], tuple):
            return items[0]
    return {**_as_dict(defaults, free_word), **_as_dict(string, free_word)}


def parse_as_list(string: str | list[Any] | None, free_word: bool = False) -> list[Any]:
    """Return the list that ``value, ...`` stands for; a list as it is, None as ``[]``.

    Parameters
    ----------
    string : str, list or None
        The text, without outer brackets.
    free_word : bool
        Whether unquoted words may hold more than letters, digits and ``_``.

    Raises
    ------
    GrammarError
        A ``ValueError``, with line and column of the mistake.
    """
    if string is None:
        return []
    if isinstance(string, list):
        return string
    if not isinstance(string, str):
        raise TypeError(f"a text or a list is needed, not {type(string).__name__}")
    return parse_list(string, free_word=free_word, directives=False)


def extract_values(
    tokens: str | Iterable[str], delete: str = "[]", dtype: Callable[[str], Any] = float
) -> list[Any]:
    """Return the numbers in the words of a line, as of a log file: ``["[1.5,", "2]"]``.

    Parameters
    ----------
    tokens : iterable of str
        Words; a text is split at blanks.
    delete : str
        Characters to leave out.
    dtype : callable
        What makes a value of a word.

    Raises
    ------
    ValueError
        When a word is no number.
    """
    words = tokens.split() if isinstance(tokens, str) else tokens
    table = str.maketrans("", "", delete)
    return [
        dtype(part) for word in words for part in word.translate(table).split(",") if part.strip()
    ]


extract_floats = extract_values
extract_ints = partial(extract_values, dtype=int)


def _as_dict(given: str | Mapping[Any, Any] | None, free_word: bool) -> dict[Any, Any]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    if not isinstance(given, str):
        raise TypeError(f"a text or a dict is needed, not {type(given).__name__}")
    return parse_dict(given, free_word=free_word, directives=False)
