"""One run after the other, none begun before the last one is recorded. For debugging."""

from __future__ import annotations

from dataclasses import replace

from soops.api import RunnerSetup
from soops_builtin.runners.local import LocalRunner
from soops_builtin.runners.pace import Pace

__all__ = ["InlineRunner"]


class NoneAhead(Pace):
    """Nothing is queued, however short the runs are."""

    LEAST = MOST = 0


class InlineRunner(LocalRunner):
    """The local runner with a single slot and nothing queued, whatever ``n_workers`` is."""

    pace = NoneAhead

    def __init__(self, setup: RunnerSetup) -> None:
        super().__init__(replace(setup, n_workers=1))
