"""``soops migrate``: other parameters for runs that are done, without computing them again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from soops.api import ExitCode, UsageError, printable

if TYPE_CHECKING:
    from soops.study import Migration, Move

__all__ = ["migrate"]

EPILOG = """\b
Examples:
  soops migrate output/study --add='--tol=1e-6'
  soops migrate output/study --add='--tol=1e-6' --apply
  soops migrate output/study --rename=--a:--b --drop=--c
  soops migrate output/study --undo --apply

Whatever the order on the command line: first drop, then rename, then add.
"""
#: Directories shown of those that change, and of those that are in the way.
FIRST, WORST = 5, 20


@click.command(epilog=EPILOG)
@click.argument("root", metavar="ROOT")
@click.option("--add", multiple=True, metavar="KEY=VALUE", help="Give all runs a new parameter.")
@click.option("--rename", multiple=True, metavar="OLD:NEW", help="Give a parameter another name.")
@click.option("--drop", multiple=True, metavar="KEY", help="Remove a parameter.")
@click.option("--undo", is_flag=True, help="Take the newest migration back.")
@click.option("--apply", "apply", is_flag=True, help="Do it; without, only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each directory.")
def migrate(
    root: str,
    add: tuple[str, ...],
    rename: tuple[str, ...],
    drop: tuple[str, ...],
    undo: bool,
    apply: bool,
    as_json: bool,
) -> int:
    """Change the parameters of the runs in ROOT to those of a changed program.

    The directories get the names that the program would give them now, so that nothing is
    computed again. Exits with 1 when something is in the way or cannot be read.
    """
    from soops import study

    if undo and (add or rename or drop):
        raise UsageError("--undo takes back the newest migration, whatever it was")
    if undo:
        found = study.undo_migration(root, apply=apply)
    else:
        found = study.migrate(root, add=add, rename=rename, drop=drop, apply=apply)
    if as_json:
        for move in found.moves:
            click.echo(json.dumps(_as_json(move, found.applied)))
    else:
        _show(found)
    click.echo(printable(f"{root}: {_summary(found, undo)}"), err=True)
    return int(ExitCode.RUNS_FAILED if found.conflicts or found.unreadable else ExitCode.OK)


def _as_json(move: Move, applied: bool) -> dict[str, object]:
    return {
        "directory": move.directory,
        "new_directory": move.new_directory,
        "pkey": move.pkey,
        "new_pkey": move.new_pkey,
        "status": move.status,
        "reason": move.reason,
        "applied": applied and move.status == "change",
    }


def _show(found: Migration) -> None:
    for move in found.changed[:FIRST]:
        if move.new_directory != move.directory:
            click.echo(printable(f"{move.directory} -> {move.new_directory}"))
        else:
            click.echo(printable(f"{move.directory}: its files change, its name stays"))
    _more(len(found.changed) - FIRST)
    for word, moves in (("conflict", found.conflicts), ("left alone", found.unreadable)):
        for move in moves[:WORST]:
            click.echo(printable(f"{word}: {move.directory}: {move.reason}"))
        _more(len(moves) - WORST)


def _more(number: int) -> None:
    if number > 0:
        click.echo(f"... and {number} more")


def _summary(found: Migration, undo: bool) -> str:
    total, changed = len(found.moves), len(found.changed)
    directories = f"{total} run director{'y' if total == 1 else 'ies'}"
    what = "taken back" if undo else "changed"
    if found.applied:
        text = f"{changed} of {directories} {what}"
    elif found.conflicts:
        text = f"{len(found.conflicts)} of {directories} in the way; nothing can be {what}"
    elif changed or found.resumed:
        text = f"{changed} of {directories} would be {what}; --apply does it"
    else:
        text = f"none of {directories} would be {what}"
    if found.resumed:
        text += " (the rest of what was cut off)"
    if found.unreadable:
        text += f"; {len(found.unreadable)} left alone"
    return text
