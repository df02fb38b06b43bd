"""One run after the other, none begun before the last one is recorded. For debugging."""

from __future__ import annotations

from dataclasses import replace

from soops.api import RunnerSetup
from soops_builtin.runners.local import LocalRunner

__all__ = ["InlineRunner"]


class InlineRunner(LocalRunner):
    """The local runner with a single slot and nothing queued, whatever ``n_workers`` is."""

    ahead = 0

    def __init__(self, setup: RunnerSetup) -> None:
        super().__init__(replace(setup, n_workers=1))
