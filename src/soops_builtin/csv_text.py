"""CSV text of whole columns, as spreadsheets and the csv module read it.

The csv module looks at each letter of each cell to see whether it must be quoted, which takes
most of the time that a table of ten thousand runs needs to be written; here that is seen of a
column at once. And before Python 3.13 the module does not quote a carriage return, at
which its own reader ends the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["csv_line", "csv_lines"]

_SPECIAL = ('"', ",", "\n", "\r")
_is_special = re.compile('[",\n\r]').search


def csv_line(cells: Iterable[str]) -> str:
    """Return the line of one row of texts, with its end."""
    return ",".join(map(_quoted, cells)) + "\n"


def csv_lines(columns: Sequence[Sequence[str]]) -> str:
    """Return the lines of the rows of some columns of texts, all of the same length.

    Parameters
    ----------
    columns : sequence of sequence of str
        One at least.
    """
    rows = zip(*map(_quoted_column, columns), strict=True)
    return "".join([f"{line}\n" for line in map(",".join, rows)])


def _quoted_column(texts: Sequence[str]) -> Sequence[str]:
    together = "".join(texts)
    if any(char in together for char in _SPECIAL):
        return list(map(_quoted, texts))
    return texts


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _is_special(text) else text
