"""``soops check``: everything that is wrong with a study, or what it comes to."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from soops.api import UsageError, printable
from soops_builtin.progress import duration

if TYPE_CHECKING:
    from soops.api import App
    from soops.study import Outline

__all__ = ["check", "summary_lines"]

EPILOG = """\b
Examples:
  soops check study.toml
  soops check --schema > study.schema.json

\b
Exit codes: 0 nothing is wrong, 2 usage, 3 the study is wrong, 4 plugin.
"""


@click.command(epilog=EPILOG)
@click.argument("conf", metavar="[FILE]", required=False)
@click.argument("run_mod", metavar="[RUN_MOD]", required=False)
@click.option("-n", "--n-workers", type=click.IntRange(1), metavar="N", help="Runs at once.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of study files.")
@click.option("--json", "as_json", is_flag=True, help="Print what it comes to as JSON.")
@click.pass_obj
def check(
    app: App | None,
    conf: str | None,
    run_mod: str | None,
    n_workers: int | None,
    schema: bool,
    as_json: bool,
) -> int:
    """Say everything that is wrong with the study FILE, or what it comes to.

    Nothing is run or written. RUN_MOD is the script of a study that does not describe its
    program itself.
    """
    if schema:
        from soops_builtin.readers.document.json_schema import json_schema

        click.echo(json.dumps(json_schema(), indent=2))
        return 0
    if conf is None:
        raise UsageError("no study is given", hint="soops check FILE")
    from soops import study

    given = {} if n_workers is None else {"n_workers": n_workers}
    found = study.outline(conf, run_mod, app=app, **given)
    if as_json:
        click.echo(json.dumps(_as_json(found)))
    else:
        for line in summary_lines(found):
            click.echo(printable(line))
    return 0


def summary_lines(found: Outline) -> list[str]:
    """Return what a study comes to, a line for each thing."""
    more = "" if found.is_whole else "more than "
    lines = [f"{found.name}: {more}{_sets(found.sets)}"]
    if len(found.blocks) > 1:
        for block in found.blocks:
            most = "" if block.is_exact else "at most "
            lines.append(f"  block {block.name!r}: {most}{_sets(block.sets)}")
        double = sum(block.sets for block in found.blocks) - found.sets
        if double > 0 and found.is_whole and all(block.is_exact for block in found.blocks):
            lines.append(f"  {_sets(double)} of them in several blocks, run once")
    command = found.info.command
    lines.append(f"command: {command if isinstance(command, str) else shlex.join(command)}")
    lines.append(f"parameters: {', '.join(found.keys) or 'none'}")
    lines.append(f"{found.to_run} to run, {found.to_skip} to skip, {found.n_workers} at once")
    if found.seconds is not None and found.to_run:
        runs = f"{found.measured} run{'s' * (found.measured != 1)}"
        lines.append(f"about {duration(found.seconds)}, from the times of {runs} that are done")
    return lines


def _sets(count: int) -> str:
    return f"{count} parameter set{'s' * (count != 1)}"


def _as_json(found: Outline) -> dict[str, Any]:
    return {
        "name": found.name,
        "sets": found.sets,
        "is_whole": found.is_whole,
        "to_run": found.to_run,
        "to_skip": found.to_skip,
        "n_workers": found.n_workers,
        "seconds": found.seconds,
        "measured": found.measured,
        "parameters": list(found.keys),
        "blocks": [
            {"name": block.name, "sets": block.sets, "is_exact": block.is_exact}
            for block in found.blocks
        ],
    }
