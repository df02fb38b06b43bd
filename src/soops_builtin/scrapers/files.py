"""What the scrapers share: reading a text, and one file or several."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["Paths", "each_file", "read_text"]

#: A scraper gets one path, or a list of them when its pattern has a wildcard.
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def read_text(path: str) -> str:
    """Return the text of a file; bytes that are not UTF-8 are kept as surrogates."""
    with io.FileIO(path) as file:
        return file.readall().decode("utf-8", "surrogateescape")


def each_file(paths: Paths, read: Callable[[str], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of one file; of several, a list for each name, None where it lacks.

    Parameters
    ----------
    paths : str, path, or a sequence of these
        As a scraper gets them.
    read : callable
        Reads one file.
    """
    if isinstance(paths, (str, os.PathLike)):
        return dict(read(os.fspath(paths)))
    given = [read(os.fspath(path)) for path in paths]
    names = dict.fromkeys(name for values in given for name in values)
    return {name: [values.get(name) for values in given] for name in names}
