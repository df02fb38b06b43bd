"""The options of the runners: those that all have, and those of each batch system."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from soops.api import RunnerError, near_misses

__all__ = ["BatchOptions", "LsfOptions", "PbsOptions", "SlurmOptions", "check_needs"]


#: What a run may need that every batch system knows.
NEEDS = ("cpus", "gpus", "memory")


def check_needs(needs: Mapping[str, float]) -> None:
    """Refuse what the scheduler cannot be asked for.

    Raises
    ------
    RunnerError
        Naming it.
    """
    for name in needs:
        if name not in NEEDS:
            raise RunnerError(
                f"a run needs {name}={needs[name]:g}, which a batch system is not asked for so",
                hint=near_misses(name.lower(), NEEDS) or "say it by --runner-opt extra=...",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What ``--runner-opt`` takes for each batch system; what is empty is left to the cluster.

    Attributes
    ----------
    time : str
        Limit of one task, as the scheduler writes it: it holds for ``bundle`` runs together.
    memory : str
        Of one task, as the scheduler writes it.
    cpus : int
        Of one run.
    bundle : int
        Runs in one task at most; short runs want many.
    fill : float
        Seconds that a task should last: once it is known how long runs take, this says how many
        are in one, and not ``bundle``. 0: it does not.
    parallel : int
        Runs of a task at once; the task gets ``cpus`` times as many CPUs.
    setup : str
        Lines of bash before the runs of a task: ``module load gcc``.
    extra : str
        More options of the command that submits, as in a shell.
    python : str
        The Python of the nodes; it has soops and this plugin. Empty: that of the driver.
    poll, poll_max : float
        Seconds between two questions to the scheduler: at first, and when nothing changes.
    patience : float
        Seconds for which files of a task that ended may still be on their way.
    max_array : int
        Tasks in one array at most; the limit of the cluster counts too.
    """

    time: str = ""
    memory: str = ""
    cpus: int = 1
    bundle: int = 1
    fill: float = 0.0
    parallel: int = 1
    setup: str = ""
    extra: str = ""
    python: str = ""
    poll: float = 2.0
    poll_max: float = 60.0
    patience: float = 30.0
    max_array: int = 1000

    def __post_init__(self) -> None:
        for name in ("cpus", "bundle", "parallel", "max_array"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if not 0 < self.poll <= self.poll_max < float("inf"):
            raise ValueError(f"poll={self.poll:g} and poll_max={self.poll_max:g} do not fit")
        for name in ("patience", "fill"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a number of seconds, not {getattr(self, name):g}")
        for name in self.plain():
            if any(letter.isspace() for letter in getattr(self, name)):
                raise ValueError(f"{name}={getattr(self, name)!r} has blanks in it")
        shlex.split(self.extra)  # a ValueError of its own, for an open quote

    def plain(self) -> tuple[str, ...]:
        """Return the names of the options that are one word."""
        return ("time", "memory", "python")

    def words(self, needs: Mapping[str, float] | None = None) -> list[str]:
        """Return the options of the command that submits.

        Parameters
        ----------
        needs : mapping, optional
            What each run of a task needs: ``cpus``, ``gpus``, ``memory`` in bytes. It goes before
            ``cpus`` and ``memory`` of the options.
        """
        needs = needs or {}
        check_needs(needs)
        options = self
        if needs.get("memory"):
            size = math.ceil(needs["memory"] * self.parallel / 2**20)
            options = replace(self, memory=f"{size}{self.mebibytes}")
        cpus = max(1, math.ceil(needs.get("cpus", self.cpus))) * self.parallel
        gpus = math.ceil(needs.get("gpus", 0)) * self.parallel
        return [*options.own_words(cpus, gpus), *shlex.split(self.extra)]

    #: How the scheduler writes 2**20 bytes.
    mebibytes: ClassVar[str] = "M"

    def own_words(self, cpus: int, gpus: int) -> list[str]:
        """Return those that are particular to a scheduler; ``cpus`` and ``gpus`` are of a task."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmOptions(BatchOptions):
    """What ``--runner-opt`` takes with ``--runner slurm``.

    Attributes
    ----------
    partition, account, qos : str
        As of ``sbatch``. ``time`` is ``--time``, ``memory`` is ``--mem``.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""

    def plain(self) -> tuple[str, ...]:
        """Return the names of the options that are one word."""
        return ("time", "memory", "python", "partition", "account", "qos")

    def own_words(self, cpus: int, gpus: int) -> list[str]:
        """Return the options of ``sbatch``."""
        named = {
            "partition": self.partition,
            "time": self.time,
            "account": self.account,
            "qos": self.qos,
            "mem": self.memory,
        }
        words = [f"--{name}={value}" for name, value in named.items() if value]
        words += [f"--gres=gpu:{gpus}"] if gpus else []
        return [*words, f"--cpus-per-task={cpus}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PbsOptions(BatchOptions):
    """What ``--runner-opt`` takes with ``--runner pbs``.

    Attributes
    ----------
    queue, account : str
        ``-q`` and ``-A`` of ``qsub``. ``time`` is ``-l walltime``, ``memory`` is ``mem`` of the
        one chunk of ``-l select``.
    """

    queue: str = ""
    account: str = ""
    mebibytes: ClassVar[str] = "mb"

    def plain(self) -> tuple[str, ...]:
        """Return the names of the options that are one word."""
        return ("time", "memory", "python", "queue", "account")

    def own_words(self, cpus: int, gpus: int) -> list[str]:
        """Return the options of ``qsub``."""
        chunk = f"select=1:ncpus={cpus}" + (f":mem={self.memory}" if self.memory else "")
        chunk += f":ngpus={gpus}" if gpus else ""
        words = ["-q", self.queue] if self.queue else []
        words += ["-A", self.account] if self.account else []
        words += ["-l", f"walltime={self.time}"] if self.time else []
        return [*words, "-l", chunk]


@dataclass(frozen=True, slots=True, kw_only=True)
class LsfOptions(BatchOptions):
    """What ``--runner-opt`` takes with ``--runner lsf``.

    Attributes
    ----------
    queue, project : str
        ``-q`` and ``-P`` of ``bsub``. ``time`` is ``-W`` (minutes, or hours:minutes), ``memory``
        is ``-M``.
    """

    queue: str = ""
    project: str = ""
    mebibytes: ClassVar[str] = "MB"

    def plain(self) -> tuple[str, ...]:
        """Return the names of the options that are one word."""
        return ("time", "memory", "python", "queue", "project")

    def own_words(self, cpus: int, gpus: int) -> list[str]:
        """Return the options of ``bsub``."""
        words = ["-q", self.queue] if self.queue else []
        words += ["-P", self.project] if self.project else []
        words += ["-W", self.time] if self.time else []
        words += ["-M", self.memory] if self.memory else []
        words += ["-gpu", f"num={gpus}"] if gpus else []
        spread = ["-R", "span[hosts=1]"] if cpus > 1 else []
        return [*words, "-n", str(cpus), *spread]
