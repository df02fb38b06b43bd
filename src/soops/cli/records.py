"""What ``soops run --json`` prints. Imported by ``soops.cli.run`` when it is wanted."""

from __future__ import annotations

from soops.cli.common import JsonLines
from soops.kernel.plugging.hookspecs import hookimpl
from soops.kernel.records.found import json_record
from soops.kernel.records.rundir import RunTemplate
from soops.kernel.values import RunRecord, StudyRun

__all__ = ["RecordPrinter"]


class RecordPrinter:
    """A listener that prints one JSON object for each run that ended."""

    def __init__(self) -> None:
        self.lines = JsonLines()

    @hookimpl
    def soops_run_ended(self, study: StudyRun, record: RunRecord) -> None:
        """Print it."""
        template = RunTemplate(study.template)
        named = template.parse(record.directory)
        if named is not None:
            directory = template.directory(*named)
        else:
            directory = str(template.root / record.directory)
        self.lines(json_record(record, directory))
