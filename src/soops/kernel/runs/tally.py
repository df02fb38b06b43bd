"""What a pass came to so far, in numbers. For ``drive``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from soops.kernel.values import RunRecord, State, Summary

__all__ = ["Tally"]

#: Failures kept for the summary.
SHOWN = 5


@dataclass(slots=True)
class Tally:
    """Counts of one pass; the fields are those of :class:`Summary`."""

    total: int = 0
    skipped: int = 0
    remaining: int = 0
    left: int = 0
    counts: dict[State, int] = field(default_factory=dict)
    failures: list[RunRecord] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, record: RunRecord) -> None:
        """Count a run that ended for good."""
        self.counts[record.state] = self.counts.get(record.state, 0) + 1
        if record.state is not State.DONE and len(self.failures) < SHOWN:
            self.failures.append(record)

    @property
    def bad(self) -> int:
        """How many did not end well."""
        return sum(n for state, n in self.counts.items() if state is not State.DONE)

    def summary(self, root: Path, stopped: str, interrupted: bool) -> Summary:
        """Return how the pass stands."""
        return Summary(
            total=self.total,
            skipped=self.skipped,
            counts=dict(self.counts),
            elapsed=time.monotonic() - self.began,
            failures=tuple(self.failures),
            interrupted=interrupted,
            stopped=stopped,
            root=root,
            remaining=self.remaining,
            left=self.left,
        )
