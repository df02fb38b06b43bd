"""From a command to a process, or to words for why it did not become one."""

from __future__ import annotations

import errno
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Action = tuple[Any, ...]
    Spawn = Callable[[Mapping[str, Any], Sequence[Action], Mapping[bytes, bytes]], int]

# Programs expect these as they come from a shell, whatever the driver's parents did to them.
_DEFAULTED = [
    signal.Signals[name]
    for name in (
        *("SIGHUP", "SIGINT", "SIGQUIT", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGUSR1", "SIGUSR2"),
        *("SIGCHLD", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGXFSZ"),
    )
]


def spawn(job: Mapping[str, Any], actions: Sequence[Action], env: Mapping[bytes, bytes]) -> int:
    """Start the command of a job in a session of its own and return its pid.

    Parameters
    ----------
    job : mapping
        The fields of a ``Job``.
    actions : sequence of tuple
        What becomes of fds 0 to 2, in the form that ``os.posix_spawn`` takes.
    env : mapping
        The whole environment.

    Raises
    ------
    OSError, ValueError, TypeError
        When it cannot be started; :func:`diagnose` finds words for it.
    """
    argv = argv_of(job)
    return os.posix_spawn(
        find_program(argv[0], _search_path(env)),
        argv,
        env,
        file_actions=actions,
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULTED,
    )


def argv_of(job: Mapping[str, Any]) -> list[str]:
    """Return the argument list of a job; a text is a matter of the shell."""
    command = job["command"]
    if isinstance(command, str):
        return ["/bin/sh", "-c", command]
    if not command:
        raise ValueError("it is empty")
    return list(command)


def find_program(name: str, path: str) -> str:
    """Return the file that ``name`` means on the search path ``path``."""
    if "/" in name:
        return name
    denied = False
    for part in path.split(os.pathsep):
        candidate = f"{part or '.'}/{name}"
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
        denied = denied or os.path.isfile(candidate)
    raise (PermissionError if denied else FileNotFoundError)(f"no program {name!r} on PATH")


def diagnose(
    job: Mapping[str, Any], error: Exception, env: Mapping[bytes, bytes]
) -> tuple[str, str]:
    """Return the cause, in one word, and a message for a job that could not be started."""
    if not isinstance(error, OSError):
        return "command", f"the command cannot be passed on: {error}"
    if error.errno == errno.E2BIG:
        return "too-long", "the command is longer than this system takes; pass a file instead"
    for what, path in (("working directory", job["cwd"]), ("run directory", job["directory"])):
        if not os.path.isdir(path):
            return "directory", f"the {what} {path!r} does not exist"
    for path in (job.get("stdout"), job.get("stderr")):
        try:
            if path is not None:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666))
        except OSError as trouble:
            return cause_of_write(trouble), f"{path!r} cannot be written: {trouble.strerror}"
    return _diagnose_program(argv_of(job)[0], error, env)


def cause_of_write(error: OSError) -> str:
    """Return the cause when a file cannot be written: the file, or its directory."""
    folder = os.path.dirname(error.filename or "")
    return "output" if os.path.isdir(folder) else "directory"


def _diagnose_program(name: str, error: OSError, env: Mapping[bytes, bytes]) -> tuple[str, str]:
    try:
        program = find_program(name, _search_path(env))
        os.stat(program)
    except PermissionError:
        return "permission", f"{name!r} may not be executed"
    except OSError:
        return "missing", f"there is no program {name!r}"
    if isinstance(error, FileNotFoundError):
        return "missing", f"the interpreter that {program!r} names in its first line is missing"
    if isinstance(error, PermissionError):
        return "permission", f"{program!r} may not be executed"
    if error.errno == errno.ENOEXEC:
        return "format", f"{program!r} is no program of this system (no #! line?)"
    return "system", f"{program!r} cannot be started: {error.strerror}"


def _search_path(env: Mapping[bytes, bytes]) -> str:
    return os.fsdecode(env.get(b"PATH", os.fsencode(os.defpath)))
