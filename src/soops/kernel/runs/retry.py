"""Which attempts are tried again in the same pass. Used by ``options`` and ``drive``."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from soops.kernel.errors import UsageError, near_misses
from soops.kernel.values import State

if TYPE_CHECKING:
    from soops.kernel.values import Outcome

__all__ = ["LOST_TRIES", "RETRY_ON", "check_words", "wants_retry"]

#: Attempts in one pass at a run whose worker was lost; not the run's fault.
LOST_TRIES = 3
#: What ``--retries`` means without ``--retry-on``.
RETRY_ON = ("failed", "timeout")
_STATES = ("failed", "timeout", "lost")


def check_words(words: Sequence[str]) -> None:
    """Check what ``--retry-on`` was given.

    Parameters
    ----------
    words : sequence of str
        ``failed``, ``timeout``, ``lost``, ``exit:N`` and ``signal:NAME``.

    Raises
    ------
    UsageError
        For anything else.
    """
    for word in words:
        kind, _, detail = word.partition(":")
        if word in _STATES or (kind == "exit" and detail.isdecimal() and len(detail) < 10):
            continue
        if kind == "signal" and _signal_name(detail) in signal.Signals.__members__:
            continue
        known = [*_STATES, "exit:N", "signal:NAME"]
        hint = near_misses(word, known) or f"known: {', '.join(known)}"
        raise UsageError(f"--retry-on does not know {word!r}", hint=hint)


def wants_retry(outcome: Outcome, tries: int, retries: int, words: Sequence[str]) -> bool:
    """Return whether an attempt that ended so is followed by another one.

    Parameters
    ----------
    outcome : Outcome
        How it ended.
    tries : int
        Attempts in this pass, this one included.
    retries : int
        Of ``--retries``.
    words : sequence of str
        Of ``--retry-on``; empty: :data:`RETRY_ON`.
    """
    if outcome.state is State.LOST and tries < LOST_TRIES:
        return True
    return tries <= retries and any(_matches(outcome, word) for word in words or RETRY_ON)


def _matches(outcome: Outcome, word: str) -> bool:
    kind, colon, detail = word.partition(":")
    if not colon:
        return outcome.state == word
    if outcome.state is not State.FAILED:
        return False
    if kind == "exit":
        return outcome.cause == "exit" and outcome.returncode == int(detail)
    return outcome.cause == "signal" and outcome.signal == _signal_name(detail)


def _signal_name(text: str) -> str:
    name = text.upper()
    return name if name.startswith("SIG") else f"SIG{name}"
