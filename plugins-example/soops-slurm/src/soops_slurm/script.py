"""What is submitted."""

from __future__ import annotations

import shlex
import sys

from soops_slurm.options import BatchOptions
from soops_slurm.scheduler import Scheduler
from soops_slurm.spool import Array

__all__ = ["submission"]

#: What the batch script ends with when it does not see its own directory: to Slurm, a job
#: whose working directory is not there has COMPLETED well.
BLIND = 66


def submission(
    array: Array, options: BatchOptions, scheduler: Scheduler, at_once: int = 0, after: str = ""
) -> tuple[str, list[str]]:
    """Return the batch script of an array, and the options of the command that submits it.

    All its runs need the same resources. At most ``at_once`` of its tasks run at once (0: the
    scheduler decides), and none before the job ``after`` has ended.
    """
    quoted = shlex.quote(str(array.directory))
    python = shlex.quote(options.python or sys.executable)
    log = "" if scheduler.logs else 'exec > "log-$task.txt" 2>&1\n'
    script = (
        "#!/bin/bash\n"
        f"cd -- {quoted} && [ -f jobs.json ] || "
        f'{{ echo "$(hostname) does not see the files of this study"; exit {BLIND}; }}\n'
        f"task={scheduler.index}\n"
        f"{log}"
        f"{options.setup}\n"
        f'exec {python} -P -m soops_slurm.batch . "$task"\n'
    )
    where = str(array.directory)
    words = scheduler.words(array.name, where, len(array.tasks), at_once, after)
    needs = next((job.resources for runs in array.tasks for job in runs), {})
    return script, [*options.words(needs), *words]
