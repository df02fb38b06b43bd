"""What the runner knows of its runs, and of the tasks that they are in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from soops.api import Job, Outcome
from soops_slurm.scheduler import TaskState
from soops_slurm.spool import Array

__all__ = ["Run", "Task", "cut"]

#: How often a job may wait in tasks that all end before it has begun.
CHANCES = 3


@dataclass(slots=True, eq=False)
class Run:
    """A job under way."""

    token: str
    job: Job
    number: int = 0
    """Its place in its task."""
    cancelled: bool = False
    unwanted: bool = False
    lost: Outcome | None = None
    """What the slot says of a run that was made to end."""
    chances: int = CHANCES


@dataclass(slots=True, eq=False)
class Task:
    """A task of an array, and what is known of it."""

    array: Array
    index: int
    runs: dict[int, Run] = field(default_factory=dict)
    """Those that have not ended."""
    offset: int = 0
    state: TaskState | None = None
    over: float | None = None
    """Since when nothing of it happens in the scheduler, by the monotonic clock."""
    host: str = ""

    def __iter__(self) -> Iterator[Run]:
        """Give its runs, whatever becomes of them meanwhile."""
        return iter(list(self.runs.values()))

    @property
    def key(self) -> tuple[str, int]:
        """Names it: its array, and its place there."""
        return self.array.name, self.index


def cut(backlog: deque[Run], bundle: int, room: int) -> list[list[Run]]:
    """Take runs from the front of a backlog, as many as ``room`` tasks of ``bundle`` hold.

    They are spread over all of these tasks. The runs of a task need the same resources.
    """
    tasks: list[list[Run]] = []
    while backlog and len(tasks) < room:
        size = min(bundle, -(-len(backlog) // (room - len(tasks))))
        needs = backlog[0].job.resources
        task = [backlog.popleft()]
        while len(task) < size and backlog and backlog[0].job.resources == needs:
            task.append(backlog.popleft())
        tasks.append(task)
    return tasks
