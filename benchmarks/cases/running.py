"""What a run costs beside the process that it is."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from benchmarks.model import Side, benchmark
from benchmarks.workshop import Workshop

MODULE = """\
def get_run_info():
    return "echo {n} > {output_dir}/out", {}, "output_dir", "out"
"""
DASK = """\
import subprocess, sys
from dask.distributed import Client, LocalCluster

def call(n):
    return subprocess.run(f"echo {n} > {n}/out", shell=True).returncode

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            codes = client.gather(client.map(call, range(int(sys.argv[1])), pure=False))
    assert codes == [0] * int(sys.argv[1])
"""


def _write_module(directory: Path) -> None:
    (directory / "mod.py").write_text(MODULE)


def ours(workshop: Workshop, count: int, *words: str, env: dict[str, str] | None = None) -> Side:
    """Return our side of a number of small runs."""
    study = f"n=@range({count}), output_dir='runs/%s'"
    return Side(
        label=workshop.ours,
        words=(workshop.python, "-m", "soops", "run", "-n", "2", *words, study, "mod.py"),
        prepare=_write_module,
        check=partial(all_recorded, count),
        env=env or {},
    )


def all_recorded(count: int, directory: Path) -> None:
    """Check that every run has its record."""
    states = [
        json.loads((path / "soops-run.json").read_text())["state"]
        for path in (directory / "runs").iterdir()
        if path.name != ".soops"
    ]
    assert states == ["done"] * count, f"{len(states)} records of {count}"


def _directories(count: int, directory: Path) -> None:
    for number in range(count):
        (directory / str(number)).mkdir()


def outputs(count: int, directory: Path) -> None:
    """Check that every run has written its file."""
    found = sum((directory / str(number) / "out").stat().st_size > 0 for number in range(count))
    assert found == count


def _runs(name: str, full: int, pairs: int) -> None:
    @benchmark(
        name, f"{full} runs of a small command, full records, 2 workers", goal=1.5, pairs=pairs
    )
    def sides(workshop: Workshop) -> tuple[Side, Side]:
        count = workshop.size(full, 50)
        line = f"seq 0 {count - 1} | {workshop.program('xargs')} -P2 -I@ sh -c 'echo @ > @/out'"
        peer = Side(
            label="`xargs -P2`, no records",
            words=("sh", "-c", line),
            prepare=partial(_directories, count),
            check=partial(outputs, count),
        )
        return ours(workshop, count), peer


_runs("runs-1000", 1000, 11)
_runs("runs-10000", 10000, 3)


@benchmark("runs-dask", "1000 such runs through dask, start of the cluster included", goal=1.3)
def through_dask(workshop: Workshop) -> tuple[Side, Side]:
    """Against what one would write with dask alone."""
    count = workshop.size(1000, 20)

    def prepare(directory: Path) -> None:
        _directories(count, directory)
        (directory / "plain.py").write_text(DASK)

    peer = Side(
        label="`client.map`, no records",
        words=(workshop.python, "plain.py", str(count)),
        prepare=prepare,
        check=partial(outputs, count),
    )
    return ours(workshop, count, "--runner", "dask"), peer


@benchmark("nothing-to-do", "5000 finished runs, the same command again", goal=1.0)
def nothing_to_do(workshop: Workshop) -> tuple[Side, Side]:
    """Against another program that knows what it did."""
    import subprocess

    count = workshop.size(5000, 50)
    parallel = workshop.program("parallel")
    line = f"seq 0 {count - 1} | {parallel} -j2 --resume --joblog log 'echo {{}} > {{}}/out'"
    mine = ours(workshop, count)

    def finished(directory: Path) -> None:
        mine.prepare(directory)
        subprocess.run(mine.words, cwd=directory, check=True, capture_output=True)

    def finished_peer(directory: Path) -> None:
        _directories(count, directory)
        subprocess.run(("sh", "-c", line), cwd=directory, check=True, capture_output=True)

    return (
        Side(label=mine.label, words=mine.words, prepare=finished, check=mine.check),
        Side(label="GNU parallel --resume", words=("sh", "-c", line), prepare=finished_peer),
    )
