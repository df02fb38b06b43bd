"""The scraper of the parameters that soops ran a directory with."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soops_builtin.literal import read_value
from soops_builtin.scrapers.files import Paths, each_file, read_text

__all__ = ["parameters"]

#: Columns of ``soops-parameters.csv`` that tell of the run, not of its parameters.
_NOT_PARAMETERS = ("pkey", "finished", "iset")


def parameters(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    strip: bool = False,
    undefined: bool = True,
) -> dict[str, Any]:
    """Return the parameters of a run.

    Parameters
    ----------
    path : str or list of str
        ``soops-parameters.csv`` or ``soops-run.json`` of a run directory. The record
        gives the values with their types; without one, the row of the CSV file is read
        as typed texts.
    strip : bool
        Drop the dashes that keys begin with, ``n-cell`` for ``--n-cell``.
    undefined : bool
        Keep parameters whose value is ``@undefined``.
    """

    def read(one: str) -> dict[str, Any]:
        values = _values(Path(one))
        return {
            (key.lstrip("-") if strip else key): value
            for key, value in values.items()
            if undefined or value != "@undefined"
        }

    return each_file(path, read)


def _values(path: Path) -> Mapping[str, Any]:
    from soops.api import read_record

    record = read_record(path.parent)
    if record is not None:
        return record.parameters
    rows = list(csv.reader(io.StringIO(read_text(str(path)), newline="")))
    if len(rows) < 2 or len(rows[0]) != len(rows[1]):
        raise ValueError(f"{path.name} is damaged: it has no row of parameters")
    return {
        key: read_value(cell)
        for key, cell in zip(rows[0], rows[1], strict=True)
        if key not in _NOT_PARAMETERS
    }
