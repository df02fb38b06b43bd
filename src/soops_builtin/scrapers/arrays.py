"""The scraper of array files: ``.npy``, ``.npz``, ``.h5`` and columns of numbers in text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from soops.scoop_outputs import load_array
from soops_builtin.scrapers.arguments import all_options, chosen, expect, texts
from soops_builtin.scrapers.files import Paths, each_file

__all__ = ["array", "check_array"]

#: Files of several arrays that have names.
_HDF5 = (".h5", ".hdf5", ".hdf")


def array(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    key: str = "array",
    columns: Iterable[str] | None = None,
    keys: Iterable[str] | Mapping[str, str] | None = None,
    load_kwargs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the arrays of a file. Pickled objects in it are refused.

    Parameters
    ----------
    path : str or list of str
        ``.npy``, ``.npz``, ``.h5`` (or ``.hdf5``), or a text as ``numpy.loadtxt`` reads it.
    key : str
        The name of the array of a ``.npy`` or text file.
    columns : iterable of str, optional
        Names of the columns of a two-dimensional array, which become values of their own;
        of a ``.npz``, the arrays to take.
    keys : iterable of str or mapping, optional
        The arrays of a ``.npz`` or ``.h5`` to take; a mapping gives them new names. In HDF5
        they are called by their path, ``group/x``.
    load_kwargs : mapping, optional
        Further arguments of ``numpy.load`` or ``numpy.loadtxt``.

    Returns
    -------
    dict
        Name to array, in the shape and dtype of the file.
    """
    given, names = _checked(columns, keys, load_kwargs)

    def read(one: str) -> dict[str, Any]:
        if one.lower().endswith(_HDF5):
            from soops_builtin.scrapers.hdf5_arrays import read_datasets

            if given is not None or load_kwargs:
                raise ValueError("columns and load_kwargs are not for HDF5: use keys")
            return read_datasets(one, names)
        if names is None:
            return load_array(one, key, given, load_kwargs)
        if not one.endswith(".npz"):
            raise ValueError("keys are for .npz and .h5; this file has one array")
        arrays = load_array(one, key, names, load_kwargs)
        return {new: arrays[name] for name, new in names.items()}

    return each_file(path, read)


def check_array(**options: Any) -> None:
    """Raise ValueError for options of :func:`array` that cannot be right."""
    given = all_options(array, options)
    expect("a text", key=given["key"])
    _checked(given["columns"], given["keys"], given["load_kwargs"])


def _checked(
    columns: Iterable[str] | None,
    keys: Iterable[str] | Mapping[str, str] | None,
    load_kwargs: Mapping[str, Any] | None,
) -> tuple[list[str] | None, dict[str, str] | None]:
    """Return the columns and keys; raise ValueError for an option that is wrong."""
    if columns is not None and keys is not None:
        raise ValueError("columns and keys exclude each other")
    expect("a table", load_kwargs=load_kwargs)
    return texts("columns", columns), chosen("keys", keys)
