"""Run directories -> rows: what the directories themselves say, without any index.

The truth about ended runs. Used by the index when it meets a directory that it does not
know, and by readers when there is no index.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator
from typing import Any, TypedDict

from soops.kernel.errors import StudyError
from soops.kernel.records.column_types import ColumnTypes
from soops.kernel.records.disk import DiskError
from soops.kernel.records.journal import Entry
from soops.kernel.records.lock import STATE_DIR
from soops.kernel.records.record import last_attempt, load_record
from soops.kernel.records.rundir import (
    PARAMETERS_NAME,
    ParametersRow,
    RunTemplate,
    read_parameters_csv,
)
from soops.kernel.study.identity import dumps, identity, loads
from soops.kernel.values import RunRecord, State

__all__ = [
    "DirectoryReader",
    "IndexRow",
    "Problem",
    "decoded",
    "put_under_way",
    "read_directories",
    "record_row",
]

#: Number of a run of which nothing tells it: the file of an older soops, in a renamed directory.
NO_NUMBER = -1

#: What becomes of a directory whose parameters cannot be read.
LEFT_OUT = "; the directory is left out"
BY_NAME = "; its name says which run it is, and soops-run makes the file anew for that run"

_NAME = re.compile(r"(?<![0-9])(0[0-9]{2}|[1-9][0-9]{2,17})-([0-9a-f]{32})(?=/|$)").search
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode

#: A directory, relative to the runs root, and why it could not be read, or not as a run.
Problem = tuple[str, str]


class IndexRow(TypedDict):
    """What is known of one run. Times are ISO 8601 in UTC, or seconds; memory is in bytes."""

    directory: str
    """Relative to the runs root."""
    number: int
    pkey: str
    identity: str
    """Empty when the types of the parameters are not certain."""
    state: str
    cause: str
    returncode: int | None
    signal: str | None
    started: str | None
    ended: str | None
    elapsed: float | None
    cpu_time: float | None
    max_rss: int | None
    host: str | None
    attempts: int
    runner: str
    finished: bool
    """As ``soops-parameters.csv`` says, or says once the driver comes to it."""
    parameters: Any
    """Key to typed value; inside the index their JSON text (see :func:`decoded`)."""
    output_key: str
    output_dir: str
    """As the study gave it: relative to the working directory of that driver, or absolute."""


def decoded(row: IndexRow) -> IndexRow:
    """Return a row with typed parameters instead of their JSON text."""
    return {**row, "parameters": loads(row["parameters"])}


def record_row(record: RunRecord, *, output_dir: str, finished: bool | None = None) -> IndexRow:
    """Return the row of a record, to be put into an index.

    Parameters
    ----------
    record : RunRecord
        Of a run that ended.
    output_dir : str
        The run directory as the template gives it.
    finished : bool, optional
        What ``soops-parameters.csv`` says; by default whether the run is done.
    """
    return {
        "directory": record.directory,
        "number": record.number,
        "pkey": record.pkey,
        "identity": record.identity,
        "state": record.state.value,
        "cause": record.cause,
        "returncode": record.returncode,
        "signal": record.signal,
        "started": record.started,
        "ended": record.ended,
        "elapsed": record.elapsed,
        "cpu_time": record.cpu_time,
        "max_rss": record.max_rss,
        "host": record.host,
        "attempts": record.attempts,
        "runner": record.runner,
        "finished": record.state is State.DONE if finished is None else finished,
        "parameters": dumps(record.parameters),
        "output_key": record.output_key,
        "output_dir": output_dir,
    }


class DirectoryReader:
    """Reads the run directories of one root.

    Parameters
    ----------
    root : path
        The runs root.
    template : RunTemplate, optional
        Of the study, when it is known.
    unhashed : collection of str
        Parameters that do not count for keys: restores types in directories of older soops.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        template: RunTemplate | None = None,
        unhashed: Collection[str] = (),
    ) -> None:
        self.root = os.fspath(root)
        self.template = template
        self.unhashed = frozenset(unhashed)
        self._types = ColumnTypes(unhashed)

    def names(self) -> list[str]:
        """Return the directories in the root, relative to it, that may be of runs.

        Raises
        ------
        DiskError
            When the root is there and cannot be listed.
        """
        try:
            with os.scandir(self.root) as entries:
                found = [
                    entry.name for entry in entries if entry.name != STATE_DIR and _is_dir(entry)
                ]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            raise DiskError(self.root, exc, "listed") from exc
        if self.template is not None and self.template.relative("") != "":
            return [self._inner(name) for name in found]
        return found

    def _inner(self, name: str) -> str:
        assert self.template is not None
        inner = self.template.relative(name)
        return inner if os.path.isdir(f"{self.root}/{inner}") else name

    def read(self, name: str) -> tuple[IndexRow | None, str | None]:
        """Return the row of a directory, and what is wrong with it.

        Parameters
        ----------
        name : str
            Relative to the root.

        Returns
        -------
        row : dict or None
            None when the directory is not that of a run, or does not say of which; its
            ``parameters`` are JSON text.
        problem : str or None
            What could not be read, or was not believed.
        """
        path = f"{self.root}/{name}"
        named = self.parse(name)
        problem = None
        try:
            record = load_record(path)
        except StudyError as exc:
            record, problem = None, exc.message
        if record is not None:
            if named is None or named[1] == record["pkey"]:
                return self.of_record(name, record, named), problem
            problem = f"the record in {path!r} is that of another run, {record['pkey']}"
        row, trouble = self._of_parameters(name, path, named)
        return row, problem or trouble

    def parse(self, name: str) -> tuple[int, str] | None:
        """Return the number and key that the name of a directory carries."""
        if self.template is not None:
            parsed = self.template.parse(name)
            if parsed is not None:
                return parsed
        # Another template of the same root; not a copy such as NNN-KEY.bak.
        match = _NAME(name)
        return (int(match[1]), match[2]) if match is not None else None

    def of_record(
        self, name: str, record: dict[str, Any], named: tuple[int, str] | None
    ) -> IndexRow:
        """Return the row of a record, with the number and key that the name carries."""
        number = named[0] if named is not None else record["number"]
        return {
            "directory": name,
            "number": number,
            "pkey": record["pkey"],
            "identity": record["identity"],
            "state": record["state"],
            "cause": record.get("cause", ""),
            "returncode": record.get("returncode"),
            "signal": record.get("signal"),
            "started": record.get("started"),
            "ended": record.get("ended"),
            "elapsed": record.get("elapsed"),
            "cpu_time": record.get("cpu_time"),
            "max_rss": record.get("max_rss"),
            "host": record.get("host"),
            "attempts": record.get("attempts", 1),
            "runner": record.get("runner", ""),
            "finished": record["state"] == State.DONE.value,
            "parameters": _encode(record["parameters"]),
            "output_key": record.get("output_key", ""),
            "output_dir": self._output_dir(name, number, record["pkey"]),
        }

    def _of_parameters(
        self, name: str, path: str, named: tuple[int, str] | None
    ) -> tuple[IndexRow | None, str | None]:
        """Return the row of a directory without a record: of an older soops, or cut short."""
        row, problem = None, None
        try:
            row = read_parameters_csv(f"{path}/{PARAMETERS_NAME}")
        except DiskError as exc:
            if not isinstance(exc.__cause__, FileNotFoundError | NotADirectoryError):
                problem = exc.message
            elif named is not None and os.listdir(path):  # an empty one is only just made
                problem = f"there is no {PARAMETERS_NAME} in {path!r}"
        except StudyError as exc:
            problem = exc.message
        if row is not None and named is not None and row.pkey != named[1]:
            problem = f"the parameters in {path!r} are those of another run, {row.pkey}"
            row = None
        if problem is not None:
            problem += LEFT_OUT if named is None else BY_NAME
        if row is None and named is None:
            return None, problem
        found = self._bare(name, row, named)
        if row is None or not row.finished:
            self._add_last_attempt(found, path)
        return found, problem

    def _bare(
        self, name: str, row: ParametersRow | None, named: tuple[int, str] | None
    ) -> IndexRow:
        if named is not None:
            number, pkey = named
        else:
            assert row is not None
            number, pkey = self._number(row), row.pkey
        found: IndexRow = {
            "directory": name,
            "number": number,
            "pkey": pkey,
            "identity": "",
            "state": State.UNKNOWN.value,
            "cause": "",
            "returncode": None,
            "signal": None,
            "started": None,
            "ended": None,
            "elapsed": None,
            "cpu_time": None,
            "max_rss": None,
            "host": None,
            "attempts": 0,
            "runner": "",
            "finished": row is not None and row.finished,
            "parameters": "{}",
            "output_key": "",
            "output_dir": self._output_dir(name, number, pkey),
        }
        if row is not None:
            self._add_parameters(found, row)
        return found

    def _add_parameters(self, found: IndexRow, row: ParametersRow) -> None:
        values, certain = self._types.restore(row)
        found["parameters"] = dumps(values)
        if certain:
            found["identity"] = identity(
                {key: value for key, value in values.items() if key not in self.unhashed}
            )
        if len(values) < len(row.values):
            output_key = list(row.values)[len(values)]
            found["output_key"] = output_key
            found["output_dir"] = row.values[output_key]

    def _add_last_attempt(self, found: IndexRow, path: str) -> None:
        """Add what an attempt that was set aside tells: the next one began and did not end."""
        last = last_attempt(path)
        if last is None:
            return
        attempt, record = last
        found["attempts"] = attempt
        found["state"] = State.LOST.value
        found["cause"] = "interrupted"
        # A driver that was killed as it made the directory left no parameters to record.
        known = bool(record.get("identity")) or found["parameters"] == "{}"
        if known and record.get("pkey") == found["pkey"]:
            found["identity"] = record["identity"]
            found["parameters"] = _encode(record["parameters"])
            found["output_key"] = record.get("output_key", "")

    def _number(self, row: ParametersRow) -> int:
        """Return the number of a run whose directory was renamed."""
        if row.number is not None:
            return row.number
        for name in row.values.values():
            match = _NAME(name)
            if match is not None and match[2] == row.pkey:
                return int(match[1])
        return NO_NUMBER

    def _output_dir(self, name: str, number: int, pkey: str) -> str:
        if self.template is None:
            return os.path.join(self.root, name)
        if self.template.name(number, pkey) == name or self.template.parse(name) == (number, pkey):
            return self.template.directory(number, pkey)
        return os.path.join(self.template.root, name)


def put_under_way(row: IndexRow, entry: Entry) -> bool:
    """Make a row that of a run under way, unless the directory says that it has ended.

    Returns
    -------
    bool
        Whether it is, as far as anyone knows, under way.
    """
    if row["attempts"] >= entry.attempt:
        return False
    begun = entry.token is not None or entry.pid is not None
    row["state"] = (State.RUNNING if begun else State.QUEUED).value
    row["cause"] = ""
    row["returncode"] = row["signal"] = row["ended"] = row["elapsed"] = None
    row["cpu_time"] = row["max_rss"] = None
    row["started"] = entry.time
    row["host"] = entry.host
    row["attempts"] = entry.attempt
    row["finished"] = False
    return True


def read_directories(
    root: str | os.PathLike[str],
    template: RunTemplate | None = None,
    problems: list[Problem] | None = None,
) -> Iterator[IndexRow]:
    """Yield what the run directories of a root say, in the order of their names.

    Parameters
    ----------
    root : path
        The runs root.
    template : RunTemplate, optional
        Of the study, when it is known.
    problems : list, optional
        Gets a ``(directory, reason)`` for each directory that was not read, or not in full.
    """
    reader = DirectoryReader(root, template)
    for name in sorted(reader.names()):
        row, problem = reader.read(name)
        if problem is not None and problems is not None:
            problems.append((name, problem))
        if row is not None:
            yield decoded(row)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
