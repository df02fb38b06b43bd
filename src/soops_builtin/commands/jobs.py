"""``soops jobs``: how studies stand, from their journal and index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from soops.api import State
from soops_builtin.progress import printable

if TYPE_CHECKING:
    from soops.study import StudyStatus

__all__ = ["jobs"]

EPILOG = """\b
Examples:
  soops-jobs
  soops-jobs -v output/study
  tail -f "$(soops-jobs -vvv | sed -n 's/^last log: //p')"

A study is found by its ROOT, the directory of its runs; without ROOT those that
soops-run noted under $XDG_STATE_HOME/soops.
"""


@click.command(epilog=EPILOG)
@click.argument("roots", metavar="[ROOT]...", nargs=-1)
@click.option(
    "-v",
    "--verbose",
    count=True,
    help="Show more: -v directories and numbers, -vv the command line, -vvv the newest log.",
)
@click.option("-a", "--all", "everything", is_flag=True, help="Show also studies that ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each study.")
@click.option("--shell", is_flag=True, help="Open a Python shell with the studies in infos.")
def jobs(roots: tuple[str, ...], verbose: int, everything: bool, as_json: bool, shell: bool) -> int:
    """Show the studies that run now; those of ROOT also when they ended."""
    from soops import study

    infos = study.jobs(roots, running=not (roots or everything))
    infos.sort(key=lambda info: (not info.alive, info.root))
    for info in infos:
        if as_json:
            click.echo(json.dumps(info.as_json()))
        elif verbose:
            for line in _lines(info, verbose):
                click.echo(printable(line))
        else:
            pid = "-" if info.pid is None else info.pid
            click.echo(printable(f"{pid} {info.state} {_progress(info)} {info.root}"))
    if not infos:
        said = "no study is known" if everything else "no study is running; --all shows the others"
        click.echo(said, err=True)
    if shell:
        from soops.base import shell as open_shell

        open_shell()
    return 0


def _progress(info: StudyStatus) -> str:
    return f"{info.finished}/{'?' if info.total is None else info.total}"


def _lines(info: StudyStatus, verbose: int) -> Iterator[str]:
    host = f" on {info.host}" if info.host else ""
    yield f"job: {'-' if info.pid is None else info.pid} ({info.state}){host}"
    if info.cwd:
        yield f"working directory: {info.cwd}"
    yield f"output in: {info.root}"
    yield f"finished: {_progress(info)}"
    others = {state: n for state, n in info.counts.items() if state != State.DONE and n}
    if others:
        yield "others: " + ", ".join(f"{number} {state}" for state, number in others.items())
    if info.started:
        yield f"started: {info.started}"
    if info.active:
        yield f"last activity: {info.active}"
    if verbose > 1:
        yield f"command line: {info.command_line or 'unknown'}"
    if verbose > 2:
        yield f"last log: {info.newest_log() or ''}"
