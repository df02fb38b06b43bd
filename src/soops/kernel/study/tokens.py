"""The words of the value language: what a token is, what it means, where it stands.

Used by ``grammar`` and ``rendering`` only; nothing of soops is imported but values and errors.
"""

from __future__ import annotations

import bisect
import re
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.values import Source

__all__ = [
    "FREE",
    "MAX_DEPTH",
    "STRICT",
    "GrammarError",
    "Places",
    "may_have_older",
    "read_atom",
    "read_older",
    "read_string",
]

#: Deeper nesting is refused: what it would give could be neither printed nor hashed.
MAX_DEPTH = 100

_QUOTED = (
    r"""('(?:[^'\\\n\r]++|''|\\[^\n\r])*'|"(?:[^"\\\n\r]++|""|\\[^\n\r])*")"""
    r"""|(\$'(?:[^'\\\n\r]++|\\[^\n\r])*')"""
)
_WORD = r"[^\s,=%s\[\](){}'\"\x00-\x1f\x7f]++"
_ANY = r"\s*+(?:%s|(%s)|([,=%s\[\](){}])|(\Z)|(.))"

#: Groups of a token: the quoted forms, a word or number, a mark, the end, a stranger.
STRING, ESCAPED, ATOM, MARK, END, OTHER = range(1, 7)
#: Tokens with free words: anything but blanks, commas, brackets, quotes and ``=``.
FREE = re.compile(_ANY % (_QUOTED, _WORD % "", ""), re.DOTALL)
#: Tokens with plain words: ``:`` is a mark of its own.
STRICT = re.compile(_ANY % (_QUOTED, _WORD % ":", ":"), re.DOTALL)

_REAL = r"(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NUMBER = re.compile(rf"([+-]?[0-9]++)|([+-]?{_REAL})|([+-]?{_REAL}(?:[+-]{_REAL})?j)").fullmatch
_NUMBER_STARTS = frozenset("0123456789+-.")
_CONVERT = (None, int, float, complex)
_CONSTANTS = {"none": None, "true": True, "false": False}
_PLAIN_WORD = re.compile(r"[^\W\d_]\w*").fullmatch

#: Where soops 2026.2 may have read something else: a blank after a number or constant, a
#: number that begins with its point, an imaginary unit.
_OLDER = re.compile(r"[\s.j](?<=[0-9.eEj]\s|[^0-9]\.|[0-9.]j)").search
#: What it took for a complex number.
_OLDER_COMPLEX = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*|(?=[eE]))(?:[eE][+-]?[0-9]+)?j").fullmatch

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\\'\"ntr0]|.)")
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t", "r": "\r", "0": "\0"}


class GrammarError(StudyError, ValueError):
    """A text that is not in the language; ``source`` has line, column and the text there."""

    #: Where in the excerpt of the source the mistake is, from 0; None without an excerpt.
    excerpt_column: int | None = None

    def picture(self) -> str:
        """Return the line of the mistake with a caret below it, or an empty string."""
        if self.source is None or self.source.excerpt is None or self.excerpt_column is None:
            return ""
        return f"{self.source.excerpt}\n{' ' * self.excerpt_column}^"


class Places:
    """Positions of a text as lines and columns, and the errors that name them.

    Parameters
    ----------
    text : str
        The text that is parsed.
    source : Source, optional
        Where it comes from; its line and column are those of the first character.
    """

    def __init__(self, text: str, source: Source | None) -> None:
        self.text = text
        self.source = source or Source()
        self._starts: list[int] | None = None

    def source_at(self, position: int, *, excerpt: str | None = None) -> Source:
        """Return the source of the character at ``position``."""
        line, column = self._line_column(position)
        base = self.source
        first = (base.column or 1) if line == 0 else 1
        return Source(
            path=base.path,
            section=base.section,
            line=(base.line or 1) + line,
            column=first + column,
            excerpt=excerpt,
        )

    def error(self, message: str, position: int, hint: str | None = None) -> GrammarError:
        """Return the error of a mistake at ``position``."""
        _, column = self._line_column(position)
        start = position - column
        end = self.text.find("\n", position)
        line = self.text[start : end if end >= 0 else len(self.text)].rstrip()
        before, after = line[:column], line[column:]
        if len(before) > 40:
            before = "..." + before[-37:]
        if len(after) > 40:
            after = after[:37] + "..."
        excerpt = before + after
        error = GrammarError(message, source=self.source_at(position, excerpt=excerpt), hint=hint)
        error.excerpt_column = len(before)
        return error

    def _line_column(self, position: int) -> tuple[int, int]:
        if self._starts is None:
            self._starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect.bisect_right(self._starts, position) - 1
        return line, position - self._starts[line]


def read_atom(word: str, free: bool) -> Any:
    """Return the number, constant or text that an unquoted word stands for.

    Raises
    ------
    ValueError
        When it is no word of the strict language, or a number too long to be one.
    """
    first = word[0]
    if first in _NUMBER_STARTS:
        number = _NUMBER(word)
        if number is not None:
            convert = _CONVERT[number.lastindex or 0]
            assert convert is not None
            try:
                return convert(word)
            except ValueError:
                raise ValueError(f"the number {word[:20]}... has too many digits") from None
    elif len(word) < 6:
        lowered = word.lower()
        if lowered in _CONSTANTS:
            return _CONSTANTS[lowered]
    if free or _PLAIN_WORD(word):
        return word
    raise ValueError(f"{word[:40]!r} is not a plain word")


def may_have_older(text: str) -> bool:
    """Return False when soops 2026.2 surely read the words of a text as we do."""
    return _OLDER(text) is not None


def read_older(word: str, value: Any, before_blank: bool) -> Any:
    """Return what soops 2026.2 read for an unquoted word: it is in the names of its directories.

    Parameters
    ----------
    word : str
        The word as it was written.
    value
        What it stands for now, of :func:`read_atom`.
    before_blank : bool
        Whether a blank follows: then numbers and constants were texts.

    Notes
    -----
    Of ``1.0j`` it lost the unit and ran the program with 1: no run of this value, so that its
    directory is not that of ``1.0j``.
    """
    if before_blank:
        return word
    if isinstance(value, complex):
        return value if _OLDER_COMPLEX(word) else word
    return word if isinstance(value, float) and word.lstrip("+-")[0] == "." else value


def read_string(token: str) -> str:
    """Return the text of a quoted token; of ``$'...'`` with its escapes replaced.

    Raises
    ------
    ValueError
        For an unknown escape; the second argument is its place in the token.
    """
    if token[0] != "$":
        return token[1:-1]

    def replace(match: re.Match[str]) -> str:
        code = match[1]
        if code in _ESCAPES:
            return _ESCAPES[code]
        if len(code) > 1 and int(code[1:], 16) < 0x110000:
            return chr(int(code[1:], 16))
        raise ValueError(f"unknown escape {match[0]}", match.start())

    # The quotes cannot be part of an escape: places in the token stay as they are.
    return _ESCAPE.sub(replace, token[:-1])[2:]
