"""``soops-scoop`` for scripts, and what ``get_scoop_info()`` and post-processing functions use.

Part of the script library. numpy and pandas are imported by the functions that need them.
What reads files is in :mod:`soops.loading`; its names are names of this module, too.
"""

from __future__ import annotations

import os.path as op
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from glob import glob
from typing import TYPE_CHECKING, Any

from soops.base import Struct, flatten_dict, import_file, output, product
from soops.ioutils import ensure_path, load_options, locate_files
from soops.loading import (
    filter_dict,
    load_array,
    load_csv,
    load_soops_parameters,
    load_split_options,
    split_options,
)
from soops.parsing import parse_as_dict, parse_as_list
from soops.scoop_steps import apply_scoops, init_plugin_data, run_plugins, write_results
from soops.timing import Timer

if TYPE_CHECKING:
    from soops.kernel.values import Scooped

__all__ = [
    "Struct",
    "Timer",
    "apply_scoops",
    "ensure_path",
    "filter_dict",
    "flatten_dict",
    "get_uniques",
    "glob",
    "import_file",
    "init_plugin_data",
    "iter_uniques",
    "load_array",
    "load_csv",
    "load_options",
    "load_soops_parameters",
    "load_split_options",
    "locate_files",
    "main",
    "op",
    "output",
    "parse_args",
    "parse_as_dict",
    "parse_as_list",
    "product",
    "run_plugins",
    "scoop_outputs",
    "split_options",
    "sys",
    "warnings",
    "write_results",
]


def parse_args(args: Sequence[str] | None = None) -> Namespace:
    """Return the options of a command line of ``soops-scoop``.

    Parameters
    ----------
    args : sequence of str, optional
        The words; None: those of this process.

    Returns
    -------
    Namespace
        ``scoop_mod``; ``directories``, a list with patterns expanded; ``sort``, a list of
        columns; ``filter``, a set of file names or None; ``use_plugins`` and
        ``omit_plugins``, lists or None; ``plugin_args``, a dict or None; ``call_plugins``,
        ``save_csv``, ``output_dir``, ``results``; and the other options under their names.

    Raises
    ------
    SystemExit
        When the line is wrong: 2, as argparse does it.
    GrammarError
        When the text of an option is wrong.
    """
    from soops.cli import usage_errors
    from soops.cli.scoop import arguments, names, refuse_contradictions
    from soops.faces import parse
    from soops.kernel.errors import UsageError

    values = parse("soops-scoop", args)
    take = values.pop
    use, omit, plugin_args = take("use_plugins"), take("omit_plugins"), take("plugin_args")
    with usage_errors("soops-scoop"):
        if not values["directories"]:
            raise UsageError("Missing argument 'DIRECTORY...'.")
        refuse_contradictions(values["reuse"], values["update"], use, omit)
    output_dir, results = str(take("output_dir") or "."), take("results")
    return Namespace(
        sort=list(names(take("sort"), "--sort")),
        filter=set(names(take("filter"), "--filter")) or None,
        call_plugins=not take("no_plugins"),
        use_plugins=None if use is None else list(names(use, "--use-plugins")),
        omit_plugins=None if omit is None else list(names(omit, "--omit-plugins")),
        plugin_args=None if plugin_args is None else arguments(plugin_args),
        save_csv=not take("no_csv"),
        output_dir=output_dir,
        results=f"{output_dir}/results.h5" if results is None else str(results),
        directories=[name for given in take("directories") for name in _expanded(given)],
        **values,
    )


def scoop_outputs(options: Namespace) -> Scooped:
    """Gather the files of run directories into one table, store it, and run the steps.

    Parameters
    ----------
    options : Namespace
        What :func:`parse_args` returns, or an object with some of its fields: ``scoop_mod``
        and ``directories``, the others when they are not to have their defaults.

    Returns
    -------
    Scooped
        ``scooped.frame`` is the table.

    Raises
    ------
    SoopsError
        When the module, a directory or an option is wrong; when a post-processing function
        failed: then the table is stored, and the other functions were called.
    """
    from dataclasses import fields

    from soops.cli.scoop import gather
    from soops.faces import create_app, fields_of
    from soops.kernel.errors import StudyError
    from soops.kernel.table.options import ScoopOptions

    given = fields_of(options, [item.name for item in fields(ScoopOptions)])
    given.update(fields_of(options, ("as_json", "shell")))
    app = create_app(options)
    module = getattr(options, "plugin_mod", None)
    scooped = gather(app, options.scoop_mod, options.directories, plugin_module=module, **given)
    if scooped.failed_steps:
        name, text = next(iter(scooped.failed_steps.items()))
        raise StudyError(f"the step {name!r} failed: {text}", hint="the table is stored")
    if given.get("strict") and scooped.errors:
        directory, errors = next(iter(scooped.errors.items()))
        item, text = next(iter(errors.items()))
        raise StudyError(f"{item} in {directory!r}: {text}", hint="the table is stored")
    return scooped


def main() -> int:
    """Run ``soops-scoop`` with the words of this process; return its exit code."""
    from soops.cli import scoop_main

    return scoop_main()


def _expanded(given: str) -> list[str]:
    """Return the directories of a pattern; what is none is told when it is to be read."""
    ending = "" if given.endswith("/") else "/"
    return sorted(glob(given + ending)) or [given]  # noqa: PTH207 (texts, as typed)


def get_uniques(df: Any, columns: Iterable[str]) -> dict[str, list[Any]]:
    """Return the different values of columns of a table, sorted, missing ones last.

    Columns are in sorted order.

    Raises
    ------
    KeyError
        When there is no such column.
    """
    from soops.kernel.table.post import get_uniques as uniques

    return uniques(df, sorted(columns))


def iter_uniques(
    df: Any, columns: Iterable[str], uniques: Mapping[str, Iterable[Any]]
) -> Iterator[tuple[int, Struct, Any]]:
    """Yield the parts of a table in which some columns have the same values.

    Parameters
    ----------
    df : pandas.DataFrame
        The table.
    columns : iterable of str
        The columns.
    uniques : mapping
        Column to the values to look for, as of :func:`get_uniques`.

    Yields
    ------
    index : int
        The place of the combination of values among all combinations, the last column
        fastest.
    selection : Struct
        Column to value.
    part : pandas.DataFrame
        The rows, at least one.
    """
    from soops.plot_selected import get_indices_in_selected

    names = list(columns)
    selected = {name: list(uniques[name]) for name in names}
    if not names:
        yield 0, Struct(), df
        return
    rows: dict[int, list[int]] = {}
    for number, values in enumerate(zip(*(df[name].tolist() for name in names), strict=True)):
        indices = get_indices_in_selected(selected, dict(zip(names, values, strict=True)))
        if indices is not None:
            index = 0
            for name in names:
                index = index * len(selected[name]) + indices[name]
            rows.setdefault(index, []).append(number)
    for index in sorted(rows):
        rest = index
        selection = Struct()
        for name in reversed(names):
            rest, place = divmod(rest, len(selected[name]))
            selection[name] = selected[name][place]
        yield index, Struct((name, selection[name]) for name in names), df.iloc[rows[index]]


def __getattr__(name: str) -> Any:
    """Give the heavy modules that were once names of this module."""
    if name == "np":
        import numpy

        return numpy
    if name == "pd":
        import pandas

        return pandas
    if name == "datetime":
        from datetime import datetime

        return datetime
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    sys.exit(main())
