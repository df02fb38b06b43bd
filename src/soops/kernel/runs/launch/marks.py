"""The names that a run carries, for those who look for it from outside."""

from __future__ import annotations

__all__ = ["MARK", "NOT_STARTED", "attempt_path"]

#: Name of the variable that marks every process of a run: ``DIRECTORY#ATTEMPT``.
MARK = "SOOPS_RUN"

#: The outcome of a job that was cancelled before it began.
NOT_STARTED = {"state": "cancelled", "cause": "cancelled", "message": "it was not started"}


def attempt_path(directory: str, attempt: int) -> str:
    """Return the path of the token that an attempt on a far worker creates and holds locked."""
    return f"{directory}/.soops-attempt-{attempt}"
