"""``soops-info`` for scripts: the parameters of a program and of run directories.

Part of the script library.
"""

from __future__ import annotations

import string
import sys
from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soops.base import import_file, output
from soops.cliargs import normalize_opt_args

if TYPE_CHECKING:
    from soops.study import FoundRun

__all__ = [
    "collect_keys",
    "explain_dir",
    "explain_lines",
    "import_file",
    "main",
    "normalize_opt_args",
    "output",
    "parse_args",
    "print_info",
]


def parse_args(args: Sequence[str] | None = None) -> Namespace:
    """Return the options of a command line of ``soops-info``.

    Parameters
    ----------
    args : sequence of str, optional
        The words; None: those of this process.

    Returns
    -------
    Namespace
        ``run_mod``; ``explain``, a list of directories and patterns, or None; ``shell``; and
        the other options under their names.

    Raises
    ------
    SystemExit
        When the line is wrong: 2, as argparse does it.
    """
    from soops.faces import parse

    values = parse("soops-info", args)
    return Namespace(explain=list(values.pop("explain")) or None, **values)


def print_info(options: Namespace) -> None:
    """Print the parameters of a program, or those of run directories.

    Parameters
    ----------
    options : Namespace
        What :func:`parse_args` returns, or an object with some of its fields.

    Raises
    ------
    SoopsError
        When the module is wrong, or nothing is found in the directories.
    """
    from soops.faces import call, fields_of

    values = fields_of(options, ("run_mod", "verbose", "as_json", "shell"))
    values["explain"] = tuple(getattr(options, "explain", None) or ())
    call("soops-info", options, values)


def explain_dir(dirname: str, keys: Collection[str]) -> None:
    """Print the parameters of the run in a directory.

    Parameters
    ----------
    dirname : str
        The run directory.
    keys : collection of str
        Those that get a ``*``: the parameters of the program.

    Raises
    ------
    FileNotFoundError
        When there is no run in it.
    """
    from soops.kernel.errors import StudyError
    from soops.study import find

    try:
        runs = find([dirname])
    except StudyError as exc:
        raise FileNotFoundError(exc.message) from None
    if not runs:
        raise FileNotFoundError(f"there is no run in {dirname!r}")
    for run in runs:
        for line in explain_lines(run, keys):
            sys.stdout.write(f"info: {line}\n")


def explain_lines(run: FoundRun, keys: Collection[str]) -> Iterator[str]:
    """Yield a line for each column of the parameters file of a run: ``* --num: 100``."""
    from soops.kernel.errors import printable

    columns = run.columns(raw=True)
    width = max(map(len, columns))
    for name, text in columns.items():
        mark = "* " if name in keys else "  "
        yield f"{mark}{printable(name):>{width}}: {printable(text)}"


def collect_keys(
    run_cmd: str | Sequence[str], opt_args: Any, omit: Collection[str] = ()
) -> list[str]:
    """Return the keys of the templates of a program, sorted.

    Parameters
    ----------
    run_cmd : str or list of str
        The template of the command.
    opt_args : dict, list or tuple
        The templates of the options, as of ``get_run_info()``.
    omit : collection of str
        Keys to leave out.

    Raises
    ------
    ValueError
        When the braces of ``run_cmd`` are no template.
    """
    options = opt_args if isinstance(opt_args, Mapping) else normalize_opt_args(opt_args)[0]
    words = (run_cmd,) if isinstance(run_cmd, str) else run_cmd
    parsed = (field for word in words for field in string.Formatter().parse(word))
    fields = {name for _, name, _, _ in parsed if name is not None}
    return sorted((fields | set(options)) - set(omit))


def main() -> int:
    """Run ``soops-info`` with the words of this process; return its exit code."""
    from soops.cli import info_main

    return info_main()


if __name__ == "__main__":
    sys.exit(main())
