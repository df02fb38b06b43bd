"""The whole surface for plugin authors, and the only one.

A plugin imports from here (and from ``soops.study`` and the script library); nothing
below ``soops.kernel`` is promised to stay where it is. Names are imported when they are used.
"""

import os
from typing import TYPE_CHECKING

from soops.kernel.lazy import lazy_names

if TYPE_CHECKING:
    from soops.kernel.app import App
    from soops.kernel.errors import (
        ExitCode,
        LockedError,
        PluginError,
        RunnerError,
        SoopsError,
        StudyError,
        UsageError,
        all_mistakes,
        near_misses,
        printable,
        unknown_name,
    )
    from soops.kernel.plugging.hookspecs import hookimpl
    from soops.kernel.plugging.interfaces import Check, Runner, RunnerSetup, Store
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
    from soops.kernel.records.attempts import AttemptToken, read_attempt
    from soops.kernel.records.found import how_it_ended
    from soops.kernel.runs.launch import serve
    from soops.kernel.runs.launch.command import spawn
    from soops.kernel.runs.launch.marks import attempt_path
    from soops.kernel.runs.launch.means import Means
    from soops.kernel.runs.launch.processes import children
    from soops.kernel.runs.resources import amount_of
    from soops.kernel.runs.slot import Slot, run_job, thread_slot
    from soops.kernel.runs.watch import Watch
    from soops.kernel.study.expression import compile_expression, short_name
    from soops.kernel.study.expression_names import expression_names
    from soops.kernel.table.shape import check_shapes
    from soops.kernel.values import (
        DEFINED,
        UNDEFINED,
        Axis,
        Decision,
        Directive,
        FileRead,
        Formula,
        Generated,
        Job,
        Outcome,
        ParameterSet,
        PlannedRun,
        RunInfo,
        RunRecord,
        Scooped,
        ScoopedRow,
        ScoopInfo,
        ScoopItem,
        Source,
        State,
        StepCall,
        Study,
        StudyBlock,
        StudyRun,
        Summary,
        Update,
        Usage,
        UserModule,
    )

__all__ = [
    "DEFINED",
    "UNDEFINED",
    "App",
    "AttemptToken",
    "Axis",
    "Check",
    "CheckSpec",
    "CommandSpec",
    "Decision",
    "Directive",
    "DirectiveSpec",
    "ExitCode",
    "FileRead",
    "Formula",
    "Generated",
    "Job",
    "LockedError",
    "Means",
    "Outcome",
    "ParameterSet",
    "PlannedRun",
    "PluginError",
    "ReaderSpec",
    "RunFunctionSpec",
    "RunInfo",
    "RunRecord",
    "Runner",
    "RunnerError",
    "RunnerSetup",
    "RunnerSpec",
    "ScoopInfo",
    "ScoopItem",
    "Scooped",
    "ScoopedRow",
    "ScraperSpec",
    "Slot",
    "SoopsError",
    "Source",
    "State",
    "StepCall",
    "StepSpec",
    "Store",
    "StoreSpec",
    "Study",
    "StudyBlock",
    "StudyError",
    "StudyRun",
    "Summary",
    "Update",
    "Usage",
    "UsageError",
    "UserModule",
    "Watch",
    "all_mistakes",
    "amount_of",
    "attempt_path",
    "check_shapes",
    "children",
    "compile_expression",
    "expression_names",
    "hookimpl",
    "how_it_ended",
    "near_misses",
    "printable",
    "read_attempt",
    "read_record",
    "run_job",
    "serve",
    "short_name",
    "spawn",
    "thread_slot",
    "unknown_name",
]


#: A plugin that only names what it gives pays for nothing else.
__getattr__ = lazy_names(
    __name__,
    {
        "soops.kernel.app": ("App"),
        "soops.kernel.errors": (
            "ExitCode LockedError PluginError RunnerError SoopsError StudyError UsageError "
            "all_mistakes near_misses printable unknown_name"
        ),
        "soops.kernel.plugging.hookspecs": ("hookimpl"),
        "soops.kernel.plugging.interfaces": ("Check Runner RunnerSetup Store"),
        "soops.kernel.plugging.specs": (
            "CheckSpec CommandSpec DirectiveSpec ReaderSpec RunFunctionSpec RunnerSpec "
            "ScraperSpec StepSpec StoreSpec"
        ),
        "soops.kernel.records.attempts": "AttemptToken read_attempt",
        "soops.kernel.records.found": "how_it_ended",
        "soops.kernel.runs.launch": "serve",
        "soops.kernel.runs.launch.command": "spawn",
        "soops.kernel.runs.launch.marks": ("attempt_path"),
        "soops.kernel.runs.launch.means": "Means",
        "soops.kernel.runs.launch.processes": "children",
        "soops.kernel.runs.slot": ("Slot run_job thread_slot"),
        "soops.kernel.runs.resources": "amount_of",
        "soops.kernel.runs.watch": ("Watch"),
        "soops.kernel.study.expression": "compile_expression short_name",
        "soops.kernel.study.expression_names": "expression_names",
        "soops.kernel.table.shape": "check_shapes",
        "soops.kernel.values": (
            "DEFINED UNDEFINED Axis Decision Directive FileRead Formula Generated Job Outcome "
            "ParameterSet PlannedRun RunInfo RunRecord Scooped ScoopedRow ScoopInfo ScoopItem "
            "Source State StepCall Study StudyBlock StudyRun Summary Update Usage UserModule"
        ),
    },
)


def read_record(directory: str | os.PathLike[str]) -> "RunRecord | None":
    """Return the record of the newest attempt in a run directory; None when there is none.

    Raises
    ------
    StudyError
        Naming the file when it is damaged or cannot be read.
    """
    from soops.kernel.records import record  # JSON and hashing are for those who read one

    return record.read_record(directory)
