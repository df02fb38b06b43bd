"""Tables in HDF5, as pandas writes them: keys ``df``, ``mdf``, ``par_keys``.

Anyone can open such a file with ``pandas.read_hdf(file, "df")``. Reading here never runs
code from the file. Further keys are the data of the user's steps; they stay as long as
the table is the same one (``--write-after-plugins``, ``--reuse --write``): a table
scooped anew begins a new file, because what was computed from the old one is out of date.
Units of columns, where there are some, are pairs in the series ``soops_units``.
"""

from __future__ import annotations

import contextlib
import logging
import math
import pickle
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253 (a heavy leaf)
import pandas as pd  # noqa: TID253
import tables  # noqa: TID253

from soops.api import Scooped, Source, StudyError
from soops.hdf5_guard import safe_reading
from soops_builtin.stores.atomic import refuse_empty, replacing
from soops_builtin.stores.cells import first_strange
from soops_builtin.stores.seal import is_broken, put_seal

__all__ = ["read", "user_keys", "write"]

log = logging.getLogger("soops")

OWN_KEYS = ("df", "mdf", "par_keys")
UNITS_KEY = "soops_units"
_ADVICE = "scoop the run directories again; do not open the file with other programs"


def write(scooped: Scooped, path: Path) -> None:
    """Write a table; the file is the old or the new one at any moment.

    Raises
    ------
    StudyError
        When the table is empty and a file is there, when a value cannot be pickled, or
        when the system refuses.
    """
    refuse_empty(scooped, path)
    frames = {
        "df": _storable(scooped.frame, path),
        "mdf": _storable(scooped.meta, path),
        "par_keys": pd.Series(list(scooped.parameter_keys), dtype=object),
    }
    if scooped.units:
        # Pairs: an index of texts cannot hold names that are no UTF-8.
        frames[UNITS_KEY] = pd.Series(list(scooped.units.items()), dtype=object)
    with replacing(path) as temporary:
        kept = _is_same_table(scooped, path)
        if kept:
            shutil.copyfile(path, temporary)
        with (
            _quiet(path),
            safe_reading() as refused,
            pd.HDFStore(temporary, mode="a" if kept else "w") as store,
        ):
            if UNITS_KEY in store:
                store.remove(UNITS_KEY)
            for key, frame in frames.items():
                store.put(key, frame, format="fixed", track_times=False)
        _check_refused(refused, path)
        put_seal(temporary)


def read(path: Path) -> Scooped:
    """Read a table back. No code runs from the file.

    Raises
    ------
    StudyError
        When it is not a file of this kind, is damaged, or holds objects that are not
        plain values.
    """
    with _reading(path) as store:
        missing = [key for key in OWN_KEYS if key not in store]
        if missing:
            raise _error(path, f"it has no {', '.join(missing)}")
        frame, meta, par_keys = (_get(store, key) for key in OWN_KEYS)
        units = _get(store, UNITS_KEY) if UNITS_KEY in store else pd.Series(dtype=object)
    if not isinstance(frame, pd.DataFrame) or not isinstance(meta, pd.DataFrame):
        raise _error(path, "df and mdf are not tables")
    return Scooped(
        frame=frame,
        meta=meta,
        parameter_keys=tuple(par_keys.tolist()),
        path=path,
        units=_as_units(units, path),
    )


def _as_units(pairs: Any, path: Path) -> dict[str, str]:
    """Return units of the pairs that are stored: column and unit."""
    cells: list[Any] = pairs.tolist() if isinstance(pairs, pd.Series) else [None]
    for cell in cells:
        if not isinstance(cell, tuple) or list(map(type, cell)) != [str, str]:
            raise _error(path, f"{UNITS_KEY} are not pairs of texts")
    return dict(cells)


def _get(store: Any, key: str) -> Any:
    try:
        return store.get(key)
    except UnicodeError:
        # Names that are no UTF-8 have no place in the str type of pandas: as objects then.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pd.option_context("future.infer_string", False):
                return store.get(key)


def user_keys(path: Path) -> list[str]:
    """Return the keys of the user's own data in a results file, as ``/name``."""
    own = (*OWN_KEYS, UNITS_KEY)
    with _reading(path) as store:
        return [key for key in store.keys() if key.strip("/") not in own]  # noqa: SIM118


def _is_same_table(scooped: Scooped, path: Path) -> bool:
    """Whether the table was read from the file, or stored there before."""
    return scooped.path is not None and path.exists() and scooped.path.resolve() == path.resolve()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a store for reading, guarded; every trouble is an error that names the file."""
    refused: Sequence[str] = ()
    try:
        if is_broken(path):
            raise _error(path, "its bytes are not those that were written")
        with safe_reading() as refused, pd.HDFStore(path, mode="r") as store:
            yield store
    except StudyError:
        raise
    except FileNotFoundError as exc:
        raise StudyError("there are no stored results", source=Source(path=str(path))) from exc
    except Exception as exc:  # whatever a damaged file makes HDF5, PyTables or pandas raise
        if not refused:
            raise _error(path, f"{type(exc).__name__}: {exc}") from exc
    _check_refused(refused, path)


def _check_refused(refused: Sequence[str], path: Path) -> None:
    if refused:
        raise StudyError(
            f"the stored results hold something that could run code: {refused[0]}",
            source=Source(path=str(path)),
            hint=_ADVICE,
        )


def _error(path: Path, text: str) -> StudyError:
    return StudyError(
        f"the stored results cannot be read: {text}",
        source=Source(path=str(path)),
        hint="scoop the run directories again, without --reuse and --update",
    )


@contextlib.contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Write without pandas' warnings of pickled columns: we know, and read them safely."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
            warnings.simplefilter("ignore", tables.NaturalNameWarning)
            yield
    except (tables.HDF5ExtError, NotImplementedError, TypeError, ValueError) as exc:
        raise StudyError(
            f"the results cannot be written: {type(exc).__name__}: {exc}",
            source=Source(path=str(path)),
            hint="what was stored before is left as it was",
        ) from exc


def _storable(frame: Any, path: Path) -> Any:
    """Return a frame that the fixed format can hold: other types become objects."""
    columns = {}
    for place, name in enumerate(frame.columns):
        values = frame.iloc[:, place]
        if not (isinstance(values.dtype, np.dtype) or values.dtype == "str"):
            values = values.astype(object).where(values.notna(), math.nan)
        if values.dtype == object:
            _check_cells(name, values, path)
        columns[place] = values
    out = pd.DataFrame(columns, index=frame.index)
    out.columns = frame.columns
    return out


def _check_cells(name: Any, values: Any, path: Path) -> None:
    kind = first_strange(values.tolist())
    if kind is None:
        return
    try:
        pickle.dumps(values.tolist(), pickle.HIGHEST_PROTOCOL)
    except Exception as exc:  # a stranger's __reduce__
        raise StudyError(
            f"the column {name!r} holds what cannot be stored: {type(exc).__name__}: {exc}",
            source=Source(path=str(path)),
            hint="return numbers, texts, lists, dicts or arrays from the scoop function",
        ) from exc
    log.warning(
        "the column %r holds %s objects: pandas can read them back, --reuse and --update "
        "will refuse to",
        name,
        kind.__name__,
    )
