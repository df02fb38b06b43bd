"""Runs the two sides of a benchmark in turn, and says what came out."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.model import Benchmark, Side
from benchmarks.workshop import Workshop

__all__ = ["Result", "measure"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a benchmark gave.

    Attributes
    ----------
    ours, peer : float
        Medians in seconds.
    ratio, least, most : float
        Median, smallest and largest of the ratios of the pairs.
    """

    name: str
    what: str
    goal: float | None
    ours: float
    peer: float
    ours_label: str
    peer_label: str
    ratio: float
    least: float
    most: float
    pairs: int

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None else self.ratio <= self.goal


def measure(benchmark: Benchmark, workshop: Workshop) -> Result:
    """Run both sides once for warmth, then in pairs; every second pair the other way round.

    The ratio is taken pair by pair, so that a machine that changes its speed, or has other
    work, changes both sides of it.
    """
    sides = benchmark.sides(workshop)
    pairs = 2 if workshop.quick else benchmark.pairs
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(-1, pairs):
        for which in (0, 1) if number % 2 else (1, 0):
            took = _once(sides[which], workshop, benchmark.printed)
            if number >= 0:
                seconds[which].append(took)
    ratios = [one / other for one, other in zip(*seconds, strict=True)]
    return Result(
        name=benchmark.name,
        what=benchmark.what,
        goal=benchmark.goal,
        ours=statistics.median(seconds[0]),
        peer=statistics.median(seconds[1]),
        ours_label=sides[0].label,
        peer_label=sides[1].label,
        ratio=statistics.median(ratios),
        least=min(ratios),
        most=max(ratios),
        pairs=pairs,
    )


def _once(side: Side, workshop: Workshop, printed: bool) -> float:
    directory = workshop.fresh()
    side.prepare(directory)
    output = directory.with_suffix(".out")
    with output.open("wb") as file:
        start = time.perf_counter()
        done = subprocess.run(
            side.words,
            cwd=directory,
            env=_environment(side),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        wall = time.perf_counter() - start
    text = output.read_text(encoding="utf-8", errors="replace")
    if done.returncode:
        raise RuntimeError(f"{' '.join(side.words)[:300]}\nexit {done.returncode}\n{text[-2000:]}")
    side.check(directory)
    return float(text.split()[-1]) if printed else wall


def _environment(side: Side) -> dict[str, str]:
    # Neither other code, nor modules that have to be compiled each time.
    left_out = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in os.environ.items() if name not in left_out}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    return {**env, "MPLBACKEND": "agg", **side.env}
