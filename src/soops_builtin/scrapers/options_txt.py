"""The scraper of ``options.txt``, the file that :func:`soops.save_options` writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from soops.ioutils import load_options
from soops.scoop_outputs import split_options
from soops_builtin.scrapers.arguments import all_options, expect, texts
from soops_builtin.scrapers.files import Paths, each_file

__all__ = ["check_options", "options_txt"]


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
    names = texts("split", split) or []

    def read(one: str) -> dict[str, Any]:
        options = load_options(one)
        return split_options(options, names, recur, keep) if names else options

    return each_file(path, read)


def check_options(**options: Any) -> None:
    """Raise ValueError for options of :func:`options_txt` that cannot be right."""
    given = all_options(options_txt, options)
    texts("split", given["split"])
    expect("true or false", recur=given["recur"], keep=given["keep"])
