"""The benchmarks, by what they are about."""

from __future__ import annotations

import importlib

__all__ = ["load"]


def load() -> None:
    """Register every benchmark."""
    rooms = (
        *("running", "planning", "queueing", "preloading", "gathering", "finding", "language"),
        "starting",
    )
    for name in rooms:
        importlib.import_module(f"benchmarks.cases.{name}")
