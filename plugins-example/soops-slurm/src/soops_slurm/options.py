"""The options of the runners: those that all have, and those of each batch system."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

__all__ = ["BatchOptions", "LsfOptions", "PbsOptions", "SlurmOptions"]


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

    def words(self) -> list[str]:
        """Return the options of the command that submits."""
        return [*self.own_words(self.cpus * self.parallel), *shlex.split(self.extra)]

    def own_words(self, cpus: int) -> list[str]:
        """Return those that are particular to a scheduler; ``cpus`` is of a task."""
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

    def own_words(self, cpus: int) -> list[str]:
        """Return the options of ``sbatch``."""
        named = {
            "partition": self.partition,
            "time": self.time,
            "account": self.account,
            "qos": self.qos,
            "mem": self.memory,
        }
        words = [f"--{name}={value}" for name, value in named.items() if value]
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

    def plain(self) -> tuple[str, ...]:
        """Return the names of the options that are one word."""
        return ("time", "memory", "python", "queue", "account")

    def own_words(self, cpus: int) -> list[str]:
        """Return the options of ``qsub``."""
        chunk = f"select=1:ncpus={cpus}" + (f":mem={self.memory}" if self.memory else "")
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

    def plain(self) -> tuple[str, ...]:
        """Return the names of the options that are one word."""
        return ("time", "memory", "python", "queue", "project")

    def own_words(self, cpus: int) -> list[str]:
        """Return the options of ``bsub``."""
        words = ["-q", self.queue] if self.queue else []
        words += ["-P", self.project] if self.project else []
        words += ["-W", self.time] if self.time else []
        words += ["-M", self.memory] if self.memory else []
        spread = ["-R", "span[hosts=1]"] if cpus > 1 else []
        return [*words, "-n", str(cpus), *spread]
