"""The scraper of ``options.txt``, the file that :func:`soops.save_options` writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from soops.ioutils import load_options
from soops.scoop_outputs import split_options
from soops_builtin.scrapers.files import Paths, each_file

__all__ = ["options_txt"]


def options_txt(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    split: Iterable[str] = (),
    recur: bool = False,
    keep: bool = False,
) -> dict[str, Any]:
    """Return the options of a run, as typed values; nothing is evaluated.

    Parameters
    ----------
    path : str or list of str
        An ``options.txt``.
    split : iterable of str
        Options that are dicts and become one value for each of their keys, named
        ``option__key``.
    recur : bool
        Split the dicts in them, too.
    keep : bool
        Keep the split options, too.

    Returns
    -------
    dict
        Option to value: see :func:`soops.ioutils.load_options`.
    """
    names = list(split)

    def read(one: str) -> dict[str, Any]:
        options = load_options(one)
        return split_options(options, names, recur, keep) if names else options

    return each_file(path, read)
