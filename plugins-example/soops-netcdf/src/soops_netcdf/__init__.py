"""Read netCDF files with the netCDF4 package.

The one public function is registered by the entry point ``netcdf`` of the group
``soops.scrapers``; there is no other code that knows of soops.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_netcdf"]


def read_netcdf(
    path: str | os.PathLike[str],
    rdata: Mapping[str, Any] | None = None,
    *,
    variables: Sequence[str] | None = None,
    units: bool = False,
) -> dict[str, Any]:
    """Read the variables of a netCDF file.

    Parameters
    ----------
    path : str or path
        The file.
    rdata : mapping, optional
        What was read before of this run; not used.
    variables : sequence of str, optional
        Only these; those of a group are called ``group/name``. Default: all.
    units : bool
        Give the attribute ``units`` of each variable that has one, as ``NAME_units``.

    Returns
    -------
    dict
        Variable name to a plain value (a variable without dimensions) or to an array, in the
        shape and type of the file. Masked and fill values are NaN, and integers that have
        some are floats. Scale and offset are applied.

    Raises
    ------
    ValueError
        When there is no variable, or not one that is asked for, or its type is not one of
        numbers or texts.
    OSError
        When it is no netCDF file.
    """
    # Only here: the module is imported to look what it offers, too.
    import netCDF4

    if isinstance(variables, str):
        raise ValueError(f"variables is a list of names, not {variables!r}")
    values: dict[str, Any] = {}
    with netCDF4.Dataset(os.fspath(path), "r") as file:
        known = dict(_variables(file))
        missing = [name for name in variables or () if name not in known]
        if missing or not known:
            what = f"no variable {missing[0]!r}" if missing else "no variable"
            raise ValueError(f"{what}; there are: {', '.join(known) or 'none'}")
        for name in known if variables is None else variables:
            values[name] = _value(name, known[name])
            if units and "units" in known[name].ncattrs():
                values[f"{name}_units"] = str(known[name].getncattr("units"))
    return values


def _variables(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, variable in group.variables.items():
        yield prefix + name, variable
    for name, inner in group.groups.items():
        yield from _variables(inner, f"{prefix}{name}/")


def _value(name: str, variable: Any) -> Any:
    import numpy as np

    if variable.dtype is not str and variable.dtype.kind not in "biufSU":
        raise ValueError(f"{name} has the type {variable.dtype}, which is not read")
    array = variable[...]
    if isinstance(array, np.ma.MaskedArray):
        if array.mask.any():
            array = array.astype(np.result_type(array.dtype, np.float32)).filled(np.nan)
        else:
            array = array.data
    array = np.asarray(array)
    if array.dtype.kind == "O":  # texts of any length
        return array.tolist()
    return array.item() if array.shape == () else array
