"""On which line of a TOML text each key stands: what ``tomllib`` does not tell.

Used by ``readers.toml`` for its error messages, on texts that ``tomllib`` has read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

__all__ = ["Path", "lines_of"]

#: Keys from the outermost table inwards; a number is a place in an array.
Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'''
    (?P<text>"""(?:[^\\]|\\.)*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:'{0,2})
            |"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
  | (?P<comment>\#[^\n]*)
  | (?P<mark>[\n\[\]{}=,.])
  | (?P<blank>[ \t\r]+)
  | (?P<bare>[^\s\[\]{}=,."'\#]+)
  | (?P<other>.)
    ''',
    re.VERBOSE | re.DOTALL,
)
_SKIPPED = ("comment", "blank", "other")


def lines_of(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, of every table, key and item of a text that is valid TOML."""
    scanner = _Scanner()
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        token = match[0]
        if kind not in _SKIPPED:
            scanner.take(kind, token, line)
        line += token.count("\n")
    return scanner.lines


class _Scanner:
    """A state machine: at a key, in a header, or in a value with its open brackets."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.table: Path = ()
        self.parts: list[str] = []
        """The dotted key that is being read."""
        self.header = 0
        """How many brackets the header that is being read was opened with."""
        self.in_value = False
        self.brackets: list[tuple[str, Path, int]] = []
        """Open brackets of the value: which, its path, how many commas were in it."""
        self.value: Path = ()
        self.counts: dict[Path, int] = {}
        """Of each array of tables how many there were."""

    def take(self, kind: str, token: str, line: int) -> None:
        """Go on by one token."""
        if self.in_value:
            self.take_in_value(kind, token, line)
        elif kind in ("bare", "text"):
            self.parts.append(_unquoted(token) if kind == "text" else token)
        elif token == "[":
            self.header += 1
        elif token == "]" and self.header:
            self.end_header(line)
        elif token == "=":
            self.begin_value(self.table, line)

    def end_header(self, line: int) -> None:
        """Enter the table that a header names; of ``]]`` the second does nothing."""
        if not self.parts:
            self.header -= 1
            return
        path = self.resolved((), self.parts)
        if self.header == 2:
            self.counts[path] = self.counts.get(path, -1) + 1
            path = (*path, self.counts[path])
        self.header -= 1
        self.table = path
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)
        self.parts = []

    def resolved(self, base: Path, parts: list[str]) -> Path:
        """Return the path of a dotted key; a table of an array is the last one."""
        path = base
        for number, part in enumerate(parts):
            path = (*path, part)
            if path in self.counts and number < len(parts) - 1:
                path = (*path, self.counts[path])
        return path

    def begin_value(self, base: Path, line: int) -> None:
        """Take the equals sign after a key."""
        self.value = (*base, *self.parts)
        for length in range(len(base) + 1, len(self.value) + 1):
            self.lines.setdefault(self.value[:length], line)
        self.parts = []
        self.in_value = True

    def take_in_value(self, kind: str, token: str, line: int) -> None:
        """Go on within a value: what matters are keys of inline tables, items of arrays."""
        if self.brackets and self.brackets[-1][0] == "[" and token not in ("\n", ",", "]"):
            _, array, commas = self.brackets[-1]
            self.lines.setdefault((*array, commas), line)
        if token in ("[", "{"):
            self.open(token)
        elif token in ("]", "}"):
            if self.brackets:
                _, self.value, _ = self.brackets.pop()
            self.parts = []
        elif token == "\n":
            self.in_value = bool(self.brackets)
        elif token == "," and self.brackets:
            mark, path, commas = self.brackets.pop()
            self.brackets.append((mark, path, commas + 1))
            self.parts = []
        elif self.brackets and self.brackets[-1][0] == "{":
            if token == "=" and self.parts:
                self.begin_value(self.brackets[-1][1], line)
            elif kind in ("bare", "text"):
                self.parts.append(_unquoted(token) if kind == "text" else token)

    def open(self, token: str) -> None:
        """Enter an array or an inline table; one in an array has a number for its name."""
        path = self.value
        if self.brackets and self.brackets[-1][0] == "[":
            _, array, commas = self.brackets[-1]
            path = (*array, commas)
        self.brackets.append((token, path, 0))
        self.parts = []


def _unquoted(token: str) -> str:
    if token.startswith(('"""', "'''")) or "\n" in token:
        return token  # a value, never a key
    return str(tomllib.loads(f"key = {token}")["key"])
