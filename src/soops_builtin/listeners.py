"""The builtin's event listeners: the live line, and the files of the study as a whole.

``plugin.py`` hands the events over; what belongs to one pass lives from its start to its
end, keyed by its runs root.
"""

from __future__ import annotations

from pathlib import Path

from soops.api import PlannedRun, RunRecord, StudyRun, Summary
from soops_builtin import legacy_files
from soops_builtin.progress import Progress

_watching: dict[Path, Progress] = {}


def study_started(study: StudyRun, total: int | None) -> None:
    """A pass begins."""
    legacy_files.started(study, total)
    if study.progress:
        _watching[study.root] = Progress(study=study, total=total)


def run_started(study: StudyRun, run: PlannedRun, attempt: int) -> None:
    """A run was handed over."""
    legacy_files.run_started(study, run, attempt)
    progress = _watching.get(study.root)
    if progress is not None:
        progress.run_started(run)


def run_ended(study: StudyRun, record: RunRecord) -> None:
    """A run ended."""
    legacy_files.run_ended(study, record)
    progress = _watching.get(study.root)
    if progress is not None:
        progress.run_ended(record)


def study_ended(study: StudyRun, summary: Summary) -> None:
    """A pass is over."""
    legacy_files.ended(study, summary)
    progress = _watching.pop(study.root, None)
    if progress is not None:
        progress.ended(summary)
