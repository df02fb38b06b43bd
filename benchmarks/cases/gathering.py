"""Scooping: the outputs of many directories to one table."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from benchmarks.model import Side, benchmark
from benchmarks.workshop import Workshop

MODULE = """\
import soops.scoop_outputs as sc


def get_run_info():
    return "true {output_dir}", {}, "output_dir", "options.txt"


def read_log(filename, rdata=None):
    elapsed = []
    rates = []
    with open(filename) as fd:
        for line in fd:
            if line.startswith("elapsed:"):
                elapsed.append(float(line.split()[1]))
            elif line.startswith("win rate:"):
                rates.append(float(line.split()[2]))
    return {"elapsed": elapsed, "win_rate": rates}


def get_scoop_info():
    return [("options.txt", sc.load_split_options, True), ("output_log.txt", read_log)]
"""
#: The least that a plain program does for the same table: read, convert, frame, store.
FLOOR = """\
import ast, os, sys
import pandas as pd
from mod import read_log

def convert(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text

rows = []
for entry in sorted(os.scandir(sys.argv[1]), key=lambda entry: entry.name):
    row = {"rdir": entry.path}
    with open(entry.path + "/options.txt") as fd:
        for line in fd.read().partition("-------\\n\\n")[2].splitlines():
            key, _, text = line.partition(": ")
            row[key] = convert(text)
    row.update(read_log(entry.path + "/output_log.txt"))
    rows.append(row)
frame = pd.DataFrame(rows)
frame.to_pickle("results.pickle")
print(len(frame))
"""
OPTIONS = """\
command line
------------

"monty_hall.py" "--num=1000"

options
-------

host: {host}
num: {number}
output_dir: output/study/{number:05d}
plot_opts: linewidth=3,alpha=0.5
repeat: 12
seed: {seed}
show: False
silent: True
switch: {switch}
"""


@cache
def _tree(top: Path, count: int) -> Path:
    """Return a directory with the outputs of so many runs."""
    root = top / f"outputs-{count}"
    for number in range(count):
        folder = root / f"{number:05d}"
        folder.mkdir(parents=True)
        _write(folder, number)
    return root


def _write(folder: Path, number: int) -> None:
    text = OPTIONS.format(
        host=("random", "first")[number % 2],
        number=number,
        seed=(None, 12345)[number % 2],
        switch=bool(number % 3),
    )
    (folder / "options.txt").write_text(text)
    log = "".join(f"elapsed: {number / 7 + i}\nwin rate: {i / 13}\n" for i in range(12))
    (folder / "output_log.txt").write_text(log)


def _ours(workshop: Workshop, root: Path, *words: str) -> Side:
    line = ("-m", "soops", "scoop", "--no-plugins", "--no-csv", *words, "mod.py", str(root))
    return Side(
        label=workshop.ours,
        words=(workshop.python, *line),
        prepare=lambda directory: _put(directory, MODULE),
        check=lambda directory: _has(directory / "results.h5"),
    )


def _put(directory: Path, module: str) -> None:
    (directory / "mod.py").write_text(module)
    (directory / "floor.py").write_text(FLOOR)


def _has(path: Path) -> None:
    assert path.stat().st_size > 10000
    said = path.parent.with_suffix(".out").read_text(encoding="utf-8")
    assert "failed" not in said, said[:2000]


@benchmark("scoop", "10000 directories to a frame and a store", goal=2.0, pairs=3)
def scoop(workshop: Workshop) -> tuple[Side, Side]:
    """Against a loop that one would write by hand, its table pickled."""
    root = _tree(workshop.top, workshop.size(10000, 300))
    peer = Side(
        label="plain Python loop, one process",
        words=(workshop.python, "floor.py", str(root)),
        prepare=lambda directory: _put(directory, MODULE),
        check=lambda directory: _has(directory / "results.pickle"),
    )
    return _ours(workshop, root), peer


@benchmark("scoop-peer", "the same 10000 directories", goal=1 / 15, pairs=1)
def scoop_peer(workshop: Workshop) -> tuple[Side, Side]:
    """Against what scooped the same files before."""
    root = _tree(workshop.top, workshop.size(10000, 50))
    code = "import sys; from soops.scoop_outputs import main; sys.exit(main())"
    peer = Side(
        label="soops-scoop 2026.2",
        words=(
            *(workshop.peer("soops-2026.2"), "-c", code),
            *("--no-plugins", "--no-csv", "mod.py", str(root)),
        ),
        prepare=lambda directory: _put(directory, MODULE),
        check=lambda directory: _has(directory / "results.h5"),
    )
    return _ours(workshop, root), peer


@benchmark("scoop-again", "10 of 10000 directories changed, `-u`", goal=0.1, pairs=3)
def scoop_again(workshop: Workshop) -> tuple[Side, Side]:
    """Against scooping all of them."""
    count = workshop.size(10000, 300)
    source = _tree(workshop.top, count)
    full = _ours(workshop, source)

    def prepare(directory: Path) -> None:
        _put(directory, MODULE)
        root = directory / "outputs"
        shutil.copytree(source, root)
        words = [*full.words[:-1], "outputs"]
        subprocess.run(words, cwd=directory, check=True, capture_output=True)
        for number in range(0, count, count // 10):
            _write(root / f"{number:05d}", number + count)

    again = (*full.words[:-2], "-u", "mod.py", "outputs")
    return Side(label=workshop.ours, words=again, prepare=prepare, check=full.check), full
