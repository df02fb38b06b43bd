"""The units of columns: from the items to the table, and from there to stores and steps.

Imported by ``gather`` only. ``Scooped.units`` has them; ``frame.attrs["units"]`` shows them to
steps, which may add those of their own columns.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from soops.kernel.errors import near_misses, printable
from soops.kernel.values import Scooped, ScoopInfo

__all__ = ["of_steps", "units_line", "with_units"]

log = logging.getLogger("soops")


def with_units(scooped: Scooped, info: ScoopInfo, *, as_stored: bool) -> Scooped:
    """Return the table with the units that are stored with it and those of the items.

    Parameters
    ----------
    scooped : Scooped
        A table, new or stored.
    info : ScoopInfo
        The items; what they say goes before what is stored.
    as_stored : bool
        Take those of the items only for a table that has none.
    """
    ours = {column: unit for item in info.items for column, unit in item.units.items()}
    units = (scooped.units or ours) if as_stored else {**scooped.units, **ours}
    columns = set(scooped.frame.columns)
    for column in units:
        if column not in columns:
            near = near_misses(column, map(str, columns))
            log.warning("there is no column %r to have a unit%s", column, near and f": {near}")
    return _labelled(scooped, units)


def of_steps(scooped: Scooped) -> Scooped:
    """Return the table with the units that steps left in ``frame.attrs``."""
    given = scooped.frame.attrs.get("units")
    if not isinstance(given, Mapping):
        return _labelled(scooped, scooped.units)
    texts = {column: unit for column, unit in dict(given).items() if isinstance(unit, str)}
    return _labelled(scooped, texts)


def units_line(scooped: Scooped) -> str:
    """Return ``"units: energy [eV], time [s]"``, or nothing where no unit is known."""
    texts = [f"{column} [{unit}]" for column, unit in scooped.units.items()]
    return printable(f"units: {', '.join(texts)}") if texts else ""


def _labelled(scooped: Scooped, units: Mapping[str, str]) -> Scooped:
    columns = set(scooped.frame.columns)
    here = {column: unit for column, unit in units.items() if column in columns}
    scooped.frame.attrs["units"] = dict(here)
    return replace(scooped, units=here)
