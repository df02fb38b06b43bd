"""What this plugin gives: one spec. Nothing of what it names is imported here."""

from __future__ import annotations

from collections.abc import Sequence

from soops.api import RunnerSpec, hookimpl


@hookimpl
def soops_runners() -> Sequence[RunnerSpec]:
    """Give the runner ``nice``."""
    return [
        RunnerSpec(
            name="nice",
            target="soops_nice.runner:NiceRunner",
            options="soops_nice.runner:NiceOptions",
            summary="processes of this machine at low priority, if wanted one CPU for each",
        )
    ]
