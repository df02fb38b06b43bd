"""Values of the middle: what is to be run, how it ended, what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from soops.kernel.values.frozen import dataclass
from soops.kernel.values.states import Decision, State
from soops.kernel.values.study import ParameterSet, Study, UserModule


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
        Import string of what serves the slot that runs the job.
    directory : str
        Absolute path of the run directory.
    cwd : str
        Absolute path.
    env : mapping
        Additions to the environment of the worker.
    resources : mapping
        What it needs of its worker: name to amount; 0: it is not to use any. Only runners
        whose spec says that they mind ``resources`` get jobs that name some.
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
    left: int = 0
    """Runs that their runner keeps, to wait or to go on (``--detach``)."""

    @property
    def ok(self) -> bool:
        """Whether every planned set is done."""
        bad = sum(n for state, n in self.counts.items() if state is not State.DONE)
        return not (bad or self.interrupted or self.stopped)
