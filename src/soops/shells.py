"""Shells and debuggers where a script stands, and commands of the system.

Part of the script library, under the name :mod:`soops.base`.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType, TracebackType
    from typing import Any

__all__ = [
    "debug",
    "debug_on_error",
    "ipython_shell",
    "python_shell",
    "run_command",
    "shell",
]


def shell(frame: int = 0, magics: Sequence[str] | None = ("matplotlib",)) -> None:
    """Open a shell with the variables of the caller: IPython's, or Python's without it.

    Parameters
    ----------
    frame : int
        How many callers above the caller.
    magics : sequence of str, optional
        Magic commands that IPython runs first.
    """
    try:
        import IPython  # noqa: F401
    except ImportError:
        python_shell(frame + 1)
    else:
        ipython_shell(frame + 1, magics)


def ipython_shell(frame: int = 0, magics: Sequence[str] | None = None) -> None:
    """Open an IPython shell; see :func:`shell`."""
    from IPython.terminal.embed import InteractiveShellEmbed

    ishell = InteractiveShellEmbed.instance()
    for magic in magics or ():
        name, _, line = magic.partition(" ")
        try:
            ishell.run_line_magic(name, line)
        except Exception as exc:  # without a screen, say
            sys.stderr.write(f"%{magic}: {type(exc).__name__}: {exc}\n")
    ishell(header="", stack_depth=frame + 2)


def python_shell(frame: int = 0) -> None:
    """Open a shell of plain Python; see :func:`shell`."""
    import code

    code.interact(local=_names(sys._getframe(frame + 1)))


def _names(frame: FrameType) -> dict[str, Any]:
    return {**frame.f_globals, **frame.f_locals}


def debug(frame: FrameType | None = None, frames_back: int = 1) -> None:
    """Start the debugger (ipdb if it is installed, else pdb) where this is called.

    Parameters
    ----------
    frame : frame, optional
        Where to start instead.
    frames_back : int
        How many callers above; 1 is the caller.
    """
    if frame is None:
        frame = sys._getframe(frames_back)
    try:
        import ipdb  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        import pdb

        pdb.Pdb().set_trace(frame)
    else:
        ipdb.set_trace(frame)


def debug_on_error() -> None:
    """Start the debugger where an uncaught exception was raised, from now on."""
    sys.excepthook = _debug_exception


def _debug_exception(
    kind: type[BaseException], value: BaseException, trace: TracebackType | None
) -> None:
    sys.__excepthook__(kind, value, trace)
    if trace is None or not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return  # nobody is there to answer
    try:
        import ipdb as debugger  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        import pdb as debugger
    debugger.post_mortem(trace)


def run_command(
    command: str | Sequence[str], filename: Any = None, repeat: int = 1, silent: bool = False
) -> int:
    """Run a command and return its exit status, without a shell.

    Parameters
    ----------
    command : str or sequence of str
        A program and its arguments; a text is split as a shell would split it.
    filename : str or path, optional
        The command is run in the directory of this file, whose name is the last argument.
    repeat : int
        How often it is run.
    silent : bool
        Throw its output away.

    Returns
    -------
    int
        0, or the first exit status that is not 0; the command is run ``repeat`` times
        in any case.
    """
    import os
    import shlex
    import subprocess
    from pathlib import Path

    words = shlex.split(command, posix=os.name != "nt") if isinstance(command, str) else command
    folder = None
    if filename is not None:
        folder = str(Path(filename).parent)
        words = [*words, Path(filename).name]
    sink = subprocess.DEVNULL if silent else None
    status = 0
    for _ in range(repeat):
        done = subprocess.run(list(words), cwd=folder, stdout=sink, stderr=sink, check=False)
        status = status or done.returncode
    return status
