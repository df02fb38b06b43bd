"""Which runs of some roots a query means. Only ``query`` uses it.

A query looks at a few columns of every run; whole rows are made of those that it chooses.
pandas is imported only for queries that our own language has no words for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from soops.kernel.errors import UsageError
from soops.kernel.records.found import FoundRun, found_run, record_names, to_frame
from soops.kernel.records.index_file import from_sql
from soops.kernel.records.reading import Rows
from soops.kernel.study.expression import Expression, compile_expression
from soops.kernel.study.tokens import GrammarError
from soops.kernel.values import Source

__all__ = ["View", "leave_each_once", "select"]

#: Columns of the record that the index has under another name; those of paths it has not as
#: they are shown.
_STORED = {"iset": "number"}
_SHOWN = {"directory", "output_dir"}


class View:
    """The runs of a root, or some of them, as somebody asked for them.

    Parameters
    ----------
    rows : Rows
        All runs of the root.
    root, shown : str
        The root, absolute, and as it was given.
    only : mapping, optional
        Absolute path of each run directory that is meant, to the path given; None: all.
    """

    def __init__(
        self, rows: Rows, root: str, shown: str, only: Mapping[str, str] | None = None
    ) -> None:
        self.rows = rows
        self.root = root
        self.shown = shown
        self.only = only
        self.left_out: set[str] = set()

    def path(self, name: str) -> str:
        """Return the absolute path of a run directory."""
        return os.path.join(self.root, name)

    def has(self, name: str) -> bool:
        """Return whether a run directory is meant."""
        return name not in self.left_out and (self.only is None or self.path(name) in self.only)

    def glance(self, *columns: str) -> list[tuple[Any, ...]]:
        """Return the directory, and some columns, of each run that is meant, by number."""
        rows = self.rows.glance(["directory", *columns])
        rows = [row if type(row[0]) is str else (from_sql(row[0]), *row[1:]) for row in rows]
        if self.only is None and not self.left_out:
            return rows
        return [row for row in rows if self.has(row[0])]

    def runs(self, names: Sequence[str] | None = None) -> list[FoundRun]:
        """Return these runs; None: all that are meant, by number."""
        found = []
        for row in self.rows.full(names):
            name = row["directory"]
            if names is not None or self.has(name):
                shown = os.path.join(self.shown, name)
                if self.only is not None:
                    shown = self.only[self.path(name)]
                found.append(found_run(row, self.root, shown))
        return found


def leave_each_once(views: Sequence[View]) -> None:
    """Leave a run that several views have to the first of them."""
    seen: set[str] = set()
    for view in views if len(views) > 1 else ():
        names = [name for (name,) in view.glance()]
        view.left_out.update(name for name in names if view.path(name) in seen)
        seen.update(map(view.path, names))


def select(
    views: Sequence[View], states: frozenset[str], query: str | None, engine: str
) -> list[FoundRun]:
    """Return the runs in some states (none named: all) for which a query, if any, holds.

    Names in a query are known when any run has them, whatever its state is.

    Raises
    ------
    StudyError
        When the query has a mistake.
    UsageError
        For an engine that is not there.
    """
    if query is None:
        return [run for view in views for run in _in_states(view, states)]
    glances = [view.glance("state", "parameters") for view in views]
    keys = dict.fromkeys(key for rows in glances for _, _, values in rows for key in values)
    columns = record_names(keys)
    try:
        expression = compile_expression(query, [*keys, *columns.values()], Source(path="--query"))
    except GrammarError as exc:
        if not any(glances):
            return []  # no name is known, so none can be wrong
        runs = [run for view in views for run in _in_states(view, states)]
        return _select_by_pandas(runs, query, engine, exc)
    asked = {name: column for column, name in columns.items() if name in expression.names}
    if _SHOWN & set(asked.values()):
        runs = [run for view in views for run in _in_states(view, states)]
        return [run for run in runs if expression.holds(_values(run, asked))]
    found = []
    for view, rows in zip(views, glances, strict=True):
        names = list(_names(view, rows, states, expression, asked))
        found += view.runs(names) if names else []
    return found


def _in_states(view: View, states: frozenset[str]) -> list[FoundRun]:
    if not states:
        return view.runs()
    return view.runs([name for name, state in view.glance("state") if state in states])


def _names(
    view: View,
    rows: Sequence[tuple[str, str, dict[str, Any]]],
    states: frozenset[str],
    expression: Expression,
    asked: Mapping[str, str],
) -> Iterator[str]:
    """Yield the directories of the runs for which an expression holds."""
    if asked:
        stored = [_STORED.get(column, column) for column in asked.values()]
        for (_, *found), (_, _, parameters) in zip(view.glance(*stored), rows, strict=True):
            parameters.update(zip(asked, map(from_sql, found), strict=True))
    for name, state, values in rows:
        if (not states or state in states) and expression.holds(values):
            yield name


def _values(run: FoundRun, asked: Mapping[str, str]) -> Mapping[str, Any]:
    return {**run.parameters, **{name: getattr(run, column) for name, column in asked.items()}}


def _select_by_pandas(
    runs: Sequence[FoundRun], query: str, engine: str, refused: GrammarError
) -> list[FoundRun]:
    """Let pandas try what our language has no words for; if it cannot, ours was right."""
    if engine not in ("python", "numexpr"):
        raise UsageError(f"unknown engine {engine!r}", hint="known: python, numexpr")
    from soops.kernel.records.pandas_query import positions

    try:
        return [runs[place] for place in positions(to_frame(runs), query, engine)]
    except ImportError as exc:
        raise UsageError(
            f"the engine {engine!r} cannot be used: {exc}", hint="use --engine python"
        ) from exc
    except Exception:  # whatever pandas makes of a text that is no query
        raise refused from None
