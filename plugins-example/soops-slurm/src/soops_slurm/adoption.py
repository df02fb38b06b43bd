"""What an earlier driver submitted."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from soops.api import RunnerError
from soops_slurm.scheduler import Busy, Scheduler
from soops_slurm.spool import Array, open_arrays

__all__ = ["find_held"]

_Pair = tuple[str, int]
_Place = tuple[Array, int, int]


def find_held(
    spool: Path, scheduler: Scheduler, attempts: Collection[_Pair]
) -> dict[_Pair, _Place]:
    """Return the places of those attempts that were submitted: array, task, number in it.

    What never came to the scheduler, and what nobody waits for, is cancelled and removed.

    Raises
    ------
    RunnerError
        When it does not answer.
    """
    held: dict[_Pair, _Place] = {}
    for array in open_arrays(spool):
        places: dict[_Pair, _Place] = {
            (job.directory, job.attempt): (array, index, number)
            for index, jobs in enumerate(array.tasks)
            for number, job in enumerate(jobs)
            if (job.directory, job.attempt) in attempts
        }
        try:
            if not array.job and (found := scheduler.find(array.name)):
                array.set_job(found)
            if places and (array.job or array.has_told()):
                held.update(places)
                continue
            if array.job:
                scheduler.cancel((array.job, index) for index in range(len(array.tasks)))
        except Busy as exc:
            raise RunnerError(
                f"{scheduler.title} does not answer: {exc}",
                hint="what was submitted before is not lost; start the same command later",
            ) from None
        array.remove()
    return held
