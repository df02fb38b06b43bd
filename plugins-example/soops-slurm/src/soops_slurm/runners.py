"""The runners ``slurm``, ``pbs`` and ``lsf``: one runner, three schedulers."""

from __future__ import annotations

from soops.api import RunnerSetup
from soops_slurm.lsf import Lsf
from soops_slurm.options import LsfOptions, PbsOptions, SlurmOptions
from soops_slurm.pbs import Pbs
from soops_slurm.runner import BatchRunner
from soops_slurm.slurm import Slurm

__all__ = ["LsfRunner", "PbsRunner", "SlurmRunner"]


class SlurmRunner(BatchRunner):
    """Runs as tasks of Slurm."""

    def __init__(self, setup: RunnerSetup) -> None:
        super().__init__(setup, Slurm, SlurmOptions())


class PbsRunner(BatchRunner):
    """Runs as tasks of PBS."""

    def __init__(self, setup: RunnerSetup) -> None:
        super().__init__(setup, Pbs, PbsOptions())


class LsfRunner(BatchRunner):
    """Runs as tasks of LSF."""

    def __init__(self, setup: RunnerSetup) -> None:
        super().__init__(setup, Lsf, LsfOptions())
