"""What a person asks for when the index of a runs root is in doubt. Used by ``soops.study``."""

from __future__ import annotations

from pathlib import Path

from soops.kernel.records.index import Index
from soops.kernel.records.journal import Journal, read_under_way
from soops.kernel.records.lock import Lock
from soops.kernel.records.roots import require_root

__all__ = ["check", "rebuild"]


def rebuild(root: Path) -> list[str]:
    """Make the index of a runs root anew; return what could not be read, and why.

    Raises
    ------
    StudyError
        When there are no runs of soops below ``root``.
    LockedError
        When a driver is at work.
    """
    require_root(root)
    with Lock(root), Journal(root) as journal, Index(root, write=True) as index:
        synced = index.rebuild(None, journal.under_way())
    return [f"{directory}: {reason}" for directory, reason in synced.problems]


def check(root: Path) -> list[str]:
    """Return how the index of a runs root differs from its directories; write nothing."""
    require_root(root)
    with Index(root, write=False) as index:
        return index.check(None, read_under_way(root))
