"""What differs between an index and the directories of its root, and what follows from it.

Only ``index`` uses it; nothing here knows a database.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from soops.kernel.errors import StudyError
from soops.kernel.records.directories import DirectoryReader, IndexRow, Problem, put_under_way
from soops.kernel.records.helpers import read_each
from soops.kernel.records.journal import Entry
from soops.kernel.records.roots import read_study_file
from soops.kernel.records.rundir import RunTemplate
from soops.kernel.values.frozen import dataclass

__all__ = [
    "Reading",
    "Synced",
    "compare",
    "describe_differences",
    "drop_copies",
    "is_set_aside",
    "remembered_template",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What bringing an index up to date came to.

    Attributes
    ----------
    read, dropped : int
        Directories that were read, and rows whose directory is gone.
    problems : list
        ``(directory, reason)`` of what could not be read, or not believed.
    ended : list of str
        Of the runs that the journal has under way, those that did end: their directories.
    """

    read: int = 0
    dropped: int = 0
    problems: list[Problem] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


def compare(
    reader: DirectoryReader, known: Iterable[str], again: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return the directories to be read, in order, and those of known rows that are gone.

    Parameters
    ----------
    reader : DirectoryReader
        Lists the root.
    known : iterable of str
        The directories of the rows.
    again : collection of str
        Known or not, these are read.
    """
    new = set(reader.names())
    gone = []
    for name in known:
        if name in new:
            new.discard(name)
        elif not os.path.isdir(f"{reader.root}/{name}"):
            gone.append(name)
    new.update(name for name in again if os.path.isdir(f"{reader.root}/{name}"))
    return sorted(new), gone


@dataclass
class Reading:
    """Reads directories one after the other, and remembers what was odd about them.

    Attributes
    ----------
    problems : list
        ``(directory, reason)``.
    ended : list of str
        Directories that the journal has under way, and whose records say that they ended.
    """

    reader: DirectoryReader
    under_way: Mapping[str, Entry]
    problems: list[Problem] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def rows(self, names: Sequence[str]) -> Iterator[IndexRow]:
        """Yield the rows of those directories that are of runs; of many in any order."""
        for name, row, problem in read_each(self.reader, names):
            if problem is not None:
                self.problems.append((name, problem))
            if row is None:
                continue
            entry = self.under_way.get(name)
            if entry is not None and not put_under_way(row, entry):
                self.ended.append(name)
            yield row


def is_set_aside(row: IndexRow) -> bool:
    """Return whether the row is that of a run without a record but one that was set aside."""
    return row["cause"] == "interrupted" and not row["runner"]


def drop_copies(reader: DirectoryReader, rows: Iterable[IndexRow]) -> list[Problem]:
    """Of rows of one key return all but the one that counts, each with the reason.

    The directory counts whose name is made by the template, or carries the key; of several
    that with the lowest number.
    """

    def rank(row: IndexRow) -> tuple[bool, bool, int, str]:
        name = row["directory"]
        by_template = reader.template is not None and reader.template.parse(name) is not None
        return not by_template, reader.parse(name) is None, row["number"], name

    ranked = sorted(rows, key=rank)
    first = ranked[0]["directory"]
    return [
        (row["directory"], f"it has the parameters of {first!r}, which counts")
        for row in ranked[1:]
    ]


def describe_differences(
    rows: Iterable[IndexRow], truth: Iterable[IndexRow], problems: Iterable[Problem]
) -> list[str]:
    """Return a line for each difference between an index and its directories."""
    left = {row["directory"]: row for row in rows}
    lines = []
    for row in truth:
        name = row["directory"]
        known = left.pop(name, None)
        if known is None:
            lines.append(f"{name}: it is not in the index")
            continue
        lines += [
            f"{name}: {column} is {known.get(column)!r} in the index, and {value!r} in truth"
            for column, value in row.items()
            if known.get(column) != value
        ]
    lines += [f"{name}: it is in the index, and the directory is gone" for name in left]
    lines += [f"{name}: {reason}" for name, reason in problems]
    return lines


def remembered_template(root: str) -> RunTemplate | None:
    """Return how the last study of a root named its directories; None when nobody knows."""
    study = read_study_file(root)
    if study is None:
        return None
    try:
        return RunTemplate(study.template)
    except StudyError:
        return None
