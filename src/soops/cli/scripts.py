"""What the console scripts are: a command, and then the end of the process.

Imported by console scripts and by ``python -m soops``, which nobody imports. Who calls commands
from a program uses the functions of ``soops.cli``, which return.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from soops import cli

__all__ = ["end", "find", "info", "jobs", "run", "scoop", "soops"]


def soops() -> NoReturn:
    """Be ``soops``."""
    end(cli.main())


def run() -> NoReturn:
    """Be ``soops-run``."""
    end(cli.run_main())


def scoop() -> NoReturn:
    """Be ``soops-scoop``."""
    end(cli.scoop_main())


def info() -> NoReturn:
    """Be ``soops-info``."""
    end(cli.info_main())


def find() -> NoReturn:
    """Be ``soops-find``."""
    end(cli.find_main())


def jobs() -> NoReturn:
    """Be ``soops-jobs``."""
    end(cli.jobs_main())


def end(code: int) -> NoReturn:
    """End this process: do what is registered for its end, flush what is written, and leave.

    Python would then take all modules apart, which takes a tenth of the time of a short command
    and changes nothing outside. It still does where somebody waits for the end of this program
    in the same process: a profiler, a debugger, ``python -i``.
    """
    wait_for_threads = getattr(threading, "_shutdown", None)
    run_exit_functions = getattr(atexit, "_run_exitfuncs", None)
    if wait_for_threads is None or run_exit_functions is None or _is_watched():
        raise SystemExit(code)
    wait_for_threads()
    run_exit_functions()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # the command has told of it
            stream.flush()
    os._exit(code)


def _is_watched() -> bool:
    monitoring = getattr(sys, "monitoring", None)
    return bool(
        sys.flags.interactive
        or os.environ.get("PYTHONINSPECT")
        or sys.getprofile()
        or sys.gettrace()
        or (monitoring is not None and any(map(monitoring.get_tool, range(6))))
    )
