"""``soops info``: the parameters of a program and of run directories."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from soops.api import StudyError, printable
from soops_builtin.progress import duration

if TYPE_CHECKING:
    from soops.api import App, RunInfo
    from soops.study import FoundRun

__all__ = ["info"]

EPILOG = """\b
Examples:
  soops-info mod.py
  soops-info mod.py -v -e output/study/000-*
"""


@click.command(epilog=EPILOG)
@click.argument("run_mod", metavar="RUN_MOD")
@click.option(
    "-e",
    "--explain",
    multiple=True,
    metavar="DIR...",
    help="Show the parameters of these run directories; a * marks those of the program.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show also how the runs ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
@click.option("--shell", is_flag=True, help="Open a Python shell afterwards.")
@click.pass_obj
def info(
    app: App | None,
    run_mod: str,
    explain: tuple[str, ...],
    verbose: bool,
    as_json: bool,
    shell: bool,
) -> int:
    """Show the parameters of RUN_MOD, a script with get_run_info() or a study file."""
    from soops import study

    module = study.load_module(run_mod, app)
    run_info = module.run_info
    if run_info is None:
        raise StudyError(
            f"there is no get_run_info() in {run_mod!r}",
            hint="define it: it returns (run_cmd, opt_args, output_dir_key, is_finished)",
        )
    keys = parameter_keys(run_info)
    runs = study.find(explain) if explain else []
    if explain and not runs:
        raise StudyError(
            f"there is no run directory in {', '.join(map(repr, explain))}",
            hint="one has a soops-run.json or a soops-parameters.csv",
        )
    order = {os.path.normpath(word): place for place, word in enumerate(explain)}
    runs.sort(key=lambda run: order.get(run.directory, len(order)))
    if as_json:
        _print_json(run_info, keys, runs, bool(explain))
    else:
        if not explain:
            for number, key in enumerate(keys):
                click.echo(f"info: {number:3d}: {printable(key)}")
        for run in runs:
            _explain(run, keys, verbose)
    if shell:
        from soops.base import shell as open_shell

        open_shell()
    return 0


def parameter_keys(run_info: RunInfo) -> list[str]:
    """Return the keys of a program's parameters, sorted."""
    from soops.print_info import collect_keys

    return collect_keys(run_info.command, run_info.options, (run_info.output_key, "script_dir"))


def _explain(run: FoundRun, keys: list[str], verbose: bool) -> None:
    from soops.print_info import explain_lines

    click.echo(f"info: {printable(run.directory)}/")
    for line in explain_lines(run, keys):
        click.echo(f"info: {line}")
    if verbose:
        width = max(map(len, run.columns(raw=True)))
        for name, text in _record(run):
            click.echo(f"info:   {name:>{width}}: {printable(text)}")


def _record(run: FoundRun) -> Iterator[tuple[str, str]]:
    yield "state", run.how
    if run.elapsed is not None:
        yield "elapsed", duration(run.elapsed)
    for name in ("started", "ended", "host", "attempts"):
        value = getattr(run, name)
        if value is not None:
            yield name, str(value)
    if run.max_rss is not None:
        yield "max_rss", f"{run.max_rss / 1e6:.1f} MB"
    command = run.command
    if command is not None:
        yield "command", command if isinstance(command, str) else shlex.join(command)


def _print_json(run_info: RunInfo, keys: list[str], runs: list[FoundRun], explained: bool) -> None:
    for run in runs:
        click.echo(json.dumps(run.as_json()))
    if explained:
        return
    for number, key in enumerate(keys):
        default = run_info.defaults.get(key)
        plain = default is None or isinstance(default, bool | int | str)
        plain = plain or (isinstance(default, float) and math.isfinite(default))
        row = {
            "number": number,
            "key": key,
            "template": run_info.options.get(key),
            "default": default if plain else repr(default),
        }
        click.echo(json.dumps(row))
