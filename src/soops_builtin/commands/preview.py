"""``soops preview``: the first and the last sets of a study, and what would be run and why."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from soops.api import printable
from soops_builtin.commands.check import summary_lines

if TYPE_CHECKING:
    from soops.api import App, PlannedRun
    from soops.study import Outline

__all__ = ["preview"]

EPILOG = """\b
Examples:
  soops preview study.toml
  soops preview -e 10 --where 'n > 100' study.toml

\b
Exit codes: 0 shown, 2 usage, 3 the study is wrong, 4 plugin.
"""


@click.command(epilog=EPILOG)
@click.argument("conf", metavar="FILE")
@click.argument("run_mod", metavar="[RUN_MOD]", required=False)
@click.option(
    "-e",
    "--ends",
    type=click.IntRange(1),
    metavar="N",
    default=3,
    show_default=True,
    help="Sets that are shown of the beginning and of the end.",
)
@click.option("--where", metavar="EXPR", help="Only the sets for which this holds.")
@click.pass_obj
def preview(app: App | None, conf: str, run_mod: str | None, ends: int, where: str | None) -> int:
    """Show the first and the last sets of the study FILE, and what would be run and why.

    Nothing is run or written.
    """
    from soops import study

    found = study.outline(conf, run_mod, app=app, ends=ends, where=where)
    width = shutil.get_terminal_size((100, 24)).columns
    for line in [*summary_lines(found), "", *_table(found, width), "", *_commands(found)]:
        click.echo(printable(line) if line else "")
    return 0


def _table(found: Outline, width: int) -> list[str]:
    """Return the sets as a table; what all shown sets have in common is said above it."""
    shown = (*found.first, *found.last)
    if not shown:
        return ["there are no sets"]
    keys = list(shown[0].parameters.values)
    texts = {key: [_text(run.parameters.values.get(key)) for run in shown] for key in keys}
    differ = [key for key in keys if len(set(texts[key])) > 1]
    common = [f"{key} = {texts[key][0]}" for key in keys if key not in differ]
    left_out = found.sets - len(shown)
    head = ["run", *differ, "", "why"]
    rows = [
        [f"{run.number:03d}", *(texts[key][place] for key in differ), str(run.decision), run.reason]
        for place, run in enumerate(shown)
    ]
    lines = _columns([head, *rows], width)
    if left_out > 0:
        lines.insert(1 + len(found.first), f"... {left_out} more")
    return [*(["in all of these: " + ", ".join(common), ""] if common else []), *lines]


def _columns(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip()[:width] for row in rows]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 24 else text[:23] + "…"


def _commands(found: Outline) -> list[str]:
    runs = [*found.first[:1], *found.last[-1:]]
    return [f"{run.number:03d}: {_command(run)}" for run in runs]


def _command(run: PlannedRun) -> str:
    return run.command if isinstance(run.command, str) else shlex.join(run.command)
