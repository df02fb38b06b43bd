"""The scraper of array files: ``.npy``, ``.npz`` and columns of numbers in text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from soops.scoop_outputs import load_array
from soops_builtin.scrapers.files import Paths, each_file

__all__ = ["array"]


def array(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    key: str = "array",
    columns: Iterable[str] | None = None,
    load_kwargs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the arrays of a file. Pickled objects in it are refused.

    Parameters
    ----------
    path : str or list of str
        ``.npy``, ``.npz``, or a text as ``numpy.loadtxt`` reads it.
    key : str
        The name of the array of a ``.npy`` or text file.
    columns : iterable of str, optional
        Names of the columns of a two-dimensional array, which become values of their own;
        of a ``.npz``, the arrays to take.
    load_kwargs : mapping, optional
        Further arguments of ``numpy.load`` or ``numpy.loadtxt``.

    Returns
    -------
    dict
        Name to array, in the shape and dtype of the file.
    """
    names = None if columns is None else list(columns)
    return each_file(path, lambda one: load_array(one, key, names, load_kwargs))
