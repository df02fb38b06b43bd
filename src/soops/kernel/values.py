"""The values that travel through soops: frozen, small, with no behaviour of their own.

Anyone may import this module; it imports nothing of soops and nothing heavy.
The order of the classes is the order of the story: a text becomes a study, the
study parameter sets, these planned runs, jobs, outcomes, records, rows, a table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "DEFINED",
    "UNDEFINED",
    "Axis",
    "Decision",
    "Directive",
    "Generated",
    "Job",
    "Outcome",
    "ParameterSet",
    "PlannedRun",
    "RunInfo",
    "RunRecord",
    "ScoopInfo",
    "ScoopItem",
    "Scooped",
    "ScoopedRow",
    "Source",
    "State",
    "StepCall",
    "Study",
    "StudyRun",
    "Summary",
    "Update",
    "Usage",
    "UserModule",
]

#: The option is given without a value (it is a flag).
DEFINED = "@defined"
#: The option is left out of the command.
UNDEFINED = "@undefined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a text comes from, for error messages. Lines and columns count from 1."""

    path: str = "command line"
    section: str | None = None
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    """The line of text with a caret below it is made from this line and ``column``."""

    def __str__(self) -> str:
        text = self.path
        if self.section:
            text += f" [{self.section}]"
        if self.line is not None:
            text += f", line {self.line}"
        if self.column is not None:
            text += f", column {self.column}"
        if self.excerpt is not None:
            text += f": {self.excerpt}"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """``@name(args, key=value)`` in a study text. It is looked up, never evaluated."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    called: bool = False
    """Whether it was written with parentheses."""
    text: str = ""
    """As it was written, the ``@`` included."""
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What a directive gives when the values come from a function of the user's module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the text says, unexpanded: values may be or hold :class:`Directive`."""

    name: str
    source: Source
    values: Mapping[str, Any]
    contracts: tuple[tuple[str, ...], ...] = ()
    where: str | None = None
    generate: Mapping[str, Any] | None = None
    """Arguments of the generating function, when the text has a ``NAME.@generate`` section."""
    module: UserModule | None = None
    """The program, when the text describes it too (a TOML study)."""
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further named sections of the file, for ``--generate-pars=SECTION``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """How the program is run.

    Attributes
    ----------
    command : str or tuple of str
        Shell text with ``str.format`` fields, or an argument list (no shell).
    options : mapping
        Parameter key to template, in command line order.
    output_key : str
        The field of ``command`` that is the run directory.
    finished : object
        What a check understands: a file name, a function ``(pars, options)``, ``"exit:0"``.
    defaults : mapping
        Values of parameters that the study does not name.
    unhashed : tuple of str
        Parameters that do not tell one run from another.
    base : str
        Directory of the module or study file: the ``script_dir`` of the command.
    cwd, env : str, mapping
        Working directory and additions to the environment; None: those of the driver.
    timeout : float, optional
        Seconds.
    """

    command: str | tuple[str, ...]
    options: Mapping[str, str]
    output_key: str
    finished: Any
    defaults: Mapping[str, Any] = field(default_factory=dict)
    unhashed: tuple[str, ...] = ()
    base: str = "."
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    accept_exit: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoopItem:
    """One file of a run directory and the scraper that reads it.

    ``scraper`` is the name of a registered scraper or a function ``(path, rdata=None)``.
    """

    pattern: str
    scraper: str | Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    is_parameters: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoopInfo:
    """What to read from each run directory, in order."""

    items: tuple[ScoopItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """One post-processing step: a registered name or a function, with its arguments."""

    name: str
    target: str | Callable[..., Any]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModule:
    """What a script or a TOML study offers; every part may be absent."""

    name: str
    path: Path
    run_info: RunInfo | None = None
    scoop_info: ScoopInfo | None = None
    steps: tuple[StepCall, ...] = ()
    functions: Mapping[str, Any] = field(default_factory=dict)
    """Public callables of the module by name: generators, compute classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One dimension of the space: several keys when they change in lockstep.

    ``rows`` has one tuple for each position along the axis, one value for each key.
    """

    keys: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """One point of the space: ``values`` in key order, computed keys last."""

    index: int
    values: Mapping[str, Any]
    pkey: str
    identity: str


class Decision(enum.StrEnum):
    """What the plan says of a parameter set."""

    RUN = "run"
    RERUN = "rerun"
    SKIP = "skip"


class State(enum.StrEnum):
    """What is known of a run. An ended run has one of the last six."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    LOST = "lost"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A parameter set with its place on disk, its command, and whether it will be run."""

    parameters: ParameterSet
    number: int
    directory: str
    """Relative to the working directory of the driver, or absolute, as the template is."""
    command: str | tuple[str, ...]
    decision: Decision
    reason: str
    attempts: int = 0
    """How often it was tried before."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """``parameters.values`` with the output directory and ``script_dir`` added."""
    known: bool = False
    """Whether its directory exists already with a record or parameters file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a runner sees of a run. It can be pickled and written as JSON.

    Attributes
    ----------
    key : str
        The name of the run in its study; unique among the jobs under way.
    attempt : int
        Counts from 1.
    command : str or tuple of str
        Shell text, or an argument list.
    launch : str
        Import string of the function that runs the job where the runner says.
    directory : str
        Absolute path of the run directory.
    cwd : str
        Absolute path.
    env : mapping
        Additions to the environment of the worker.
    timeout, grace : float
        Seconds; after the timeout (None: never) the tree gets TERM, after the grace KILL.
    stdout, stderr : str, optional
        Absolute paths; None: the streams of the driver (``os.system``).
    max_output : int, optional
        Bytes kept of each stream.
    sample : float
        Seconds between two samples of the process tree; 0: none.
    """

    key: str
    attempt: int
    command: str | tuple[str, ...]
    launch: str
    directory: str
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    grace: float = 5.0
    resources: Mapping[str, float] = field(default_factory=dict)
    stdout: str | None = None
    stderr: str | None = None
    max_output: int | None = None
    sample: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run cost. Times in seconds, memory in bytes; None: not measured.

    ``max_rss`` is the largest single process; ``tree_rss`` the largest sum over the
    tree, which only sampling can tell.
    """

    cpu_time: float | None = None
    max_rss: int | None = None
    tree_rss: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended. ``started`` and ``ended`` are seconds since the epoch (UTC)."""

    state: State
    cause: str
    """exit, signal, timeout, missing, permission, too-long, directory, node, cancelled, ..."""
    returncode: int | None = None
    signal: str | None = None
    started: float | None = None
    ended: float | None = None
    elapsed: float | None = None
    """Seconds by a monotonic clock."""
    usage: Usage = field(default_factory=Usage)
    host: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What a runner reports of one token: its new state, or how it ended."""

    token: str
    state: State
    outcome: Outcome | None = None
    pid: int | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is true of an ended run; the content of ``soops-run.json``."""

    identity: str
    pkey: str
    number: int
    directory: str
    """Relative to the runs root."""
    parameters: Mapping[str, Any]
    command: str | tuple[str, ...]
    state: State
    cause: str = ""
    returncode: int | None = None
    signal: str | None = None
    started: str | None = None
    """ISO 8601, UTC."""
    ended: str | None = None
    elapsed: float | None = None
    cpu_time: float | None = None
    max_rss: int | None = None
    tree_rss: int | None = None
    host: str | None = None
    attempts: int = 1
    runner: str = ""
    run_function: str = ""
    message: str = ""
    output_key: str = "output_dir"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRun:
    """One pass of the driver over a study; what events are told.

    Attributes
    ----------
    root : Path
        The runs root: the directory part of the template before its ``%s``.
    output_dir : Path
        Where the files of the study as a whole go (``-o``).
    key_order : tuple of str
        The parameter keys, sorted.
    argv : tuple of str
        The command line, empty when called from Python.
    options : mapping
        What ``options.txt`` of the study shows.
    progress : bool
        Whether a person is watching.
    """

    study: Study
    module: UserModule
    root: Path
    template: str
    output_dir: Path
    key_order: tuple[str, ...]
    runner: str
    run_function: str
    n_workers: int
    argv: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    progress: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a pass over a study ended.

    ``counts`` has a number for each final state met in this pass; ``total`` is the
    number of parameter sets planned, ``skipped`` of those with nothing to do.
    """

    total: int
    skipped: int
    counts: Mapping[State, int]
    elapsed: float
    failures: tuple[RunRecord, ...] = ()
    """The first few runs that did not end well."""
    interrupted: bool = False
    stopped: str = ""
    """Why the pass ended before its plan (``--max-failures``), or an empty string."""
    root: Path = Path()
    remaining: int = 0
    """Planned runs that were not started."""

    @property
    def ok(self) -> bool:
        """Whether every planned set is done."""
        bad = sum(n for state, n in self.counts.items() if state is not State.DONE)
        return not (bad or self.interrupted or self.stopped)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoopedRow:
    """What was read from one run directory. An error is data: item name to text."""

    directory: str
    values: Mapping[str, Any]
    files: tuple[FileRead, ...] = ()
    parameter_keys: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """One item read: its pattern, the files it stood for, their mtimes, the keys it gave."""

    item: str
    filenames: tuple[str, ...]
    mtimes: tuple[float, ...]
    """Seconds since the epoch, NaN where unknown."""
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scooped:
    """The table: the only value with pandas inside.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row for each run directory.
    meta : pandas.DataFrame
        One row for each run directory and item.
    parameter_keys : tuple of str
        The columns that are input parameters.
    errors : mapping
        Run directory to ``{item: text}``.
    """

    frame: Any
    meta: Any
    parameter_keys: tuple[str, ...]
    errors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    path: Path | None = None
    """Where it is stored, or the place it would be stored at."""
    output_dir: Path = Path()


#: A source of parameter sets: any iterator will do.
ParameterSets = Iterator[ParameterSet]
