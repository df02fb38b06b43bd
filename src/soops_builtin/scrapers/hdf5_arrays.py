"""Arrays of HDF5 files, by PyTables. What is pickled in them is never unpickled to objects.

Imported by ``arrays`` when there is such a file.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["read_datasets"]


def read_datasets(path: str, names: Mapping[str, str] | None) -> dict[str, Any]:
    """Return datasets of a file: arrays, plain values for scalars, tables field by field.

    Parameters
    ----------
    path : str
        The file.
    names : mapping, optional
        Path of a dataset (or of a field of a table) to its name; None: all that can be read.

    Raises
    ------
    KeyError
        When a dataset is not there.
    ValueError
        When it is of a kind that is not read, or holds objects.
    OSError
        When it is no HDF5 file.
    """
    import tables

    from soops.hdf5_guard import safe_reading

    try:
        with warnings.catch_warnings(), safe_reading() as refused:
            warnings.simplefilter("ignore")  # of kinds that PyTables does not know
            with tables.open_file(path, "r") as file:
                leaves = dict(_leaves(file))
                given = _read(leaves, names)
    except tables.HDF5ExtError as exc:
        raise OSError(f"it is no HDF5 file, or damaged: {str(exc).splitlines()[-1]}") from exc
    if refused:
        raise ValueError(f"it holds more than plain values: {refused[0]}")
    return given


def _leaves(file: Any) -> Iterator[tuple[str, tuple[Any, str | None]]]:
    """Yield each dataset under its path; of a table, each of its fields."""
    for leaf in file.walk_nodes("/", "Leaf"):
        path = leaf._v_pathname.lstrip("/")
        fields = getattr(leaf, "colnames", None)
        if fields is None:
            yield path, (leaf, None)
        for field in fields or ():
            yield f"{path}/{field}", (leaf, field)


def _read(leaves: Mapping[str, Any], names: Mapping[str, str] | None) -> dict[str, Any]:
    if names is None:
        readable = {path: path for path, (leaf, _) in leaves.items() if _is_readable(leaf)}
        if not readable:
            raise ValueError("there is no array in it")
        names = readable
    given = {}
    for path, name in names.items():
        if path.strip("/") not in leaves:
            raise KeyError(f"no dataset {path!r}; there are {', '.join(leaves) or 'none'}")
        leaf, field = leaves[path.strip("/")]
        if not _is_readable(leaf):
            raise ValueError(f"the dataset {path!r} is not one of numbers or short texts")
        value = leaf.read() if field is None else leaf.col(field)
        given[name] = value.item() if getattr(value, "shape", None) == () else value
    return given


def _is_readable(leaf: Any) -> bool:
    """Return whether it is an array or table; lists of objects and unknown kinds are not."""
    kind = getattr(getattr(leaf, "atom", None), "kind", "")
    return type(leaf).__name__ not in ("UnImplemented", "Unknown", "VLArray") and kind != "object"
