"""What it saves to load the interpreter and its imports once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.cases.running import all_recorded
from benchmarks.model import Side, benchmark
from benchmarks.workshop import Workshop

SCRIPT = """\
import argparse
import os

import numpy as np
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output_dir")
    parser.add_argument("--power", type=int)
    options = parser.parse_args()
    x = np.linspace(0, 1, 200)
    plt.plot(x, x**options.power)
    plt.savefig(os.path.join(options.output_dir, "figure.png"))


if __name__ == "__main__":
    main()
"""
MODULE = """\
import sys


def get_run_info():
    command = sys.executable, "plot.py", "{output_dir}"
    return command, {"power": "--power={power}"}, "output_dir", "figure.png"
"""


def _figures(count: int, directory: Path) -> None:
    found = [(directory / str(number) / "figure.png").stat().st_size for number in range(count)]
    assert min(found) > 1000


@benchmark(
    "preload",
    "200 runs of a script that plots with numpy and matplotlib, full records, 2 workers",
    goal=0.333,
    pairs=3,
)
def preload(workshop: Workshop) -> tuple[Side, Side]:
    """Against fresh processes, two at a time."""
    count = workshop.size(200, 6)

    def prepare(directory: Path) -> None:
        (directory / "plot.py").write_text(SCRIPT)
        (directory / "mod.py").write_text(MODULE)

    def prepare_peer(directory: Path) -> None:
        prepare(directory)
        for number in range(count):
            (directory / str(number)).mkdir()

    words = ("-m", "soops", "run", "-n", "2", "--run-function", "preload")
    study = f"power=@range({count}), output_dir='runs/%s'"
    xargs = workshop.program("xargs")
    line = f"seq 0 {count - 1} | {xargs} -P2 -I@ {workshop.python} plot.py @ --power=@"
    return (
        Side(
            label=workshop.ours,
            words=(workshop.python, *words, study, "mod.py"),
            prepare=prepare,
            check=partial(all_recorded, count),
        ),
        Side(
            label="`xargs -P2`, no records",
            words=("sh", "-c", line),
            prepare=prepare_peer,
            check=partial(_figures, count),
        ),
    )
