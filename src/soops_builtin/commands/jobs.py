"""``soops jobs``: how studies stand, from their journal and index."""

from __future__ import annotations

import json

import click

from soops.api import printable

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
    from soops.show_jobs import job_lines

    infos = study.jobs(roots, running=not (roots or everything))
    infos.sort(key=lambda info: (not info.alive, info.root))
    for info in infos:
        if as_json:
            click.echo(json.dumps(info.as_json()))
        else:
            for line in job_lines(info, verbose):
                click.echo(printable(line))
    if not infos:
        said = "no study is known" if everything else "no study is running; --all shows the others"
        click.echo(said, err=True)
    if shell:
        from soops.base import shell as open_shell

        open_shell()
    return 0
