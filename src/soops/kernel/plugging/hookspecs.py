"""The hook specifications: everything that a plugin can be asked or told.

Three kinds. *Registries* are asked once per kind and return specs. *One question*
is answered by the nearest plugin that can. *Events* are told to everyone, each
implementation by itself: one that raises is named, muted, and the study goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from soops.kernel.plugging.specs import (
        CheckSpec,
        CommandSpec,
        DirectiveSpec,
        ReaderSpec,
        RunFunctionSpec,
        RunnerSpec,
        ScraperSpec,
        StepSpec,
        StoreSpec,
    )
    from soops.kernel.values import PlannedRun, RunRecord, Scooped, StudyRun, Summary, UserModule

hookspec = pluggy.HookspecMarker("soops")
hookimpl = pluggy.HookimplMarker("soops")

# --- registries ------------------------------------------------------------------------


@hookspec
def soops_conf_readers() -> Sequence[ReaderSpec]:  # type: ignore[empty-body]
    """Return formats of study files."""


@hookspec
def soops_directives() -> Sequence[DirectiveSpec]:  # type: ignore[empty-body]
    """Return directives, the ``@name(...)`` of the value language."""


@hookspec
def soops_run_functions() -> Sequence[RunFunctionSpec]:  # type: ignore[empty-body]
    """Return ways in which one command becomes a process."""


@hookspec
def soops_runners() -> Sequence[RunnerSpec]:  # type: ignore[empty-body]
    """Return places where runs happen."""


@hookspec
def soops_checks() -> Sequence[CheckSpec]:  # type: ignore[empty-body]
    """Return ways to tell whether a run is finished."""


@hookspec
def soops_scrapers() -> Sequence[ScraperSpec]:  # type: ignore[empty-body]
    """Return functions that read one kind of file of a run directory."""


@hookspec
def soops_stores() -> Sequence[StoreSpec]:  # type: ignore[empty-body]
    """Return file formats for tables."""


@hookspec
def soops_steps() -> Sequence[StepSpec]:  # type: ignore[empty-body]
    """Return post-processing steps."""


@hookspec
def soops_commands() -> Sequence[CommandSpec]:  # type: ignore[empty-body]
    """Return commands for ``soops NAME``."""


# --- one question ----------------------------------------------------------------------


@hookspec(firstresult=True)
def soops_adapt_module(module: ModuleType, path: Path) -> UserModule | None:
    """Say what a user's module offers, or None when it speaks another language."""


# --- events ----------------------------------------------------------------------------


@hookspec
def soops_study_started(study: StudyRun, total: int | None) -> None:
    """A pass begins; everything is validated, the lock is held. ``total`` sets are planned."""


@hookspec
def soops_run_started(study: StudyRun, run: PlannedRun, attempt: int) -> None:
    """A run was handed to its runner; its directory exists."""


@hookspec
def soops_run_ended(study: StudyRun, record: RunRecord) -> None:
    """A run ended and its record is written."""


@hookspec
def soops_study_ended(study: StudyRun, summary: Summary) -> None:
    """The pass is over; the lock is still held."""


@hookspec
def soops_scoop_ended(scooped: Scooped) -> None:
    """A table was scooped and stored; steps run after this."""


REGISTRIES = {
    "reader": "soops_conf_readers",
    "directive": "soops_directives",
    "run function": "soops_run_functions",
    "runner": "soops_runners",
    "check": "soops_checks",
    "scraper": "soops_scrapers",
    "store": "soops_stores",
    "step": "soops_steps",
    "command": "soops_commands",
}
EVENTS = (
    "soops_study_started",
    "soops_run_started",
    "soops_run_ended",
    "soops_study_ended",
    "soops_scoop_ended",
)
