"""The three names of the supervised launch: how one command becomes a process.

A slot starts the command of a job in a session of its own, ends it after its timeout, and ends
whatever it leaves behind. The functions here only say where the output goes and what is measured.
"""

from __future__ import annotations

from dataclasses import replace

from soops.api import Job

__all__ = ["SAMPLE", "os_system", "psutil_popen", "subprocess_run"]

#: Seconds between two looks at the process tree.
SAMPLE = 1.0


def subprocess_run(job: Job) -> Job:
    """Return the job as it is: its output goes to files in the run directory."""
    return job


def psutil_popen(job: Job) -> Job:
    """Return a job whose whole process tree is looked at once a second.

    Its usage has ``tree_rss``, and ``cpu_time`` counts processes that nobody waits for. A
    job that asks for shorter intervals itself keeps them.
    """
    return job if job.sample > 0 else replace(job, sample=SAMPLE)


def os_system(job: Job) -> Job:
    """Return a job whose output goes to the terminal of the driver; nothing is captured.

    With a runner on other machines that is the output of its worker.
    """
    return replace(job, stdout=None, stderr=None, max_output=None)
