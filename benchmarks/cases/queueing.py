"""What many short runs cost in the queue of a batch system."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.cases.running import ours, outputs
from benchmarks.model import Missing, Side, benchmark
from benchmarks.workshop import Workshop

#: Runs in a task of the queue, and at once in it: two tasks fill a machine of two processors.
BUNDLE = ("--runner-opt", "bundle=100", "--runner-opt", "poll=0.5")
JOB = """\
#!/bin/sh
mkdir -p $SLURM_ARRAY_TASK_ID
echo $SLURM_ARRAY_TASK_ID > $SLURM_ARRAY_TASK_ID/out
"""


def _bundled(workshop: Workshop, count: int) -> Side:
    if find_spec("soops_slurm") is None:
        raise Missing("soops-slurm is not installed: pip install ./plugins-example/soops-slurm")
    return ours(workshop, count, "--runner", "slurm", *BUNDLE, env=workshop.slurm())


@benchmark("runs-slurm", "200 such runs through Slurm, in tasks of 100", goal=1.0, pairs=3)
def bundled(workshop: Workshop) -> tuple[Side, Side]:
    """Against a job array with a task for each run; a thousand of them take minutes."""
    count = workshop.size(200, 20)
    mine = _bundled(workshop, count)

    def prepare(directory: Path) -> None:
        (directory / "job.sh").write_text(JOB)

    line = f"sbatch --wait --array=0-{count - 1} --output=/dev/null job.sh > /dev/null"
    peer = Side(
        label="`sbatch --array`, a task for each run, no records",
        words=("sh", "-c", line),
        prepare=prepare,
        check=partial(outputs, count),
        env=workshop.slurm(),
    )
    return mine, peer


@benchmark("runs-slurm-local", "1000 such runs through Slurm, in tasks of 100", goal=None, pairs=3)
def beside_local(workshop: Workshop) -> tuple[Side, Side]:
    """Against the local runner: what the way through the queue adds."""
    count = workshop.size(1000, 20)
    return _bundled(workshop, count), ours(workshop, count)
