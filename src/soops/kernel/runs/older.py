"""What soops 2026.2 read in the text of a study, for the keys in the names of its directories.

Only where it read something else than we do (``[1, 5 , 15]``: see ``parse_older``). Used by
``prepare``; the plan looks the keys of these values up beside those of today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import StudyError
from soops.kernel.runs.generate import Compute
from soops.kernel.study.conf import expand
from soops.kernel.study.identity import identity
from soops.kernel.study.space import ParameterSpace
from soops.kernel.values import Axis, Study

__all__ = ["Older", "older_values"]

#: Index of a set -> its values then; None when they are those of today.
Older = Callable[[int], dict[str, Any] | None]


def older_values(
    app: App,
    study: Study,
    axes: Sequence[Axis],
    space: ParameterSpace,
    compute: Compute | None = None,
    unhashed: Iterable[str] = (),
) -> Older | None:
    """Return what tells the values of then of each set; None for nearly all studies.

    Parameters
    ----------
    app : App
        Its directives may stand beside such values.
    study : Study
        Its ``older`` has the values of then.
    axes : sequence of Axis
        Of the study as it is written.
    space : ParameterSpace
        Of the axes without repeated values: its sets are those that are planned.
    compute : callable, optional
        What changes or adds values of a set.
    unhashed : iterable of str
        Parameters that do not count for keys.
    """
    if not study.older:
        return None
    given = expand(app, replace(study, values=study.older))
    ignored = frozenset(unhashed)
    then = [_axis(full, kept, given, ignored) for full, kept in zip(axes, space.axes, strict=True)]
    if all(axis is kept for axis, kept in zip(then, space.axes, strict=True)):
        return None
    return _of_space(ParameterSpace(space.key_order, then), space, compute)


def _of_space(then: ParameterSpace, now: ParameterSpace, compute: Compute | None) -> Older:
    def values_of(index: int) -> dict[str, Any] | None:
        values = then[index]
        if all(values[key] is value for key, value in now[index].items()):
            return None
        if compute is not None:
            try:
                values.update(compute(values))
            except StudyError:  # nor could it be computed then
                return None
        return values

    return values_of


def _axis(full: Axis, kept: Axis, given: dict[str, Any], ignored: frozenset[str]) -> Axis:
    """Return the rows of then for the rows that are kept; the same axis when all are the same.

    A row of then that another value of the axis stands for now is left to that one.
    """
    if not any(key in given for key in full.keys):
        return kept
    columns = []
    for place, key in enumerate(full.keys):
        column = [row[place] for row in full.rows]
        value = given.get(key, column)
        column_then = value if isinstance(value, list) else [value]
        # Not of equal lengths: a directive beside them gave other values this time.
        columns.append(column_then if len(column_then) == len(column) else column)

    def mark(row: tuple[Any, ...]) -> str:
        pairs = zip(full.keys, row, strict=True)
        return identity({key: value for key, value in pairs if key not in ignored})

    rows_then = dict(zip(map(id, full.rows), zip(*columns, strict=True), strict=True))
    taken = set(map(mark, kept.rows))
    rows = [row if mark(rows_then[id(row)]) in taken else rows_then[id(row)] for row in kept.rows]
    if all(row is row_then for row, row_then in zip(kept.rows, rows, strict=True)):
        return kept
    return Axis(keys=full.keys, rows=rows)
