"""What plugins hand over: a name, where the thing is, and a line of words.

A spec is cheap: ``target`` is an import string (``"package.module:object"``), so that
a plugin module imports nothing of what it offers. Only the registry imports targets.
A function of the user's own module may stand there as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from soops.kernel.values.frozen import dataclass

__all__ = [
    "CheckSpec",
    "CommandSpec",
    "DirectiveSpec",
    "ReaderSpec",
    "RunFunctionSpec",
    "RunnerSpec",
    "ScraperSpec",
    "Spec",
    "StepSpec",
    "StoreSpec",
]

Target = str | Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What all specs have in common."""

    kind: ClassVar[str] = "spec"

    name: str
    target: Target
    summary: str = ""
    provider: str = ""
    """The plugin that gave it; filled in by the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSpec(Spec):
    """``target(text, source, section) -> Study``: one format of study files."""

    kind: ClassVar[str] = "reader"
    suffixes: tuple[str, ...] = ()
    """Of files, with the dot; a reader without any reads the text of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectiveSpec(Spec):
    """``target(*args, **kwargs)``: a list is an axis, anything else one value."""

    kind: ClassVar[str] = "directive"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFunctionSpec(Spec):
    """``target(job) -> Job``: how one command becomes a process."""

    kind: ClassVar[str] = "run function"
    launch: str | None = None
    """What it makes of ``Job.launch``, if always the same, so that slots can be started before
    there is a job: a text, or ``""`` when it leaves that alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSpec(Spec):
    """``target(setup) -> Runner``: where runs happen."""

    kind: ClassVar[str] = "runner"
    options: Target | None = None
    """A frozen dataclass: the names and types that ``--runner-opt`` takes."""
    detachable: bool = False
    """Whether its runs can go on without their driver: it obeys ``RunnerSetup.survive``."""
    resources: bool = False
    """Whether it gives each run the ``Job.resources`` that it needs."""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec(Spec):
    """``target(finished) -> Check | None``: whether a run of old is finished.

    ``finished`` is what the module or study gave; a check that does not understand it
    returns None, and the next one is asked. A ``Check`` is called as
    ``check(directory, parameters, options, record)`` and returns a bool.
    """

    kind: ClassVar[str] = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScraperSpec(Spec):
    """``target(path, rdata=None, **options) -> mapping | None``: one file to values."""

    kind: ClassVar[str] = "scraper"
    patterns: tuple[str, ...] = ()
    """File name patterns that it is the usual scraper of."""
    check: Target | None = None
    """``check(**options)`` raises ValueError for options that cannot be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpec(Spec):
    """``target`` has ``write(scooped, path)`` and ``read(path) -> Scooped``."""

    kind: ClassVar[str] = "store"
    suffixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec(Spec):
    """``target(df, data=None, **kwargs) -> data | None``: post-processing of a table."""

    kind: ClassVar[str] = "step"
    check: Target | None = None
    """``check(**kwargs)`` raises ValueError for arguments that cannot be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec(Spec):
    """``target`` is a click command; it becomes ``soops NAME``."""

    kind: ClassVar[str] = "command"
