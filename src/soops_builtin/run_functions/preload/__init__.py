"""Preloaded Python: interpreter and imports of the user's script are loaded once per worker.

The slot (``slot``) starts the command of the first run with a directory (``hook``) in front of
its ``PYTHONPATH``. There Python's own ``site`` finds a ``sitecustomize``, which imports what
the script imports and then waits, in the middle of the start of the interpreter. Each run is a
fork of that process: it gets its own arguments, streams, session and environment, and then
simply goes on. So the script is run by the interpreter itself, with nothing of ours left on
the stack, in ``sys.path`` or in ``sys.modules``; errors, exit codes, ``-m``, ``-c`` and the
end of the process are Python's own.

This module is for the registry; it is all that the driver imports.
"""

from __future__ import annotations

from dataclasses import replace

from soops.api import Job

__all__ = ["LAUNCH", "NAMES", "preload"]

LAUNCH = "soops_builtin.run_functions.preload.slot:main"
#: The variable that names the modules, where they are not to be found in the script.
NAMES = "SOOPS_PRELOAD"


def preload(job: Job) -> Job:
    """Return a job that runs in a fork of a loaded interpreter, if its command allows it.

    The modules that ``SOOPS_PRELOAD`` names in the environment of the driver are for workers
    on other machines, too.
    """
    import os

    named = os.environ.get(NAMES)
    env = job.env if named is None or NAMES in job.env else {**job.env, NAMES: named}
    return replace(job, launch=LAUNCH, env=env)
