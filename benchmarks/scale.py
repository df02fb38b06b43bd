"""``python -m benchmarks.scale [--quick] [--save]``: what grows with the number of runs, and how.

Each step of a study is measured with 1000, 10000 and 100000 sets (planning: up to a million).
Runs are real but for the program: a runner that ends each at once, so that what remains is
what soops does, with all its files. From the two largest sizes follows the exponent of the
growth; larger numbers are extrapolated with it, and marked.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import fill, machine

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
SIZES = (1000, 10_000, 100_000)
PLANNED = (*SIZES, 1_000_000)
FURTHER = (1_000_000, 10_000_000)
MODULE = """\
def get_run_info():
    return "true {output_dir} --n={n}", {}, "output_dir", "exit:0"


def get_scoop_info():
    import soops.scoop_outputs as sc

    return [("soops-parameters.csv", sc.load_soops_parameters, True)]
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a step needed: seconds, and bytes of memory at its peak."""

    step: str
    count: int
    seconds: float
    memory: int


# --- the steps, each in a process of its own ---------------------------------------------


def instant_app() -> Any:
    """Return the plugins, with a runner that ends every run at once."""
    from soops.api import Outcome, RunnerSpec, State, Update, hookimpl
    from soops.study import create_app

    class Instant:
        def __init__(self, setup: Any) -> None:
            self._ended: list[Update] = []
            self._count = 0

        def capacity(self) -> int:
            return 64 - len(self._ended)

        def submit(self, jobs: Sequence[Any]) -> list[str]:
            tokens = []
            for _ in jobs:
                self._count += 1
                now = time.time()
                outcome = Outcome(
                    state=State.DONE, cause="exit", returncode=0, started=now, ended=now
                )
                self._ended.append(
                    Update(token=f"{self._count}", state=State.DONE, outcome=outcome)
                )
                tokens.append(f"{self._count}")
            return tokens

        def poll(self, timeout: float) -> list[Update]:
            ended, self._ended = self._ended, []
            return ended

        def cancel(self, tokens: Sequence[str]) -> None:
            """They have ended."""

        def close(self) -> None:
            """There is nothing to stop."""

    class Plugin:
        @hookimpl
        def soops_runners(self) -> list[Any]:
            return [RunnerSpec(name="instant", target=Instant, summary="ends at once")]

    app = create_app()
    app.add(Plugin(), "scale")
    return app


def study_text(count: int) -> str:
    return f"n=@range({count}), output_dir='runs/%s'"


def plan(count: int) -> None:
    import soops

    summary = soops.run(study_text(count), "mod.py", dry_run=True)
    assert summary.total == count


def go(count: int) -> Any:
    import soops

    return soops.run(study_text(count), "mod.py", app=instant_app(), runner="instant", silent=True)


def drive(count: int) -> None:
    assert go(count).counts == {"done": count}


def again(count: int) -> None:
    assert go(count).skipped == count


def find(count: int) -> None:
    import soops

    assert len(soops.find(["runs"], query=f"n >= {count // 2} and n < {count // 2 + 10}")) == 10


def rebuild(count: int) -> None:
    import soops

    Path("runs/.soops/index.state").unlink()
    assert len(soops.find(["runs"], query=f"n < {count // 2}")) == count // 2


def scoop(count: int) -> None:
    import soops

    table = soops.scoop("mod.py", ["runs"], results="results.h5", call_plugins=False)
    assert len(table.frame) == count


STEPS: dict[str, tuple[str, Callable[[int], None], Sequence[int]]] = {
    "plan": ("plan: `--dry-run` of a new study", plan, PLANNED),
    "drive": ("run: all files of each run, without the program", drive, SIZES),
    "again": ("again: the same command, nothing to do", again, SIZES),
    "find": ("find: ten runs by a query, with the index", find, SIZES),
    "rebuild": ("find without the index: half of the runs", rebuild, SIZES),
    "scoop": ("scoop: parameters and records to `results.h5`", scoop, SIZES),
}


def child(step: str, count: int) -> None:
    """Do a step, and print what it needed."""
    before = time.perf_counter()
    STEPS[step][1](count)
    seconds = time.perf_counter() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "memory": memory}))


# --- the parent --------------------------------------------------------------------------


def measure(sizes: Sequence[int], top: Path) -> Iterator[Measured]:
    """Measure the steps, those that need the runs of one size in its directory."""
    for count in sizes:
        folder = top / f"study-{count}"
        folder.mkdir()
        (folder / "mod.py").write_text(MODULE)
        for step, (_, _, counts) in STEPS.items():
            if count in counts:
                words = [sys.executable, "-m", "benchmarks.scale", "--step", step, str(count)]
                env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
                done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
                if done.returncode:
                    raise RuntimeError(f"{step} of {count}: {done.stderr[-2000:]}")
                measured = json.loads(done.stdout.splitlines()[-1])
                print(f"{step} {count}: {measured['seconds']:.2f} s", file=sys.stderr, flush=True)
                yield Measured(step=step, count=count, **measured)


def on_disk(folder: Path) -> dict[str, int]:
    """Return what a study of instant runs has on the disk."""
    index = (folder / "runs/.soops/index.sqlite3").stat().st_size
    run = next(path for path in (folder / "runs").iterdir() if path.name[0].isdigit())
    files = list(run.iterdir())
    return {
        "index": index,
        "files": len(files) + 1,
        "bytes": sum(path.stat().st_blocks * 512 for path in (*files, run)),
        "names": (folder / "runs").stat().st_size,
        "results": (folder / "results.h5").stat().st_size,
    }


def exponent(small: tuple[float, float], large: tuple[float, float]) -> float:
    """Return how a figure grows with the number: 1 is in proportion."""
    return math.log(large[1] / small[1]) / math.log(large[0] / small[0])


def row_of_powers(
    what: str, values: dict[int, float], show: Callable[[float], str], columns: Sequence[int]
) -> str:
    """Return a row of what grows with a power of the number, by the two largest sizes."""
    small, large = sorted(values)[-2:]
    power = exponent((small, values[small]), (large, values[large]))
    further = {n: values[large] * (n / large) ** power for n in columns if n not in values}
    return _row(what, values, further, show, f"exponent {power:.2f}", columns)


def row_of_sizes(what: str, values: dict[int, float], columns: Sequence[int]) -> str:
    """Return a row of what is so much, and so much more for each run."""
    small, large = sorted(values)[-2:]
    each = (values[large] - values[small]) / (large - small)
    further = {n: values[large] + each * (n - large) for n in columns if n not in values}
    return _row(what, values, further, size, f"{each:,.0f} bytes a run", columns)


def _row(
    what: str,
    values: dict[int, float],
    further: dict[int, float],
    show: Callable[[float], str],
    growth: str,
    columns: Sequence[int],
) -> str:
    cells = [show(values[n]) if n in values else f"*{show(further[n])}*" for n in columns]
    return "| " + " | ".join([what, *cells, growth]) + " |"


def seconds(value: float) -> str:
    if value >= 3600:
        return f"{value / 3600:.3g} h"
    return f"{value / 60:.3g} min" if value >= 120 else f"{value:.3g} s"


def size(value: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e3:.3g} kB"


def table(
    found: Sequence[Measured], disks: dict[int, dict[str, int]], sizes: Sequence[int]
) -> list[str]:
    """Return the table of the page."""
    columns = [*sizes, *(count for count in FURTHER if count > max(sizes))]
    head = ["", *(f"{count:,}".replace(",", " ") for count in columns), "growth"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    by_step: dict[str, dict[int, Measured]] = {}
    for one in found:
        by_step.setdefault(one.step, {})[one.count] = one
    for step, given in by_step.items():
        values = {count: one.seconds for count, one in given.items()}
        lines.append(row_of_powers(STEPS[step][0], values, seconds, columns))
    for step, given in by_step.items():
        memory = {count: float(one.memory) for count, one in given.items()}
        lines.append(
            row_of_sizes(f"most memory: {STEPS[step][0].partition(':')[0]}", memory, columns)
        )
    for name, what in (
        ("index", "index"),
        ("names", "the runs root itself, a directory of directories"),
        ("results", "`results.h5`"),
    ):
        lines.append(row_of_sizes(what, {n: float(d[name]) for n, d in disks.items()}, columns))
    taken = {count: float(count * disk["bytes"]) for count, disk in disks.items()}
    lines.append(row_of_sizes("disk, all run directories with empty output", taken, columns))
    inodes = {count: float(count * disk["files"]) for count, disk in disks.items()}
    lines.append(row_of_powers("inodes", inodes, lambda n: f"{n:,.0f}".replace(",", " "), columns))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 and 1000 sets: does it work?")
    parser.add_argument("--save", action="store_true", help="Write to docs/scale.md.")
    parser.add_argument("--step", nargs=2, metavar=("STEP", "N"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        child(given.step[0], int(given.step[1]))
        return 0
    if given.quick:
        for name, (what, function, _) in STEPS.items():
            STEPS[name] = (what, function, (100, 1000))
    where = machine()
    print(where, file=sys.stderr)
    top = Path(tempfile.mkdtemp(prefix="soops-scale-"))
    sizes = (100, 1000) if given.quick else PLANNED
    try:
        found = list(measure(sizes, top))
        counts = [one.count for one in found if one.step == "drive"]
        disks = {count: on_disk(top / f"study-{count}") for count in counts}
    finally:
        shutil.rmtree(top, ignore_errors=True)
    lines = table(found, disks, sizes)
    print("\n".join(lines))
    print(json.dumps([asdict(one) for one in found]), file=sys.stderr)
    if given.save and not given.quick:
        fill(PAGE, lines, where.partition(", load")[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
