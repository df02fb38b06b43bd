"""``python -m benchmarks [--quick] [--save] [NAME...]``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks import cases
from benchmarks.measure import measure
from benchmarks.model import BENCHMARKS, Missing
from benchmarks.report import lines, machine, save
from benchmarks.workshop import Workshop


def main() -> int:
    """Run the benchmarks that are named, or all; exit with 1 when a goal is missed."""
    cases.load()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="Benchmarks; default: all.")
    parser.add_argument("--quick", action="store_true", help="Small and few: does it work?")
    parser.add_argument("--save", action="store_true", help="Write to docs/performance.md.")
    parser.add_argument("--list", action="store_true", help="List the benchmarks.")
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    parser.add_argument(
        "--peers", type=Path, default=cache / "soops-benchmarks", help="Where peers are installed."
    )
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; --list lists them")
    if given.list:
        for item in BENCHMARKS.values():
            print(f"{item.name:20} {item.what}")
        return 0
    return _run(given)


def _run(given: argparse.Namespace) -> int:
    where = machine()
    print(where, file=sys.stderr)
    workshop = Workshop(quick=given.quick, cache=given.peers)
    results = []
    try:
        for name in given.names or BENCHMARKS:
            start = time.perf_counter()
            try:
                result = measure(BENCHMARKS[name], workshop)
            except Missing as exc:
                print(f"{name}: skipped: {exc}", file=sys.stderr)
                continue
            took = time.perf_counter() - start
            print(f"{name}: {result.ratio:.2f} ({took:.0f} s)", file=sys.stderr, flush=True)
            results.append(result)
    finally:
        workshop.close()
    print("\n".join(lines({**asdict(result), "measured": "now"} for result in results)))
    if given.save and not given.quick:
        save(results, where)
    return int(any(result.met is False for result in results))


if __name__ == "__main__":
    sys.exit(main())
