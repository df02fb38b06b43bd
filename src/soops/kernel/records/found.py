"""A run as a reader finds it, and runs as JSON: the keys that ``--json`` promises.

For ``query``, ``soops.study`` and the commands. Nothing here writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soops.kernel.errors import StudyError
from soops.kernel.records.record import load_record
from soops.kernel.records.rundir import PARAMETERS_NAME, ParametersRow, read_parameters_csv
from soops.kernel.study.expression import short_name
from soops.kernel.study.identity import to_jsonable
from soops.kernel.values import Decision, PlannedRun, RunRecord, State
from soops.kernel.values.frozen import dataclass

if TYPE_CHECKING:
    from soops.kernel.records.index import IndexRow

__all__ = [
    "FoundRun",
    "found_run",
    "how_it_ended",
    "json_planned",
    "json_record",
    "record_names",
    "to_frame",
]

#: What a query may ask of a run besides its parameters.
RECORD_COLUMNS = (
    "number",
    "iset",
    "finished",
    "state",
    "cause",
    "returncode",
    "signal",
    "started",
    "ended",
    "elapsed",
    "cpu_time",
    "max_rss",
    "host",
    "attempts",
    "runner",
    "pkey",
    "identity",
    "directory",
    "output_dir",
)
#: Of these, what is shown of a run with all its parameters.
SHOWN_COLUMNS = ("state", "cause", "returncode", "signal", "elapsed")
SCRIPT_DIR = "script_dir"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRun:
    """What is known of one run, from its record or, without one, from its parameters file.

    Attributes
    ----------
    number, pkey, identity
        Of its parameter set; ``identity`` is empty where the types are not certain.
    directory : str
        The run directory, below the root as it was given.
    path, root : str
        Absolute: the run directory, and the runs root.
    parameters : mapping
        Key to typed value.
    state, cause : str
        How the last attempt ended; ``unknown`` without a record.
    finished : bool
        What the parameters file says.
    output_key, output_dir : str
        The name of the output directory among the parameters, and what the study gave for it.
    decision, reason
        What a plain ``soops-run`` makes of it, as far as the record tells.
    """

    number: int
    pkey: str
    identity: str
    directory: str
    path: str
    root: str
    parameters: Mapping[str, Any]
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
    output_key: str
    output_dir: str
    decision: Decision
    reason: str

    @property
    def iset(self) -> int:
        """The number, as the ancestor calls it."""
        return self.number

    @property
    def how(self) -> str:
        """How the last attempt ended, in a few words: ``failed (exit 3)``."""
        return how_it_ended(self.state, self.cause, self.returncode, self.signal)

    @property
    def command(self) -> str | tuple[str, ...] | None:
        """The command of the last attempt, read from its record; None without one."""
        try:
            record = load_record(self.path)
        except StudyError:
            return None
        if record is None:
            return None
        command = record["command"]
        return command if isinstance(command, str) else tuple(command)

    def named(self) -> dict[str, Any]:
        """Return the parameters by their short names (``--n-cell`` is ``n_cell``).

        Of parameters that would share a name each keeps its full one.
        """
        return {name: self.parameters[key] for key, name in short_names(self.parameters).items()}

    def columns(self, *, raw: bool = False) -> dict[str, str]:
        """Return all that is shown of the run, column to text, in the order of its file.

        Parameters
        ----------
        raw : bool
            What stands in ``soops-parameters.csv``, full names included; a value whose type
            is known shows it (that file has an empty cell for None).
        """
        row = self._parameters_file()
        columns = {"finished": str(self.finished), "iset": str(self.number)}
        if raw and row is not None:
            certain = self.parameters if self.identity else {}
            known = {key: str(value) for key, value in certain.items() if key in row.values}
            return {**columns, **row.values, **known}
        values = self.parameters if raw else self.named()
        columns.update((name, str(value)) for name, value in values.items())
        columns[self.output_key or "output_dir"] = self.output_dir
        columns.setdefault("output_dir", self.output_dir)
        if row is not None and SCRIPT_DIR in row.values:
            columns.setdefault(SCRIPT_DIR, row.values[SCRIPT_DIR])
        if not raw and self.attempts:
            for column, name in record_names(self.parameters).items():
                if column in SHOWN_COLUMNS:
                    value = getattr(self, column)
                    value = round(value, 3) if isinstance(value, float) else value
                    columns[name] = "" if value is None else str(value)
        return columns

    def as_json(self) -> dict[str, Any]:
        """Return what ``soops-find --json`` prints."""
        command = self.command
        return {
            "number": self.number,
            "pkey": self.pkey,
            "identity": self.identity or None,
            "directory": self.directory,
            "command": list(command) if isinstance(command, tuple) else command,
            "parameters": _parameters(self.parameters),
            "decision": self.decision.value,
            "reason": self.reason,
            **{name: getattr(self, name) for name in _ENDED},
        }

    def _parameters_file(self) -> ParametersRow | None:
        try:
            return read_parameters_csv(os.path.join(self.path, PARAMETERS_NAME))
        except StudyError:
            return None


_ENDED = (
    "state",
    "cause",
    "returncode",
    "signal",
    "started",
    "ended",
    "elapsed",
    "cpu_time",
    "max_rss",
    "host",
    "attempts",
)


def json_planned(planned: PlannedRun) -> dict[str, Any]:
    """Return what ``soops-run --dry-run --json`` prints of a planned set."""
    command = planned.command
    return {
        "number": planned.number,
        "pkey": planned.parameters.pkey,
        "identity": planned.parameters.identity or None,
        "directory": planned.directory,
        "command": command if isinstance(command, str) else list(command),
        "parameters": _parameters(planned.parameters.values),
        "decision": planned.decision.value,
        "reason": planned.reason,
    }


def json_record(record: RunRecord, directory: str | None = None) -> dict[str, Any]:
    """Return what ``soops-run --json`` prints of a run that ended.

    Parameters
    ----------
    record : RunRecord
        The run.
    directory : str, optional
        Its directory as it can be opened from here; the record has it relative to its root.
    """
    return {
        "number": record.number,
        "pkey": record.pkey,
        "identity": record.identity or None,
        "directory": record.directory if directory is None else directory,
        **{name: getattr(record, name) for name in _ENDED},
        "state": record.state.value,
    }


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): to_jsonable(value) for key, value in values.items()}


def found_run(row: IndexRow, root: str, directory: str) -> FoundRun:
    """Return the run of a row of the index.

    Parameters
    ----------
    row : dict
        With typed parameters.
    root : str
        The runs root, absolute.
    directory : str
        The run directory as it is to be shown.
    """
    path = os.path.join(root, row["directory"])
    directory = os.path.normpath(directory)
    # A study that was moved, or is looked at from elsewhere: what leads there from here.
    leads_there = os.path.abspath(row["output_dir"]) == path
    decision, reason = _decide(row)
    given: dict[str, Any] = dict(row)
    given.update(
        directory=directory,
        output_dir=row["output_dir"] if leads_there else directory,
        path=path,
        root=root,
        decision=decision,
        reason=reason,
    )
    return FoundRun(**given)


def _decide(row: IndexRow) -> tuple[Decision, str]:
    state = State(row["state"])
    if state is State.DONE:
        return Decision.SKIP, "it ended well, if the check finds it finished"
    if state in (State.QUEUED, State.RUNNING):
        return Decision.SKIP, "its driver is at work on it"
    if state is State.UNKNOWN:
        what = "finished" if row["finished"] else "not finished"
        decision = Decision.SKIP if row["finished"] else Decision.RERUN
        return decision, f"its parameters file says {what}; the check decides"
    how = how_it_ended(row["state"], row["cause"], row["returncode"], row["signal"])
    return Decision.RERUN, f"the last attempt ended {how}"


def how_it_ended(state: str, cause: str | None, returncode: int | None, signal: str | None) -> str:
    """Return the state of a run and its cause in a few words: ``failed (exit 3)``."""
    if cause == "exit":
        detail = f"exit {returncode}" if returncode else ""
    elif cause == "signal":
        detail = signal or cause
    else:
        detail = cause or ""
    return f"{state} ({detail})" if detail and detail != state else str(state)


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Return key to the name it is shown with: short where that is one key's alone."""
    shorts = {key: short_name(key) for key in keys}
    names = list(shorts.values())
    return {key: short if names.count(short) == 1 else key for key, short in shorts.items()}


def record_names(keys: Iterable[str]) -> dict[str, str]:
    """Return column of the record to its name beside these parameters.

    A parameter keeps its name; the column of ours is then ``soops_state``, ...
    """
    taken = {short_name(key) for key in keys} | set(keys)
    return {column: f"soops_{column}" if column in taken else column for column in RECORD_COLUMNS}


def to_frame(found: Sequence[FoundRun]) -> Any:
    """Return runs as a pandas DataFrame, one row each.

    The index is the key of the run; columns are ``finished``, ``iset``, the parameters by
    their short names, the output directory, ``script_dir`` and what the record says.
    """
    import pandas as pd

    keys = dict.fromkeys(key for run in found for key in run.parameters)
    names = short_names(keys)
    record = record_names(keys)
    del record["pkey"]  # the index
    rows = []
    for run in found:
        file = run._parameters_file()
        row: dict[str, Any] = {record["finished"]: run.finished, record["iset"]: run.number}
        row.update((name, run.parameters.get(key)) for key, name in names.items())
        row[record["output_dir"]] = run.output_dir
        row[SCRIPT_DIR] = file.values.get(SCRIPT_DIR, "") if file is not None else ""
        row.update((name, getattr(run, column)) for column, name in record.items())
        rows.append(row)
    index = pd.Index([run.pkey for run in found], name="pkey")
    return pd.DataFrame(rows, index=index)
