"""The files between driver and nodes: one directory for each array, below ``.soops/slurm``,
``.soops/pbs`` or ``.soops/lsf``.

``jobs.json`` is there before anything is submitted, ``id`` after; so a driver that comes later
knows what was submitted, and finds what was being submitted by the name of the directory, which
is the name of the job. ``told-K`` is what task K says of its runs, a JSON line for each
thing, ``log-K.txt`` what its script printed, ``stop-N`` and ``drop-N`` say that run N is to be
ended, or not to be begun.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soops.api import Job, RunnerError

__all__ = ["Array", "last_words", "new_array", "open_arrays", "spool_of"]

_FIELDS = tuple(Job.__slots__)


@dataclass(slots=True, kw_only=True, eq=False)
class Array:
    """What is submitted at once.

    Attributes
    ----------
    directory : Path
        Its name is that of the job.
    tasks : sequence of sequence of Job
        The jobs of each task.
    parallel : int
        Jobs of a task at once.
    job : str
        Its id; empty while it is not known.
    """

    directory: Path
    tasks: Sequence[Sequence[Job]]
    parallel: int = 1
    job: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.directory.name

    def set_job(self, job: str) -> None:
        """Note its id."""
        self.job = job
        temporary = self.directory / "id.new"
        temporary.write_text(job + "\n")
        temporary.replace(self.directory / "id")

    def told(self, task: int, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Return what a task has said since an offset, and the next offset."""
        try:
            with (self.directory / f"told-{task}").open("rb") as file:
                file.seek(offset)
                data = file.read()
        except OSError:
            return [], offset
        whole = data[: data.rfind(b"\n") + 1]
        messages = []
        for line in whole.splitlines():
            with suppress(ValueError):
                messages.append(json.loads(line))
        return messages, offset + len(whole)

    def has_told(self) -> bool:
        """Whether any of its tasks has begun, whatever is remembered of it."""
        return any(self.directory.glob("told-*"))

    def ask(self, what: str, task: int, number: int) -> None:
        """Say ``stop`` or ``drop`` to the task of a run."""
        with suppress(OSError):
            (self.directory / f"{what}-{task}-{number}").touch()

    def remove(self) -> None:
        """Remove its files; a copy of it that starts late finds that it has no work."""
        shutil.rmtree(self.directory, ignore_errors=True)


def spool_of(root: Path, scheduler: str) -> Path:
    """Return where the arrays of a runs root are that a scheduler got."""
    return root / ".soops" / scheduler


def new_array(spool: Path, tasks: Sequence[Sequence[Job]], parallel: int) -> Array:
    """Write down what is about to be submitted.

    Raises
    ------
    RunnerError
        When it cannot be written.
    """
    directory = spool / f"soops-{uuid.uuid4().hex[:16]}"
    plain = [[_to_plain(job) for job in jobs] for jobs in tasks]
    try:
        directory.mkdir(parents=True)
        temporary = directory / "jobs.new"
        temporary.write_text(json.dumps({"parallel": parallel, "tasks": plain}))
        temporary.replace(directory / "jobs.json")
    except OSError as exc:
        raise RunnerError(
            f"{str(directory)!r} cannot be written: {exc.strerror}",
            hint="free some space; start the same command again to go on",
        ) from exc
    return Array(directory=directory, tasks=tasks, parallel=parallel)


def read_array(directory: Path) -> Array:
    """Read what :func:`new_array` wrote.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError
        When it is not there or not whole.
    """
    found = json.loads((directory / "jobs.json").read_bytes())
    tasks = [[_from_plain(job) for job in jobs] for jobs in found["tasks"]]
    job = ""
    with suppress(OSError):
        job = (directory / "id").read_text().strip()
    return Array(directory=directory, tasks=tasks, parallel=found["parallel"], job=job)


def open_arrays(spool: Path) -> Iterator[Array]:
    """Give the arrays that an earlier driver left; what never was whole is removed."""
    for directory in sorted(spool.glob("soops-*")):
        try:
            yield read_array(directory)
        except (OSError, ValueError, KeyError, TypeError):
            shutil.rmtree(directory, ignore_errors=True)


def last_words(log: Path) -> str:
    """Return the last line of the log of a task."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""


def _to_plain(job: Job) -> dict[str, Any]:
    plain = {name: getattr(job, name) for name in _FIELDS}
    return {**plain, "env": dict(job.env), "resources": dict(job.resources)}


def _from_plain(plain: Mapping[str, Any]) -> Job:
    command = plain["command"]
    return Job(**{**plain, "command": command if isinstance(command, str) else tuple(command)})
