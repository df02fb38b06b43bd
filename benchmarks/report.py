"""The table of results on the screen, and the part of ``docs/performance.md`` they fill."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Result
from benchmarks.model import BENCHMARKS

__all__ = ["fill", "lines", "machine", "save"]

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
STORE = Path(__file__).parent / "results.json"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def machine() -> str:
    """Say on what machine this is, and with what else it is busy."""
    cpu = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return f"{cores} cores of {cpu}, Python {platform.python_version()}, load {load:.1f} before"


def lines(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the table in Markdown."""
    head = ["benchmark", "ours", "peer", "ratio (range)", "goal", "beside", "measured"]
    rows = [head, ["---"] * len(head)]
    for row in results:
        goal = row["goal"]
        verdict = "" if goal is None else f"≤ {goal:g} {'✓' if row['ratio'] <= goal else '✗'}"
        rows.append(
            [
                f"`{row['name']}`: {row['what']}",
                _seconds(row["ours"]),
                _seconds(row["peer"]),
                f"{row['ratio']:.3g} ({row['least']:.3g}-{row['most']:.3g})",
                verdict,
                row["peer_label"],
                row["measured"],
            ]
        )
    return ["| " + " | ".join(row) + " |" for row in rows]


def save(results: Iterable[Result], where: str) -> None:
    """Put results beside those of other benchmarks, and write the page anew."""
    stored = json.loads(STORE.read_text()) if STORE.exists() else {}
    today = f"{datetime.date.today()}, {_commit()}"
    for result in results:
        stored[result.name] = {**asdict(result), "measured": today, "machine": where}
    stored = {name: stored[name] for name in BENCHMARKS if name in stored}
    STORE.write_text(json.dumps(stored, indent=1) + "\n")
    machines = sorted({row["machine"].partition(", load")[0] for row in stored.values()})
    fill(PAGE, lines(stored.values()), "; ".join(machines))


def fill(page: Path, table: Iterable[str], where: str) -> None:
    """Put a table, and the machine it was measured on, between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n".join([*table, "", f"Machine: {where}."])
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=PAGE.parent,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "no commit"


def _seconds(value: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"
