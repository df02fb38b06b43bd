"""How a slot is started, and what is said on the line to it. For ``slot`` only."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from soops.kernel.errors import RunnerError
from soops.kernel.values import Job, Outcome, State, Usage

__all__ = ["LAUNCH", "ends", "fields_of", "open_pipe", "outcome_of", "program"]

#: The launch of a job that needs nothing special; other ones name ``module:function``, called
#: in a new interpreter with the arguments of a slot.
LAUNCH = "soops.kernel.runs.launch:main"

_RESOLVE = """\
import sys
from pkgutil import resolve_name
sys.path.append(sys.argv.pop(1))
resolve_name(sys.argv[1])(sys.argv[2:])
"""


def program(launch: str) -> list[str]:
    """Return the command of a slot, without its arguments.

    Raises
    ------
    RunnerError
        On a system where no slot can work.
    """
    if not sys.executable or not hasattr(os, "posix_spawn"):
        raise RunnerError(
            "runs cannot be started on this system: no posix_spawn, or no sys.executable",
            hint="use Linux, macOS or the Windows Subsystem for Linux",
        )
    if launch in ("", LAUNCH):
        from soops.kernel.runs import launch as package

        return [sys.executable, "-I", "-S", "-X", "utf8", str(Path(package.__file__).parent)]
    # Where this soops is: on a far worker it may be in none of the usual places.
    home = str(Path(__file__).parents[3])
    return [sys.executable, "-P", "-X", "utf8", "-c", _RESOLVE, home, launch]


def open_pipe() -> tuple[int, int]:
    """Return a pipe whose writing end is no standard stream, even where these are closed."""
    import fcntl

    source, sink = os.pipe()
    high = fcntl.fcntl(sink, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(sink)
    return source, high


def fields_of(job: Job) -> dict[str, Any]:
    """Return what a slot has to know of a job, every text as UTF-8 will carry it."""
    fields = {
        "command": job.command,
        "attempt": job.attempt,
        "directory": job.directory,
        "cwd": job.cwd,
        "env": dict(job.env),
        "timeout": job.timeout,
        "grace": job.grace,
        "stdout": job.stdout,
        "stderr": job.stderr,
        "max_output": job.max_output,
        "sample": job.sample,
    }
    if sys.getfilesystemencoding().lower() != "utf-8":
        fields = {name: _recode(value) for name, value in fields.items()}
    return fields


def _recode(value: Any) -> Any:
    """Keep the bytes that a text stands for when the driver's encoding is not UTF-8."""
    if isinstance(value, str):
        try:
            return os.fsencode(value).decode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # of a study file: letters that this encoding lacks
            return value
    if isinstance(value, dict):
        return {_recode(key): _recode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_recode(item) for item in value]
    return value


def outcome_of(fields: dict[str, Any], host: str) -> Outcome:
    """Return the outcome that a slot told of."""
    get = fields.get
    return Outcome(
        state=State(fields["state"]),
        cause=fields["cause"],
        returncode=get("returncode"),
        signal=get("signal"),
        started=get("started"),
        ended=get("ended"),
        elapsed=get("elapsed"),
        usage=Usage(cpu_time=get("cpu_time"), max_rss=get("max_rss"), tree_rss=get("tree_rss")),
        host=host,
        message=get("message", ""),
    )


def ends(reply: int, seconds: float) -> bool:
    """Return whether the writing end of a pipe is closed within so many seconds."""
    import select

    poller = select.poll()
    poller.register(reply, select.POLLIN)
    limit = time.monotonic() + seconds
    while poller.poll(max(0.0, limit - time.monotonic()) * 1000):
        if not os.read(reply, 65536):
            return True
    return False
