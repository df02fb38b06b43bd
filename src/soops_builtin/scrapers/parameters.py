"""The scraper of the parameters that soops ran a directory with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soops.scoop_outputs import load_soops_parameters
from soops_builtin.scrapers.arguments import all_options, expect
from soops_builtin.scrapers.files import Paths, each_file

__all__ = ["check_parameters", "parameters"]

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


def check_parameters(**options: Any) -> None:
    """Raise ValueError for options of :func:`parameters` that cannot be right."""
    expect("true or false", **all_options(parameters, options))


def _values(path: Path) -> Mapping[str, Any]:
    from soops.api import read_record

    record = read_record(path.parent)
    if record is not None:
        return record.parameters
    cells = load_soops_parameters(path)
    names = [key for key in cells if key not in _NOT_PARAMETERS]
    if names[-1:] == ["script_dir"]:  # the last two are the places of the run
        del names[-2:]
    return {key: cells[key] for key in names}
