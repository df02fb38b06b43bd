"""The command line: thin click commands that call one function and return its code.

Here are the entry points of the console scripts and the one table of errors. Imported by
console scripts, ``python -m soops``, tests, and inside functions by the modules of the script
library that give scripts the commands as functions (``soops.run_parametric``, ...).
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from soops.kernel.errors import ExitCode, SoopsError, UsageError

__all__ = [
    "find_main",
    "info_main",
    "jobs_main",
    "main",
    "parse_arguments",
    "run_main",
    "scoop_main",
    "usage_errors",
]


def main(args: Sequence[str] | None = None) -> int:
    """Run ``soops``."""
    return _call("soops", args)


def run_main(args: Sequence[str] | None = None) -> int:
    """Run ``soops-run``."""
    return _call("soops-run", args)


def scoop_main(args: Sequence[str] | None = None) -> int:
    """Run ``soops-scoop``."""
    return _call("soops-scoop", args)


def info_main(args: Sequence[str] | None = None) -> int:
    """Run ``soops-info``."""
    return _call("soops-info", args)


def find_main(args: Sequence[str] | None = None) -> int:
    """Run ``soops-find``."""
    return _call("soops-find", args)


def jobs_main(args: Sequence[str] | None = None) -> int:
    """Run ``soops-jobs``."""
    return _call("soops-jobs", args)


def parse_arguments(program: str, args: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the values that a command line gives to the parameters of its command.

    Parameters
    ----------
    program : str
        ``"soops-NAME"``.
    args : sequence of str, optional
        The words that follow it; None: those of this process.

    Raises
    ------
    SystemExit
        When the line is wrong, which is said on standard error, or asks for the help. This
        is what the parsers of Python's argparse do.
    """
    from soops.cli.group import parse

    with usage_errors(program):
        return parse(program, list(sys.argv[1:] if args is None else args))


@contextlib.contextmanager
def usage_errors(program: str) -> Iterator[None]:
    """Say what is wrong with a command line and raise SystemExit, as argparse does."""
    import click

    try:
        yield
    except (UsageError, click.ClickException, click.exceptions.Exit) as exc:
        raise SystemExit(_code_of(exc, program)) from None


def _call(program: str, args: Sequence[str] | None) -> int:
    """Run a command line and turn whatever happens into an exit code."""
    words = list(sys.argv[1:] if args is None else args)
    with _streams(), _collecting_rarely():
        try:
            from soops.cli.group import invoke

            code = invoke(program, words)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BaseException as exc:
            code = _code_of(exc, program)
    return code


def _code_of(exc: BaseException, program: str) -> int:
    """The table of errors: what is said of each, and the code it gives."""
    import click

    if isinstance(exc, SoopsError):
        _say(exc.lines())
        return int(exc.code)
    if isinstance(exc, click.exceptions.Exit):
        return int(exc.exit_code)
    if isinstance(exc, click.ClickException):
        _say(_usage_lines(exc, program))
        return int(ExitCode.USAGE)
    if isinstance(exc, KeyboardInterrupt | click.Abort):
        _say(["interrupted"])
        return int(ExitCode.INTERRUPTED)
    if isinstance(exc, BrokenPipeError):
        from soops.cli.common import mute_stdout

        mute_stdout()
        return int(ExitCode.OK)
    if isinstance(exc, SystemExit):
        if isinstance(exc.code, str):
            _say(SoopsError(exc.code).lines())
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    _say([f"error: internal: {_first_line(exc)}; the details are in {_write_log(exc)}"])
    return int(ExitCode.INTERNAL)


def _usage_lines(exc: BaseException, program: str) -> list[str]:
    """Return what click found wrong with a command line in our three lines."""
    import click

    assert isinstance(exc, click.ClickException)
    path = program
    if isinstance(exc, click.UsageError) and exc.ctx is not None:
        path = exc.ctx.command_path
    message = exc.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    error = SoopsError(message, hint=f"{path} --help shows how it is used")
    return error.lines()


def _say(lines: Sequence[str]) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()


def _first_line(exc: BaseException) -> str:
    lines = [line for line in str(exc).splitlines() if line.strip()]
    return f"{type(exc).__name__}: {lines[0]}" if lines else type(exc).__name__


def _write_log(exc: BaseException) -> str:
    """Write the traceback where a person can find it; return the path."""
    import tempfile
    import time
    import traceback

    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    text = "".join(traceback.format_exception(exc))
    name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.log"
    for folder in (Path(state).expanduser() / "soops" / "log", Path(tempfile.gettempdir())):
        path = folder / f"soops-{name}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{sys.argv!r}\nPython {sys.version}\n{text}")
        except (OSError, RuntimeError):
            continue
        return str(path)
    return "no file: none could be written"


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Make output safe for any encoding and show the log of soops on standard error."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail(stream)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    log = logging.getLogger("soops")
    log.addHandler(handler)
    propagate, log.propagate = log.propagate, False
    try:
        yield
    finally:
        log.propagate = propagate
        log.removeHandler(handler)


@contextlib.contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Look for circles of garbage more rarely: nearly all that a command makes early stays."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _never_fail(stream: TextIO) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


class _Line(logging.Formatter):
    """A message of the log: ``warning: ...``, further lines (of a traceback) below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text, without terminal escapes."""
        from soops.kernel.errors import printable

        text = f"{record.levelname.lower()}: {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return "\n".join(printable(line) for line in text.splitlines())
