"""``soops find``: the runs of studies by their parameters and by how they ended."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from soops.api import State, UsageError, printable, unknown_name
from soops_builtin.progress import duration

if TYPE_CHECKING:
    from soops.study import FoundRun

__all__ = ["find"]

#: Characters of a cell of the table, and of a value in the truncated mode.
CELL, VALUE = 24, 50
STATES = [state.value for state in State]

EPILOG = """\b
Examples:
  soops-find output/study
  soops-find -q "num == 1000 & seed != 12345" output/study
  soops-find --state failed,timeout -k output_dir output/study
  soops-find --json output/study | jq .elapsed

Options become names without their dashes: --n-cell is n_cell, or `--n-cell` in backticks. The
record of a run gives number, state, cause, returncode, signal, started, ended, elapsed,
cpu_time, max_rss, host, attempts, runner and directory.
"""


@click.command(epilog=EPILOG)
@click.argument("directories", metavar="DIRECTORY...", nargs=-1, required=True)
@click.option(
    "-q", "--query", metavar="EXPR", help="Only the runs for which this holds.  [default: all]"
)
@click.option(
    "--state",
    "states",
    metavar="STATE,...",
    help="Only the runs in these states: " + ", ".join(STATES) + ".",
)
@click.option(
    "-m",
    "--mode",
    type=click.Choice(["truncated", "full", "single"]),
    help="Show all values of each run, long ones cut or in full, or one value (-k).  "
    "[default: truncated with -q, else a table]",
)
@click.option("-k", "--key", metavar="KEY", help="The value of -m single.  [default: output_dir]")
@click.option(
    "--engine",
    type=click.Choice(["python", "numexpr"]),
    default="python",
    show_default=True,
    help="What evaluates a query that only pandas understands.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each run.")
@click.option("--shell", is_flag=True, help="Open a Python shell with the runs in apdf.")
def find(
    directories: tuple[str, ...],
    query: str | None,
    states: str | None,
    mode: str | None,
    key: str | None,
    engine: str,
    as_json: bool,
    shell: bool,
) -> int:
    """Find runs in DIRECTORY by their parameters and by how they ended.

    DIRECTORY is searched for studies at any depth; it may be a pattern.
    """
    from soops import study

    found = study.find(directories, query, states=_states(states), engine=engine)
    if not found:
        click.echo("no run matches", err=True)
    elif as_json:
        for run in found:
            click.echo(json.dumps(run.as_json()))
    elif mode == "single" or key is not None:
        _show_single(found, key or "output_dir")
    elif mode is not None or query is not None:
        _show_all(found, full=mode == "full")
    else:
        _show_table(found)
    if shell:
        _shell(found)
    return 0


def _states(text: str | None) -> tuple[str, ...]:
    words = tuple(word.strip() for word in (text or "").split(",") if word.strip())
    for word in words:
        if word not in STATES:
            raise unknown_name("state", word, STATES, error=UsageError)
    return words


def _show_single(found: Sequence[FoundRun], key: str) -> None:
    rows = [run.columns() for run in found]
    if not any(key in row for row in rows):  # perhaps it was written as in the study: --num
        for run, row in zip(found, rows, strict=True):
            row.update((name, str(value)) for name, value in run.parameters.items())
    known = {name for row in rows for name in row}
    if key not in known:
        raise unknown_name("column", key, known, error=UsageError)
    for row in rows:
        click.echo(printable(row.get(key, "")))


def _show_all(found: Sequence[FoundRun], *, full: bool) -> None:
    for index, run in enumerate(found):
        columns = {name: _cut(printable(text), full) for name, text in run.columns().items()}
        left = max(map(len, columns))
        right = max(map(len, columns.values()))
        click.echo(f"find: result {index} in {printable(run.columns()['output_dir'])}:")
        for name, text in columns.items():
            click.echo(f"{printable(name):<{left}}    {text:>{right}}")


def _cut(text: str, full: bool) -> str:
    return text if full or len(text) <= VALUE else text[: VALUE - 4] + "..."


def _show_table(found: Sequence[FoundRun]) -> None:
    """Print a line for each run: what tells it from the others, and how it ended."""
    names = _varying(found)
    rows = [
        [
            f"{run.number:03d}",
            *(_cell(run.named().get(name)) for name in names),
            printable(run.how),
            "" if run.elapsed is None else duration(run.elapsed),
            printable(run.directory),
        ]
        for run in found
    ]
    head = ["number", *map(printable, names), "state", "elapsed", "directory"]
    lines, hidden = layout(head, rows, _width())
    for line in lines:
        click.echo(line)
    counts: dict[str, int] = {}
    for run in found:
        counts[run.state] = counts.get(run.state, 0) + 1
    words = ", ".join(f"{number} {state}" for state, number in counts.items())
    text = f"{len(found)} run{'s' * (len(found) != 1)}: {words}"
    if hidden:
        text += f"; not shown for want of room: {', '.join(hidden)}"
    click.echo(text, err=True)


def _varying(found: Sequence[FoundRun]) -> list[str]:
    """Return the parameters that do not have one value in all runs."""
    seen: dict[str, set[str]] = {}
    counts: dict[str, int] = {}
    for run in found:
        for name, value in run.named().items():
            seen.setdefault(name, set()).add(repr(value))
            counts[name] = counts.get(name, 0) + 1
    return sorted(
        name for name, values in seen.items() if len(values) > 1 or counts[name] < len(found)
    )


def _cell(value: Any) -> str:
    text = "" if value is None else printable(str(value))
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _width() -> int | None:
    """Return the columns of the terminal; None when the text goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def layout(
    head: list[str], rows: list[list[str]], width: int | None
) -> tuple[list[str], list[str]]:
    """Return the lines of a table, and the columns that are not in it.

    What does not fit goes: the directory (last) is cut from its left; parameters (after the
    number, before state, elapsed and directory) are left out from the last one on.
    """
    table = [head, *rows]
    sizes = [max(len(row[column]) for row in table) for column in range(len(head))]
    keep = list(range(len(head)))
    least = min(sizes[-1], CELL)
    while width is not None and _needs(keep, sizes) - sizes[-1] + least > width and len(keep) > 4:
        keep.pop(-4)
    room = sizes[-1] if width is None else max(8, width - (_needs(keep, sizes) - sizes[-1]))
    lines = []
    for row in table:
        cells = [row[column].ljust(sizes[column]) for column in keep[:-1]]
        last = row[-1] if len(row[-1]) <= room else "…" + row[-1][1 - room :]
        lines.append("  ".join([*cells, last]).rstrip())
    return lines, [name for column, name in enumerate(head) if column not in keep]


def _needs(keep: list[int], sizes: list[int]) -> int:
    return sum(sizes[column] + 2 for column in keep) - 2


def _shell(found: Sequence[FoundRun]) -> None:
    from soops.base import shell
    from soops.study import to_frame

    apdf = to_frame(found)
    click.echo(f"find: {len(apdf)} parameter sets stored in `apdf` DataFrame", err=True)
    click.echo(f"find: column names:\n{apdf.columns}", err=True)
    shell()
