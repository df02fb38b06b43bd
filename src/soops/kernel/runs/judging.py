"""Whether a run ended well: its exit code against those that the study accepts.

For ``drive``, and ``recovery`` of what ended while nobody listened.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Collection

from soops.kernel.values import Outcome, State

__all__ = ["judge"]

#: Signals that end a program, by number.
_DEADLY = {
    int(getattr(signal, name)): name
    for name in (
        *("SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE"),
        *("SIGKILL", "SIGSEGV", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGXCPU", "SIGXFSZ", "SIGSYS"),
    )
    if hasattr(signal, name)
}


def judge(outcome: Outcome, shell: bool, accept_exit: Collection[int]) -> Outcome:
    """Return the outcome with the state that the accepted exit codes give it.

    Parameters
    ----------
    outcome : Outcome
        What a runner told.
    shell : bool
        Whether a shell ran the command: it may outlive its program, and tells of the signal
        that ended it in its own exit code.
    accept_exit : collection of int
        Exit codes that mean success.
    """
    if outcome.cause != "exit":
        return outcome
    if outcome.returncode in accept_exit:
        if outcome.state is State.DONE:
            return outcome
        return dataclasses.replace(outcome, state=State.DONE)
    died = _DEADLY.get((outcome.returncode or 0) - 128)
    if died is not None and shell:
        return dataclasses.replace(outcome, state=State.FAILED, cause="signal", signal=died)
    return dataclasses.replace(outcome, state=State.FAILED)
