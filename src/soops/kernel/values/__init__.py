"""The values that travel through soops: frozen, small, with no behaviour of their own.

Anyone may import from here; nothing of soops and nothing heavy is imported. The three
modules are the parts of the story: a text becomes a study and parameter sets,
these become planned runs, jobs, outcomes and records, these rows and a table.

Beside them stand two pieces that any room of the kernel may need, imported by their own names:
``processors`` says how many there are, ``forks`` shares work with forks of this process.

A module is loaded when a name of it is asked for: a class of values takes as long to make as
a small module to import, and ``--help`` needs none of them.
"""

from typing import TYPE_CHECKING

from soops.kernel.lazy import lazy_names

if TYPE_CHECKING:
    from soops.kernel.values.runs import (
        Job,
        Outcome,
        PlannedRun,
        RunRecord,
        StudyRun,
        Summary,
        Update,
        Usage,
    )
    from soops.kernel.values.source import Source
    from soops.kernel.values.states import Decision, State
    from soops.kernel.values.study import (
        DEFINED,
        UNDEFINED,
        Axis,
        Directive,
        Formula,
        Generated,
        ParameterSet,
        RunInfo,
        ScoopInfo,
        ScoopItem,
        StepCall,
        Study,
        StudyBlock,
        UserModule,
    )
    from soops.kernel.values.table import (
        FileRead,
        Scooped,
        ScoopedRow,
    )

__all__ = [
    "DEFINED",
    "UNDEFINED",
    "Axis",
    "Decision",
    "Directive",
    "FileRead",
    "Formula",
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
    "StudyBlock",
    "StudyRun",
    "Summary",
    "Update",
    "Usage",
    "UserModule",
]

__getattr__ = lazy_names(
    __name__,
    {
        f"{__name__}.runs": ("Job Outcome PlannedRun RunRecord StudyRun Summary Update Usage"),
        f"{__name__}.source": "Source",
        f"{__name__}.states": "Decision State",
        f"{__name__}.study": (
            "DEFINED UNDEFINED Axis Directive Formula Generated ParameterSet RunInfo ScoopInfo "
            "ScoopItem StepCall Study StudyBlock UserModule"
        ),
        f"{__name__}.table": "FileRead Scooped ScoopedRow",
    },
)
