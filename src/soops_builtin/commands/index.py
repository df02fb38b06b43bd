"""``soops index``: whether the cache of a study agrees with its directories; make it anew."""

from __future__ import annotations

import json

import click

from soops.api import ExitCode, UsageError, printable

__all__ = ["index"]

EPILOG = """\b
Examples:
  soops index output/study
  soops index --rebuild output/study output/study2

The index is a cache: deleting it loses nothing.
"""


@click.command(epilog=EPILOG)
@click.argument("roots", metavar="ROOT...", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Say how the index differs (this is the default).")
@click.option("--rebuild", is_flag=True, help="Make the index anew from the run directories.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each problem.")
def index(roots: tuple[str, ...], check: bool, rebuild: bool, as_json: bool) -> int:
    """Check or rebuild the index of the study in ROOT, the directory of its runs.

    Exits with 1 when something differs or cannot be read.
    """
    from soops import study

    if check and rebuild:
        raise UsageError("--check and --rebuild exclude each other")
    total = 0
    for root in roots:
        problems = study.rebuild_index(root) if rebuild else study.check_index(root)
        total += len(problems)
        for problem in problems:
            if as_json:
                click.echo(json.dumps({"root": root, "problem": problem}))
            else:
                click.echo(printable(f"{root}: {problem}"))
        what = "rebuilt" if rebuild else "checked"
        many = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        click.echo(f"{printable(root)}: {what}, {many}", err=True)
    return int(ExitCode.RUNS_FAILED if total else ExitCode.OK)
