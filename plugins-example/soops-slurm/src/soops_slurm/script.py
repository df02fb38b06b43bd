"""What is given to ``sbatch``."""

from __future__ import annotations

import shlex
import sys

from soops_slurm.options import SlurmOptions
from soops_slurm.spool import Array

__all__ = ["submission"]

#: What the batch script ends with when it does not see its own directory: to Slurm, a job
#: whose working directory is not there has COMPLETED well.
BLIND = 66


def submission(array: Array, options: SlurmOptions) -> tuple[str, list[str]]:
    """Return the batch script of an array, and the options of ``sbatch``."""
    where = shlex.quote(str(array.directory))
    python = shlex.quote(options.python or sys.executable)
    script = (
        "#!/bin/bash\n"
        f"cd -- {where} && [ -f jobs.json ] || "
        f'{{ echo "$(hostname) does not see the files of this study"; exit {BLIND}; }}\n'
        f"{options.setup}\n"
        f'exec {python} -P -m soops_slurm.batch . "$SLURM_ARRAY_TASK_ID"\n'
    )
    words = [
        *options.words(),
        f"--array=0-{len(array.tasks) - 1}",
        f"--job-name={array.name}",
        f"--chdir={array.directory}",
        "--output=log-%a.txt",
    ]
    return script, words
