"""The options of the Slurm runner."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

__all__ = ["SlurmOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmOptions:
    """What ``--runner-opt`` takes; what is empty is left to the cluster.

    Attributes
    ----------
    partition, account, qos : str
        As of ``sbatch``.
    time : str
        Limit of one task, as of ``sbatch --time``: it holds for ``bundle`` runs together.
    memory : str
        Of one task, as of ``sbatch --mem``: ``2G``.
    cpus : int
        Of one run.
    bundle : int
        Runs in one task at most; short runs want many.
    parallel : int
        Runs of a task at once; the task gets ``cpus`` times as many CPUs.
    setup : str
        Lines of bash before the runs of a task: ``module load gcc``.
    extra : str
        More options of ``sbatch``, as in a shell: ``--gres=gpu:1 --exclude=n7``.
    python : str
        The Python of the nodes; it has soops and this plugin. Empty: that of the driver.
    poll, poll_max : float
        Seconds between two questions to Slurm: at first, and when nothing changes.
    patience : float
        Seconds for which files of a task that ended may still be on their way.
    max_array : int
        Tasks in one array at most; the limit of the cluster counts too.
    """

    partition: str = ""
    time: str = ""
    account: str = ""
    qos: str = ""
    memory: str = ""
    cpus: int = 1
    bundle: int = 1
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
        if not 0 <= self.patience < float("inf"):
            raise ValueError(f"patience must be a number of seconds, not {self.patience:g}")
        for name in ("partition", "time", "account", "qos", "memory", "python"):
            if any(letter.isspace() for letter in getattr(self, name)):
                raise ValueError(f"{name}={getattr(self, name)!r} has blanks in it")
        shlex.split(self.extra)  # a ValueError of its own, for an open quote

    def words(self) -> list[str]:
        """Return the options of ``sbatch`` that these are."""
        named = {
            "partition": self.partition,
            "time": self.time,
            "account": self.account,
            "qos": self.qos,
            "mem": self.memory,
        }
        words = [f"--{name}={value}" for name, value in named.items() if value]
        words.append(f"--cpus-per-task={self.cpus * self.parallel}")
        return [*words, *shlex.split(self.extra)]
