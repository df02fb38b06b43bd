"""Read the files of a run: arrays, tables, options, parameters.

Part of the script library, under the name :mod:`soops.scoop_outputs`. numpy and pandas are
imported by the functions that need them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from soops.dicts import flatten_dict
from soops.ioutils import load_options
from soops.parsing import parse_as_dict

__all__ = [
    "filter_dict",
    "load_array",
    "load_csv",
    "load_soops_parameters",
    "load_split_options",
    "split_options",
]


def load_array(
    filename: Any,
    key: str = "array",
    columns: Iterable[str] | None = None,
    load_kwargs: Mapping[str, Any] | None = None,
    rdata: Any = None,
) -> dict[str, Any]:
    """Return the arrays of a file. Pickled objects in it are refused.

    Parameters
    ----------
    filename : str or path
        ``.npy``, ``.npz``, or a text as :func:`numpy.loadtxt` reads it.
    key : str
        The name of the array of a ``.npy`` or text file.
    columns : iterable of str, optional
        Names of the columns of a two-dimensional array, which are returned one by one; of
        a ``.npz``, the arrays to return.
    load_kwargs : mapping, optional
        Further arguments of :func:`numpy.load` or :func:`numpy.loadtxt`.
    rdata : mapping, optional
        Not used.

    Returns
    -------
    dict
        Name to array.

    Raises
    ------
    ValueError
        When the array does not have as many columns as there are names.
    """
    import numpy as np

    path = str(Path(filename).expanduser())
    options = dict(load_kwargs or {})
    if path.endswith((".npy", ".npz")):
        options.pop("allow_pickle", None)
        if path.endswith(".npz"):
            # numpy leaves a file open that it opened and finds damaged.
            with (
                Path(path).open("rb") as file,
                np.load(file, allow_pickle=False, **options) as zipped,
            ):
                return {name: zipped[name] for name in columns or zipped.files}
        loaded = np.load(path, allow_pickle=False, **options)
    else:
        loaded = np.loadtxt(path, **options)
    if columns is None:
        return {key: loaded}
    names = list(columns)
    parts = loaded.T if loaded.ndim != 1 or len(loaded) == len(names) else loaded[None]
    if loaded.ndim == 0 or len(parts) != len(names):
        shape = " x ".join(str(size) for size in loaded.shape) or "a single number"
        raise ValueError(f"{path}: the array ({shape}) does not have {len(names)} columns")
    return dict(zip(names, parts, strict=True))


def load_csv(filename: Any, orient: Any = "list", rdata: Any = None) -> Any:
    """Return the columns of a CSV file, as :func:`pandas.read_csv` reads it.

    Parameters
    ----------
    filename : str or path
        The file.
    orient : str
        As of :meth:`pandas.DataFrame.to_dict`.
    rdata : mapping, optional
        Not used.
    """
    import pandas as pd

    return pd.read_csv(filename).to_dict(orient=orient)


def load_soops_parameters(filename: Any, orient: str = "list", rdata: Any = None) -> dict[str, Any]:
    """Return the parameters of a run, of its ``soops-parameters.csv``.

    Parameters
    ----------
    filename : str or path
        The file in its run directory. Values have the types that the record beside it has;
        without one a cell is read as :func:`soops.literals.read_value` does.
    orient : str
        Of no consequence.
    rdata : mapping, optional
        Not used.

    Returns
    -------
    dict
        Column to value: ``pkey``, ``finished``, ``iset``, the keys of the parameters with
        their dashes, the output directory, ``script_dir``.

    Raises
    ------
    ValueError
        When the file has no row.
    """
    import csv

    from soops.kernel.records.record import read_record
    from soops.literals import read_value

    path = Path(filename)
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2 or len(rows[0]) != len(rows[1]):
        raise ValueError(f"{path} is damaged: it has no row of parameters")
    cells = dict(zip(rows[0], rows[1], strict=True))
    values = {key: cell if key == "pkey" else read_value(cell) for key, cell in cells.items()}
    if cells.get("iset", "").isdecimal():
        values["iset"] = int(cells["iset"])
    record = read_record(path.parent)
    if record is not None:
        values.update((key, val) for key, val in record.parameters.items() if key in values)
    return values


def split_options(
    options: Mapping[str, Any],
    split_keys: Iterable[str] | Mapping[str, Iterable[str] | None] | str,
    recur: bool = False,
    keep_original: bool = False,
) -> dict[str, Any]:
    """Return options in which some dicts are split into one option for each of their keys.

    Parameters
    ----------
    options : mapping
        The options.
    split_keys : iterable of str, or mapping
        Names of options that are dicts, or texts of dicts in the value language; others,
        and those that are not there, are left as they are. As a mapping: name to new names
        for the items of the dict, in their order, or None.
    recur : bool
        Split dicts in the dicts as well.
    keep_original : bool
        Keep the dicts, too.

    Returns
    -------
    dict
        The other options and, at the end, ``option__key``.

    Raises
    ------
    ValueError
        When there are not as many new names as items.

    >>> split_options({"opts": {"lw": 2, "alpha": 0.5}}, ["opts"])
    {'opts__lw': 2, 'opts__alpha': 0.5}
    """
    wanted: Mapping[str, Any]
    if isinstance(split_keys, Mapping):
        wanted = split_keys
    else:
        wanted = dict.fromkeys([split_keys] if isinstance(split_keys, str) else split_keys)
    out = dict(options)
    for name, new_names in wanted.items():
        items = _as_dict(out.get(name))
        if items is None:
            continue
        if new_names is not None:
            items = _renamed(name, items, list(new_names))
        if not keep_original:
            del out[name]
        for key, value in items.items():
            if recur and isinstance(value, dict) and value:
                out.update(flatten_dict(value, prefix=f"{name}__{key}__"))
            else:
                out[f"{name}__{key}"] = value
    return out


def _as_dict(value: Any) -> dict[Any, Any] | None:
    """Return a dict as it is, a text in the value language as a dict, else None."""
    if isinstance(value, str) and ("=" in value or ":" in value):
        try:
            return dict(parse_as_dict(value))
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _renamed(name: str, items: dict[Any, Any], new_names: list[str]) -> dict[str, Any]:
    if len(new_names) != len(items):
        raise ValueError(
            f"{name!r} has {len(items)} items ({', '.join(map(str, items))}), "
            f"but {len(new_names)} new names: {', '.join(new_names)}"
        )
    return dict(zip(new_names, items.values(), strict=True))


def load_split_options(
    filename: Any,
    split_keys: Iterable[str] | Mapping[str, Iterable[str] | None] | str | None = None,
    recur: bool = False,
    keep_original: bool = False,
    rdata: Any = None,
) -> dict[str, Any]:
    """Return the options of a file of :func:`soops.ioutils.save_options`, some of them split.

    Parameters
    ----------
    filename : str or path
        The file.
    split_keys, recur, keep_original
        See :func:`split_options`.
    rdata : mapping, optional
        Not used.
    """
    options = load_options(filename)
    return (
        options
        if split_keys is None
        else split_options(options, split_keys, recur=recur, keep_original=keep_original)
    )


def filter_dict(data: Any, key_prefix: str, strip_prefix: bool = True) -> Any:
    """Return the items whose keys begin with a prefix, in a mapping of the same class.

    Parameters
    ----------
    data : mapping or pandas.Series
        What to choose from.
    key_prefix : str
        The prefix.
    strip_prefix : bool
        Remove it from the keys.
    """
    items = {
        key.removeprefix(key_prefix) if strip_prefix else key: value
        for key, value in (dict.items(data) if isinstance(data, dict) else data.items())
        if str(key).startswith(key_prefix)
    }
    return type(data)(items) if isinstance(data, dict) else items
