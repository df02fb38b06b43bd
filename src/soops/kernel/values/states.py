"""The words for what is planned and for how it went."""

from __future__ import annotations

import enum


class Decision(enum.StrEnum):
    """What the plan says of a parameter set."""

    RUN = "run"
    RERUN = "rerun"
    SKIP = "skip"


class State(enum.StrEnum):
    """What is known of a run. An ended run has one of the last six."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    LOST = "lost"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
