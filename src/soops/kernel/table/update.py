"""What of a stored table is still true, and the table with the rest read again.

A heavy leaf beside ``frame``. Directories are compared by their real paths, items by their
stamps: what reads them, and names, sizes and times of files. An item that failed is always
read again, and so is everything in a table without stamps.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.table.directories import expand_home, real_path
from soops.kernel.table.frame import (
    META_COLUMNS,
    OWN_COLUMNS,
    build,
    column,
    make_frame,
    meta_frame,
    own_name,
)
from soops.kernel.table.stamps import stamps_now
from soops.kernel.values import Scooped, ScoopedRow, ScoopInfo
from soops.kernel.values.frozen import dataclass

__all__ = ["Plan", "errors_of", "merge", "parameter_keys_of", "plan_update"]

#: The meta columns that every table has; the others are our own.
_KEPT = META_COLUMNS[:-2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do about a stored table.

    Attributes
    ----------
    todo : tuple of str
        Run directories to read: new, changed, or with a failed item.
    keep : mapping
        Real path of a run directory to its place in the stored table.
    n_new, n_changed, n_gone : int
        Numbers of directories.
    """

    todo: tuple[str, ...]
    keep: Mapping[str, int]
    n_new: int
    n_changed: int
    n_gone: int


def plan_update(
    stored: Scooped,
    directories: Sequence[str],
    info: ScoopInfo,
    roots: Sequence[str] = (),
    stamps: Mapping[str, list[str]] | None = None,
) -> Plan:
    """Compare a stored table with the run directories as they are now.

    Rows of directories that were not asked for are kept as long as these exist.

    Parameters
    ----------
    stored : Scooped
        As a store gave it.
    directories : sequence of str
        Absolute paths of run directories.
    info : ScoopInfo
        The items; a table that was made from others is out of date.
    roots : sequence of str
        Where ``directories`` were found: what is not found there any more is gone.
    stamps : mapping, optional
        Directory to its stamps, when somebody has looked already.
    """
    parents: dict[str, str] = {}
    shown = [expand_home(str(rdir)) for rdir in _column(stored.frame, "rdir")]
    places = {real_path(path, parents): place for place, path in enumerate(shown)}
    old = _stamps(stored.meta)
    now = stamps or {}
    keep: dict[str, int] = {}
    todo: list[str] = []
    n_new = 0
    asked = {real_path(directory, parents): directory for directory in directories}
    for real, directory in asked.items():
        place = places.get(real)
        if place is None:
            n_new += 1
            todo.append(directory)
        elif old.get(place) == (now.get(directory) or stamps_now(directory, info)):
            keep[real] = place
        else:
            todo.append(directory)
    others = {real: place for real, place in places.items() if real not in asked}
    searched = tuple(os.path.join(os.path.realpath(root), "") for root in roots)
    existing = {
        real: place
        for real, place in others.items()
        if os.path.isdir(real) and not os.path.join(real, "").startswith(searched)
    }
    return Plan(
        todo=tuple(todo),
        keep={**existing, **keep},
        n_new=n_new,
        n_changed=len(todo) - n_new,
        n_gone=len(others) - len(existing),
    )


def merge(
    stored: Scooped, plan: Plan, rows: Iterable[ScoopedRow], directories: Sequence[str]
) -> Scooped:
    """Return the stored table with the rows of ``plan.todo`` as they are now.

    The rows are in the order of ``directories``, as those of a table made anew; rows of
    other directories come first.
    """
    if not plan.todo and not plan.n_gone:
        return stored
    parents: dict[str, str] = {}
    new_rows = list(rows)
    where = {real: (0, place) for real, place in plan.keep.items()}
    for place, row in enumerate(new_rows):
        where[real_path(row.directory, parents)] = (1, place)
    asked = dict.fromkeys(real_path(directory, parents) for directory in directories)
    order = [place for real, place in where.items() if real not in asked]
    order += [where[real] for real in asked if real in where]
    return _combined((stored, build(new_rows)), order)


def _combined(parts: Sequence[Scooped], order: Sequence[tuple[int, int]]) -> Scooped:
    """Return the table with the rows ``(part, place)`` of ``order``."""
    scooped = {
        name for part in parts for given in _column(part.meta, "data_columns") for name in given
    }
    cells = [_cells(part, scooped) for part in parts]
    own = [own_name(name, scooped) for name in OWN_COLUMNS]
    names = dict.fromkeys(name for given in cells for name in given if name not in own)
    names.update(dict.fromkeys(name for name in own if any(name in given for given in cells)))
    missing = [[math.nan] * len(part.frame) for part in parts]
    first = [0, *itertools.accumulate(map(len, missing))]
    places = [first[part] + place for part, place in order]
    data = {}
    for name in names:
        values: list[Any] = []
        for given, absent in zip(cells, missing, strict=True):
            values += given.get(name, absent)
        data[name] = column([values[place] for place in places])
    table = Scooped(
        frame=make_frame(data, len(order)),
        meta=_combined_meta([part.meta for part in parts], order),
        parameter_keys=tuple(dict.fromkeys(key for part in parts for key in part.parameter_keys)),
        output_dir=parts[0].output_dir,
        units=parts[0].units,
    )
    return replace(table, errors=errors_of(table))


def _cells(part: Scooped, scooped: Collection[Any]) -> dict[Any, list[Any]]:
    """Return the columns of a table, our own under the names they have beside ``scooped``."""
    mine = {name for given in _column(part.meta, "data_columns") for name in given}
    rename = {own_name(name, mine): own_name(name, scooped) for name in OWN_COLUMNS}
    return {rename.get(name, name): part.frame[name].tolist() for name in part.frame.columns}


def _combined_meta(metas: Sequence[Any], order: Sequence[tuple[int, int]]) -> Any:
    files: list[dict[int, list[int]]] = []
    columns: dict[str, list[Any]] = {name: [] for name in META_COLUMNS[1:]}
    for meta in metas:
        files.append({})
        for place, row in enumerate(meta[META_COLUMNS[0]].tolist(), len(columns["error"])):
            files[-1].setdefault(row, []).append(place)
        for name, values in columns.items():
            values += meta[name].tolist() if name in _KEPT else _texts(meta, name)
    rows, places = [], []
    for new, (part, row) in enumerate(order):
        for place in files[part].get(row, ()):
            rows.append(new)
            places.append(place)
    taken = {name: [values[place] for place in places] for name, values in columns.items()}
    return meta_frame({META_COLUMNS[0]: rows, **taken})


def errors_of(scooped: Scooped) -> dict[str, dict[str, str]]:
    """Return the errors that a stored table tells of, by run directory and item."""
    errors: dict[str, dict[str, str]] = {}
    found = _texts(scooped.meta, "error")
    if not any(found):
        return errors
    rdirs, files = _column(scooped.frame, "rdir"), _column(scooped.meta, "filenames")
    for place, names, error in zip(_column(scooped.meta, "data_row"), files, found, strict=True):
        if error:
            directory = expand_home(str(rdirs[place]))
            errors.setdefault(directory, {})[_relative(names[0], directory)] = error
    return errors


def parameter_keys_of(scooped: Scooped, info: ScoopInfo) -> tuple[Any, ...]:
    """Return the parameter columns of a table whose store does not keep them."""
    keys: dict[Any, None] = {}
    files = _column(scooped.meta, "data_row")
    columns = scooped.meta["data_columns"].tolist()
    seen: dict[int, int] = {}
    for place, given in zip(files, columns, strict=True):
        number = seen[place] = seen.get(place, -1) + 1
        if number < len(info.items) and info.items[number].is_parameters:
            keys.update(dict.fromkeys(given))
    return tuple(keys)


def _relative(filename: str, directory: str) -> str:
    prefix = directory + os.sep
    return filename[len(prefix) :] if filename.startswith(prefix) else filename


def _stamps(meta: Any) -> dict[int, list[str]]:
    """Return the stamps of each row of a table, that of an item that failed being empty."""
    stamps: dict[int, list[str]] = {}
    for place, error, stamp in zip(
        _column(meta, "data_row"), _texts(meta, "error"), _texts(meta, "stamp"), strict=True
    ):
        stamps.setdefault(place, []).append("" if error else stamp)
    return stamps


def _texts(meta: Any, name: str) -> list[str]:
    """Return a column of our own; empty texts where a table has none."""
    if name not in meta.columns:
        return [""] * len(meta)
    return [text if isinstance(text, str) else "" for text in meta[name].tolist()]


def _column(frame: Any, name: str) -> list[Any]:
    if name not in frame.columns:
        raise StudyError(
            f"the stored table has no column {name!r}",
            hint="scoop again without --update and --reuse",
        )
    values: list[Any] = frame[name].tolist()
    return values
