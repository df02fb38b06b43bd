"""The benchmarks, by what they are about."""

from __future__ import annotations

import importlib

__all__ = ["load"]


def load() -> None:
    """Register every benchmark."""
    for name in ("running", "preloading", "gathering", "finding", "language", "starting"):
        importlib.import_module(f"benchmarks.cases.{name}")
