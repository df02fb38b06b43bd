"""Where a text comes from. By itself, as every error can have it and the start needs no more."""

from __future__ import annotations

from soops.kernel.values.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a text comes from, for error messages. Lines and columns count from 1."""

    path: str = "command line"
    section: str | None = None
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    """The line of text with a caret below it is made from this line and ``column``."""

    def __str__(self) -> str:
        text = self.path
        if self.section:
            text += f" [{self.section}]"
        if self.line is not None:
            text += f", line {self.line}"
        if self.column is not None:
            text += f", column {self.column}"
        if self.excerpt is not None:
            text += f": {self.excerpt}"
        return text
