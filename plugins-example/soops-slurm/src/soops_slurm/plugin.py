"""What this plugin gives: one spec. Nothing of what it names is imported here."""

from __future__ import annotations

from collections.abc import Sequence

from soops.api import RunnerSpec, hookimpl


@hookimpl
def soops_runners() -> Sequence[RunnerSpec]:
    """Give the runner ``slurm``."""
    return [
        RunnerSpec(
            name="slurm",
            target="soops_slurm.runner:SlurmRunner",
            options="soops_slurm.options:SlurmOptions",
            detachable=True,
            summary="job arrays of the batch system Slurm",
        )
    ]
