"""Values of the beginning: what a text and a module say, and the sets made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from soops.kernel.values.frozen import dataclass
from soops.kernel.values.source import Source

#: The option is given without a value (it is a flag).
DEFINED = "@defined"
#: The option is left out of the command.
UNDEFINED = "@undefined"


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
class Formula:
    """The text of a safe expression over parameters, and where it stands.

    ``negated``: it is meant the other way round (``exclude``).
    """

    text: str
    source: Source | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyBlock:
    """One part of a study: a product of its own, with filters of its own.

    ``values`` are those of the study with the ones of the block in their place.
    """

    name: str
    values: Mapping[str, Any]
    contracts: tuple[tuple[str, ...], ...] = ()
    where: tuple[Formula, ...] = ()
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the text says, unexpanded: values may be or hold :class:`Directive`.

    Attributes
    ----------
    blocks : tuple of StudyBlock
        The parts whose union the sets are; none: the study is the only one.
    derived : mapping
        Parameters that follow from the others, set by set, in the order of the mapping.
    seed : str, optional
        The parameter whose value is an integer made from all the others of its set.
    options : mapping
        What the text asks of a pass (fields of ``RunOptions``); a person's word goes before.
    """

    name: str
    source: Source
    values: Mapping[str, Any]
    contracts: tuple[tuple[str, ...], ...] = ()
    where: str | None = None
    blocks: tuple[StudyBlock, ...] = ()
    derived: Mapping[str, Formula] = field(default_factory=dict)
    seed: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    generate: Mapping[str, Any] | None = None
    """Arguments of the generating function, when the text has a ``NAME.@generate`` section."""
    module: UserModule | None = None
    """The program, when the text describes it too (a TOML study)."""
    older: Mapping[str, Any] = field(default_factory=dict)
    """Of values that soops 2026.2 read otherwise, what it read: see ``parse_older``."""
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
        Working directory and additions to the environment; None: those of the driver. The
        field of ``output_key`` alone (``"{output_dir}"``): the run directory.
    timeout : float or Formula, optional
        Seconds.
    resources : mapping
        What each run needs of its worker: name to amount.
    furnish : callable, optional
        ``furnish(directory, values)`` puts what a run needs into its directory before each
        attempt, and returns the names of what it put there, relative to the directory.
    uses : tuple of str
        Parameters that are used elsewhere than in ``command`` and ``options``; with the
        ``output_key`` among them, the command need not name the run directory.
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
    timeout: float | Formula | None = None
    accept_exit: tuple[int, ...] = (0,)
    resources: Mapping[str, float | Formula] = field(default_factory=dict)
    furnish: Callable[[str, Mapping[str, Any]], Sequence[str]] | None = None
    uses: tuple[str, ...] = ()

    @property
    def at_home(self) -> bool:
        """Whether each run starts in its own directory."""
        return self.cwd == f"{{{self.output_key}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoopItem:
    """One file of a run directory and the scraper that reads it.

    ``scraper`` is the name of a registered scraper or a function ``(path, rdata=None)``;
    ``digest`` is filled in by a scoop: when it differs, what was read is read again.

    Attributes
    ----------
    reduce : mapping
        Value to what becomes of a list: ``last``, ``mean``, ``max``, ...
    rename : mapping
        Value to the name of its column.
    default : mapping
        Column to its value where the file or the value is missing.
    units : mapping
        Column to its unit, a text.
    source : Source, optional
        Where a study file says this.
    """

    pattern: str
    scraper: str | Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    is_parameters: bool = False
    optional: bool = False
    digest: str = ""
    reduce: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    source: Source | None = None


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
    source: Source | None = None
    """Where a study file says this."""


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
    results: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of a scoop: ``directories``, ``output_dir``, ``file``, ``sort``."""


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
