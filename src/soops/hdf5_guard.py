"""Read HDF5 files of PyTables without running code from them.

PyTables unpickles every attribute that ends like a pickle when a node is opened, and
every cell of an object column. While :func:`safe_reading` is in force, the ``pickle``
that it uses makes plain values only; what looks like another object is refused, and named.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import types
from collections.abc import Iterator
from typing import Any, Literal

from soops.kernel.errors import StudyError
from soops.unpickling import Refused, loads

__all__ = ["open_store", "safe_reading"]

#: One reader at a time: the module attributes are those of the whole process.
_lock = threading.Lock()


@contextlib.contextmanager
def safe_reading() -> Iterator[list[str]]:
    """Make PyTables unpickle plain values only; yield the list of what was refused.

    PyTables keeps the bytes of an attribute that it fails to unpickle, so a refusal does
    not always reach the reader: look at the list when the file is read.

    Raises
    ------
    StudyError
        When this version of PyTables unpickles in a way that is not known here.
    """
    from tables import atom, attributeset

    refused: list[str] = []

    def guarded(data: Any, **kwargs: Any) -> Any:
        try:
            return loads(data, **kwargs)
        except Refused as exc:
            refused.append(str(exc))
            raise

    stand_in = types.SimpleNamespace(
        loads=guarded, dumps=pickle.dumps, HIGHEST_PROTOCOL=pickle.HIGHEST_PROTOCOL
    )
    modules: tuple[Any, ...] = (atom, attributeset)
    with _lock:
        if any(getattr(module, "pickle", None) is not pickle for module in modules):
            raise StudyError(
                "HDF5 files cannot be read safely with this version of PyTables",
                hint="install another version of tables, or keep results in .parquet",
            )
        for module in modules:
            module.pickle = stand_in
        try:
            yield refused
        finally:
            for module in modules:
                module.pickle = pickle


@contextlib.contextmanager
def open_store(filename: Any, mode: Literal["a", "r", "r+"]) -> Iterator[Any]:
    """Open a pandas HDF5 store out of which plain values come, and nothing else.

    Raises
    ------
    StudyError
        When it holds pickles of something else; opening a node is enough to meet them.
    """
    import pandas as pd

    trouble: Exception | None = None
    with safe_reading() as refused:
        try:
            store: Any = pd.HDFStore(os.fspath(filename), mode=mode)
            with store:
                yield store
        except Refused as exc:
            trouble = exc
    if refused:
        raise StudyError(
            f"{os.fspath(filename)!r} holds more than plain values: {refused[0]}",
            hint="pandas.read_hdf reads it, and runs whatever code is in it",
        ) from trouble
