"""Finding runs, and making a lost index anew."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from benchmarks.cases.running import MODULE
from benchmarks.model import Side, benchmark
from benchmarks.workshop import Workshop

FLOOR = """\
import csv, os, sys

rows = []
for entry in os.scandir("runs"):
    if not entry.name.startswith("."):
        with open(entry.path + "/soops-parameters.csv", newline="") as file:
            rows += csv.DictReader(file)
print(len([row for row in rows if int(row["n"]) < 5]), len(rows))
"""


@cache
def study_of(top: Path, python: str, count: int) -> Path:
    """Return a directory with a study of so many runs that are done."""
    folder = top / f"study-{count}"
    folder.mkdir()
    (folder / "mod.py").write_text(MODULE)
    (folder / "floor.py").write_text(FLOOR)
    study = f"n=@range({count}), output_dir='runs/%s'"
    words = (python, "-m", "soops", "run", "--silent", study, "mod.py")
    subprocess.run(words, cwd=folder, check=True)
    return folder


def _floor(workshop: Workshop, folder: Path) -> Side:
    code = f"import os; os.chdir({str(folder)!r}); exec(open('floor.py').read())"
    return Side(label="the csv module over the directories", words=(workshop.python, "-c", code))


@benchmark("find", "a query over 10000 runs", goal=1.0, pairs=7)
def find(workshop: Workshop) -> tuple[Side, Side]:
    """With the index, against reading a file of each run."""
    folder = study_of(workshop.top, workshop.python, workshop.size(10000, 100))
    words = ("-m", "soops", "find", "-q", "n < 5", "-k", "output_dir", str(folder / "runs"))
    return (
        Side(label=workshop.ours, words=(workshop.python, *words)),
        _floor(workshop, folder),
    )


@benchmark(
    "index-rebuild", "the index of 10000 runs made from their directories", goal=2.0, pairs=3
)
def rebuild(workshop: Workshop) -> tuple[Side, Side]:
    """When the index is lost."""
    folder = study_of(workshop.top, workshop.python, workshop.size(10000, 100))
    words = ("-m", "soops", "index", "--rebuild", str(folder / "runs"))

    def lose(directory: Path) -> None:
        shutil.rmtree(folder / "runs" / ".soops")

    return (
        Side(label=workshop.ours, words=(workshop.python, *words), prepare=lose),
        _floor(workshop, folder),
    )
