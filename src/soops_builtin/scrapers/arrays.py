"""The scraper of array files: ``.npy``, ``.npz`` and columns of numbers in text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from soops_builtin.scrapers.files import Paths, each_file

__all__ = ["array"]


def array(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    key: str = "array",
    columns: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    load_kwargs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the arrays of a file. Pickled objects in it are refused.

    Parameters
    ----------
    path : str or list of str
        ``.npy``, ``.npz``, or a text as ``numpy.loadtxt`` reads it.
    key : str
        The name of the array of a ``.npy`` or text file.
    columns : sequence of str, optional
        Names of the columns of a two-dimensional array, which become values of their own.
    names : sequence of str, optional
        Of a ``.npz``: only these arrays; by default all, under their own names.
    load_kwargs : mapping, optional
        Further arguments of ``numpy.load`` or ``numpy.loadtxt``.

    Returns
    -------
    dict
        Name to array, in the shape and dtype of the file.
    """
    options = {**(load_kwargs or {})}
    options.pop("allow_pickle", None)
    return each_file(path, lambda one: _read(one, key, columns, names, options))


def _read(
    path: str,
    key: str,
    columns: Sequence[str] | None,
    names: Sequence[str] | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    import numpy as np

    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False, **options) as file:
            return {name: file[name] for name in (names or file.files)}
    if path.endswith(".npy"):
        data = np.load(path, allow_pickle=False, **options)
    else:
        data = np.loadtxt(path, **options)
    if columns is None:
        return {key: data}
    table = np.atleast_2d(data)
    if table.ndim != 2 or table.shape[1] != len(columns):
        raise ValueError(f"the array has the shape {data.shape}, not {len(columns)} columns")
    return {name: table[:, place] for place, name in enumerate(columns)}
