"""``soops demo``: an example study from end to end, each step a command one can type."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import click

from soops.api import SoopsError, UsageError

__all__ = ["demo"]

EXAMPLE = "monty_hall"


@click.command()
@click.argument("directory", default="soops-demo", type=click.Path(path_type=Path))
@click.option(
    "-n",
    "--n-workers",
    type=int,
    metavar="N",
    default=os.cpu_count() or 2,
    show_default="processors",
    help="Runs at once.",
)
def demo(directory: Path, n_workers: int) -> int:
    """Run an example study in DIRECTORY: 48 simulations, one table, one plot.

    The example plays the Monty Hall game with and without switching doors. Each command is
    printed before it is run, so that you can go on from there.
    """
    copy_example(directory)
    click.echo(f"The example is in {directory}; these are the commands:\n")
    if shutil.which("soops-run") is None:
        activate = Path(sys.prefix, "bin", "activate")
        click.echo(f"$ . {shlex.quote(str(activate))}")
    click.echo(f"$ cd {shlex.quote(str(directory))}")
    # A path may hold blanks, and this value is shell text: hence the inner quotes.
    python = f"python='\"{sys.executable}\"'"
    output = "output/study"
    lockstep = "-c=--switch + --seed"
    study = ["--conf", python, "studies.cfg", "monty_hall.py"]
    _step(directory, ["soops-run", "-n", str(n_workers), lockstep, *study])
    _step(directory, ["soops-scoop", "-s", "rdir", "-o", output, "monty_hall.py", output])
    query = "num == 10000 and repeat == 20 and seed == 12345"
    _step(directory, ["soops-find", "-m", "single", "-q", query, output])
    click.echo("\nThe mean rate of wins:\n")
    click.echo(table(directory / output / "results.h5"))
    click.echo("\nMade:")
    for name in ("results.h5", "results.csv", "win_rates.png"):
        click.echo(f"  {directory / output / name}")
    click.echo(f"  {directory / output}/ (48 run directories)")
    return 0


def copy_example(directory: Path) -> None:
    """Copy the packaged example; files that are there already must be the same.

    Raises
    ------
    UsageError
        When the directory holds something else under these names.
    """
    source = resources.files("soops_builtin") / "examples" / EXAMPLE
    names = sorted(item.name for item in source.iterdir() if item.is_file())
    for name in names:
        target = directory / name
        if target.exists() and target.read_bytes() != (source / name).read_bytes():
            raise UsageError(
                f"{str(target)!r} exists and is not the example's",
                hint="give another directory: soops demo DIRECTORY",
            )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            with resources.as_file(source / name) as path:
                shutil.copyfile(path, directory / name)
    except OSError as exc:
        raise UsageError(
            f"{str(directory)!r} cannot be written: {exc.strerror}", hint="give another directory"
        ) from exc


def table(results: Path) -> str:
    """Return the mean win rate by strategy and number of games, as text."""
    import pandas as pd

    frame = pd.read_hdf(results, "df")
    rates = pd.DataFrame(
        {
            "door": ["switch" if value else "stay" for value in frame["switch"]],
            "host": frame["host"],
            "num": frame["num"],
            "rate": [sum(rates) / len(rates) for rates in frame["win_rate"]],
        }
    )
    pivot = rates.pivot_table(index=["door", "host"], columns="num", values="rate")
    return str(pivot.to_string(float_format="{:.3f}".format))


def _step(directory: Path, words: list[str]) -> None:
    """Show a command as it would be typed, and run it with this interpreter."""
    click.echo(f"$ {shlex.join(words)}")
    command = [sys.executable, "-m", "soops", words[0].removeprefix("soops-"), *words[1:]]
    sys.stdout.flush()
    # Figures go to files only: a window would wait for somebody to close it.
    env = {**os.environ, "MPLBACKEND": "Agg"}
    code = subprocess.run(command, cwd=directory, env=env, check=False).returncode
    if code:
        raise SoopsError(
            f"{words[0]} ended with exit code {code}", hint=f"see what it said, in {directory}"
        )
