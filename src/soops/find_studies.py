"""``soops-find`` for scripts: the parameter sets below some directories as a table.

Part of the script library::

    import soops.find_studies as fs

    df = fs.find_studies(fs.parse_args(args=["-q", "num > 10", "output/study"]))
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from soops.base import output
from soops.ioutils import locate_files

__all__ = ["find_studies", "locate_files", "main", "output", "parse_args"]

#: The mode of a query when none is given.
MODE = "truncated"


def parse_args(args: Sequence[str] | None = None) -> Namespace:
    """Return the options of a command line of ``soops-find``.

    Parameters
    ----------
    args : sequence of str, optional
        The words; None: those of this process.

    Returns
    -------
    Namespace
        ``directories``, a list; ``query``, ``engine``, ``mode``, ``key``, ``shell``; and the
        other options under their names.

    Raises
    ------
    SystemExit
        When the line is wrong: 2, as argparse does it.
    """
    from soops.faces import parse

    values = parse("soops-find", args)
    mode, key = values.pop("mode"), values["key"]
    return Namespace(
        directories=list(values.pop("directories")),
        mode="single" if key is not None else mode or MODE,
        **values,
    )


def find_studies(options: Namespace) -> Any:
    """Print what a query finds, and return all parameter sets.

    Parameters
    ----------
    options : Namespace
        What :func:`parse_args` returns, or an object with some of its fields.

    Returns
    -------
    pandas.DataFrame
        A row for each parameter set below the directories, those for which the query does
        not hold included: ``finished``, ``iset``, the parameters without their dashes,
        ``output_dir``, ``script_dir``, and what the records of the runs say.

    Raises
    ------
    SoopsError
        When a directory is not there or the query is wrong.
    """
    from soops.faces import call, fields_of
    from soops.study import find, to_frame

    names = ("query", "states", "mode", "key", "engine", "as_json", "shell")
    values = fields_of(options, names)
    if values.get("query") is None and values.get("mode") == MODE:
        del values["mode"]  # what was not asked for: the command shows its table then
    call("soops-find", options, {**values, "directories": tuple(options.directories)})
    table = to_frame(find(options.directories)).reset_index()
    return table[[*(name for name in table.columns if name != "pkey"), "pkey"]]


def main() -> int:
    """Run ``soops-find`` with the words of this process; return its exit code."""
    from soops.cli import find_main

    return find_main()


if __name__ == "__main__":
    sys.exit(main())
