"""The tokens of attempts: who holds a run directory, and what came of it when nobody listened.

A slot that the driver cannot reach, or that outlives it, writes ``.soops-attempt-N`` when it
begins attempt N, and holds the file locked while anything of the run lives. Its second line is
how the attempt ended. The slots write (``runs.launch``), everyone else only looks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from soops.kernel.records import machine
from soops.kernel.records.record_fields import checked
from soops.kernel.values.frozen import dataclass

__all__ = ["AttemptToken", "drop_tokens", "read_attempt", "token_path"]

#: States of an attempt that came to an end of its own; others say that it was made to end.
_ENDED = ("done", "failed", "timeout")
_TIMES = ("started", "ended")
#: What a record has besides an outcome.
_REST = {
    **{"identity": "", "pkey": "", "number": 0, "directory": "", "command": "", "parameters": {}},
    **dict.fromkeys(_TIMES),
}
#: Seconds since the epoch after which there is no date any more.
_LATEST = 253_402_300_799
#: Bytes read of a token; a command line is not longer.
_LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptToken:
    """What a token says.

    Attributes
    ----------
    held : bool or None
        Whether anything of the run lives; None where locks do not work, or nobody locked it.
    outcome : mapping or None
        The fields of the outcome, when the attempt ended.
    survives : bool
        Whether the run goes on without its driver.
    host, pid
        Of the slot that runs it.
    command : str or tuple of str
        What it runs; empty when the token does not say.
    near : bool
        Whether a slot of this machine made it. Of locks that others took not every file system
        knows.
    """

    held: bool | None
    outcome: Mapping[str, Any] | None = None
    survives: bool = False
    host: str = ""
    pid: int = 0
    command: str | tuple[str, ...] = ""
    near: bool = False

    @property
    def ended(self) -> bool:
        """Whether the attempt came to an end of its own, or to its timeout."""
        return self.outcome is not None and self.outcome.get("state") in _ENDED

    @property
    def over(self) -> bool | None:
        """Whether nothing of the run lives any more; None when this cannot be known here."""
        if self.outcome is not None or (self.held is False and self.near):
            return True
        return False if self.held else None


def token_path(directory: str | os.PathLike[str], attempt: int) -> str:
    """Return where the token of an attempt is."""
    return f"{os.fspath(directory)}/.soops-attempt-{attempt}"


def read_attempt(directory: str | os.PathLike[str], attempt: int) -> AttemptToken | None:
    """Return what the token of an attempt says; None when there is none."""
    try:
        fd = os.open(token_path(directory, attempt), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Its slot locks a token, then writes to it; it must not find it locked by who looks.
        held = _is_held(fd) if _read(fd)[0] else None
        who, outcome = _read(fd)  # what is free has been written in full
    finally:
        os.close(fd)
    command = who.get("command", "")
    return AttemptToken(
        held=held,
        outcome=outcome if outcome and _is_whole(outcome) else None,
        survives=who.get("survives") is True,
        host=str(who.get("host", "")),
        pid=_pid(who.get("pid")),
        command=tuple(map(str, command)) if isinstance(command, list) else str(command),
        near=bool(who.get("boot")) and who["boot"] == machine.boot_id(),
    )


def drop_tokens(directory: str | os.PathLike[str], attempts: int) -> None:
    """Remove the tokens of the first ``attempts`` attempts: the outcome is recorded."""
    for attempt in range(attempts, 0, -1):
        try:
            os.unlink(token_path(directory, attempt))
        except OSError:
            pass  # most runs have none


def _is_held(fd: int) -> bool | None:
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _pid(value: Any) -> int:
    """Return a process id; 0 for what would be a group of processes, or everyone, to ``kill``."""
    return value if type(value) is int and 0 < value < 2**31 else 0


def _is_whole(outcome: Mapping[str, Any]) -> bool:
    """Return whether a record can be made of an outcome."""
    try:
        checked({**outcome, **_REST})
    except ValueError:
        return False
    times = [outcome.get(name) for name in _TIMES]
    return all(
        time is None or (type(time) in (int, float) and 0 <= time < _LATEST) for time in times
    )


def _read(fd: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two lines of a token, each empty while it is not there in full."""
    found: list[dict[str, Any]] = []
    for line in os.pread(fd, _LARGEST, 0).split(b"\n")[:-1]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        found.append(value if isinstance(value, dict) else {})
    found += [{}, {}]
    return found[0], found[1]
