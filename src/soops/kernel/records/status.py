"""How a study stands: from its lock, journal, index and ``study.json``.

For ``query`` and ``soops.study``. Nothing here writes.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soops.kernel.errors import StudyError
from soops.kernel.records.journal import read_under_way
from soops.kernel.records.lock import read_holder
from soops.kernel.records.reading import read_rows
from soops.kernel.records.roots import read_study_file
from soops.kernel.values import State
from soops.kernel.values.frozen import dataclass

if TYPE_CHECKING:
    from soops.kernel.records.index import IndexRow

__all__ = ["StudyStatus", "is_at_work", "status_of"]

#: What a run may write to as it goes, the ancestor's log first.
LOGS = ("output_log.txt", "stdout.txt", "stderr.txt")
_UNDER_WAY = (State.QUEUED.value, State.RUNNING.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStatus:
    """How a study stands.

    Attributes
    ----------
    root : str
        The runs root as it was given.
    path : str
        The same, absolute.
    alive : bool or None
        Whether its driver works; None when it is on another machine and not known to have
        ended.
    pid, host
        Of the driver that works, or of the last one.
    total : int or None
        Parameter sets planned; None when nobody counted them.
    finished : int
        Runs that are done.
    counts : mapping
        State to number of runs, of those that were ever begun.
    running : tuple of str
        Directories of the runs that wait or go on, below ``root``.
    started, ended, active : str or None
        ISO 8601, UTC: start and end of the last driver, and the newest thing known.
    cwd : str
        Where the driver was started; empty when that is not known.
    argv : tuple of str
        Its command line.
    """

    root: str
    path: str
    alive: bool | None
    pid: int | None
    host: str | None
    total: int | None
    finished: int
    counts: Mapping[str, int]
    running: tuple[str, ...] = ()
    started: str | None = None
    ended: str | None = None
    active: str | None = None
    cwd: str = ""
    argv: tuple[str, ...] = ()
    keeps_jobs: bool = False
    """Whether what is under way waits or goes on in a queue when there is no driver."""
    newest: str | None = None
    """Directory of the run that began or ended last."""

    @property
    def state(self) -> str:
        """``running``, ``elsewhere`` (on another machine), ``queued``, ``ended`` or ``died``.

        A study that is ``queued`` has no driver, but runs that wait or go on in a queue.
        """
        if self.alive:
            return "running"
        if self.alive is None:
            return "elsewhere"
        if self.keeps_jobs and self.running:
            return "queued"
        return "ended" if self.ended is not None or self.pid is None else "died"

    @property
    def command_line(self) -> str:
        """The command line as one would type it."""
        return shlex.join(self.argv)

    def newest_log(self) -> str | None:
        """Return the file that the newest run wrote to last; None when there is none."""
        if self.newest is None:
            return None
        logs = [Path(self.newest, name) for name in LOGS]
        there = [path for path in logs if path.is_file()]
        return str(max(there, key=lambda path: path.stat().st_mtime)) if there else None

    def as_json(self) -> dict[str, Any]:
        """Return what ``soops-jobs --json`` prints."""
        return {
            "root": self.root,
            "state": self.state,
            "alive": self.alive,
            "pid": self.pid,
            "host": self.host,
            "total": self.total,
            "finished": self.finished,
            "counts": dict(self.counts),
            "running": list(self.running),
            "started": self.started,
            "ended": self.ended,
            "active": self.active,
            "cwd": self.cwd,
            "argv": list(self.argv),
        }


def is_at_work(root: str | os.PathLike[str]) -> bool:
    """Return whether the driver of a study works, or may work elsewhere, or a queue for it.

    This is a quick look: what a queue has may have ended, which ``state`` of the status tells.
    """
    holder = read_holder(root)
    if holder is not None and holder.is_alive() is not False:
        return True
    study = read_study_file(root)
    return study is not None and study.keeps_jobs and bool(read_under_way(root))


def status_of(root: str | os.PathLike[str]) -> StudyStatus:
    """Return how the study in a runs root stands.

    Raises
    ------
    StudyError
        When there is no such directory, or nothing of a study in it.
    """
    shown = os.fspath(root)
    path = os.path.abspath(shown)
    if not os.path.isdir(path):
        raise StudyError(f"there is no directory {shown!r}", hint="give the root of a study")
    rows = read_rows(path)
    study = read_study_file(path)
    holder = read_holder(path)
    if study is None and not rows:
        raise StudyError(
            f"there is no study in {shown!r}",
            hint="give the directory in which its runs are, the part of output_dir before %s",
        )
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    newest = max(rows, key=_last_time, default=None)
    begun = study.started if study is not None else None
    ended = study.ended if study is not None else None
    times = [time for time in (newest and _last_time(newest), begun, ended) if time]
    return StudyStatus(
        root=shown,
        path=path,
        alive=holder.is_alive() if holder is not None else False,
        pid=holder.pid if holder is not None else (study.pid if study is not None else None),
        host=holder.host if holder is not None else (study.host if study is not None else None),
        total=study.total if study is not None else None,
        finished=sum(row["finished"] for row in rows),
        counts=counts,
        running=tuple(row["directory"] for row in rows if row["state"] in _UNDER_WAY),
        started=begun,
        ended=ended,
        active=max(times, default=None),
        cwd=study.cwd if study is not None else "",
        argv=study.argv if study is not None else (),
        keeps_jobs=study is not None and study.keeps_jobs,
        newest=os.path.join(path, newest["directory"]) if newest is not None else None,
    )


def _last_time(row: IndexRow) -> str:
    """Return when a run ended, or began; both are ISO times in UTC, which sort as text."""
    return row["ended"] or row["started"] or ""
