"""What this plugin gives: three specs. Nothing of what it names is imported here."""

from __future__ import annotations

from collections.abc import Sequence

from soops.api import RunnerSpec, hookimpl


@hookimpl
def soops_runners() -> Sequence[RunnerSpec]:
    """Give the runners ``slurm``, ``pbs`` and ``lsf``."""
    return [
        RunnerSpec(
            name="slurm",
            target="soops_slurm.runners:SlurmRunner",
            options="soops_slurm.options:SlurmOptions",
            detachable=True,
            resources=True,
            summary="job arrays of the batch system Slurm",
        ),
        RunnerSpec(
            name="pbs",
            target="soops_slurm.runners:PbsRunner",
            options="soops_slurm.options:PbsOptions",
            detachable=True,
            resources=True,
            summary="job arrays of PBS Professional and OpenPBS",
        ),
        RunnerSpec(
            name="lsf",
            target="soops_slurm.runners:LsfRunner",
            options="soops_slurm.options:LsfOptions",
            detachable=True,
            resources=True,
            summary="job arrays of the batch system LSF",
        ),
    ]
