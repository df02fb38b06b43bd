"""The values that travel through soops: frozen, small, with no behaviour of their own.

Anyone may import from here; nothing of soops and nothing heavy is imported. The three
modules are the parts of the story: a text becomes a study and parameter sets,
these become planned runs, jobs, outcomes and records, these rows and a table.
"""

from soops.kernel.values.runs import (
    Decision,
    Job,
    Outcome,
    PlannedRun,
    RunRecord,
    State,
    StudyRun,
    Summary,
    Update,
    Usage,
)
from soops.kernel.values.study import (
    DEFINED,
    UNDEFINED,
    Axis,
    Directive,
    Generated,
    ParameterSet,
    RunInfo,
    ScoopInfo,
    ScoopItem,
    Source,
    StepCall,
    Study,
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
