"""The command ``soops tree``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

from soops.api import UsageError, unknown_name

__all__ = ["tree"]

ABSENT = "(not given)"


@click.command()
@click.argument("root")
@click.option(
    "-b",
    "--by",
    metavar="NAME,...",
    help="The parameters that make the branches, in this order.  [default: all that vary, "
    "those with few values first]",
)
@click.option("--runs", "show_runs", is_flag=True, help="Show each run as a leaf.")
def tree(root: str, by: str | None, show_runs: bool) -> int:
    """Show the runs below ROOT as a tree of parameter values, with their states.

    \b
    Example:
      soops tree --by host,num output/study
    """
    from soops import study

    runs = study.find([root])
    if not runs:
        raise UsageError(f"there are no runs below {root!r}", hint="give the directory of a study")
    points = [(run, {name: _text(value) for name, value in run.named().items()}) for run in runs]
    names = _branches([values for _, values in points], by)
    click.echo(f"{root}: {_counts(points)}")
    for line in _lines(points, names, show_runs):
        click.echo(line)
    return 0


def _text(value: Any) -> str:
    text = str(value)
    return "".join(char if char.isprintable() else "?" for char in text)


def _branches(points: Sequence[dict[str, str]], by: str | None) -> list[str]:
    """Return the parameters that make the branches."""
    values: dict[str, set[str]] = {}
    for point in points:
        for name, text in point.items():
            values.setdefault(name, set()).add(text)
    if by is not None:
        chosen = [name.strip() for name in by.split(",") if name.strip()]
        for name in chosen:
            if name not in values:
                raise unknown_name("parameter", name, values, error=UsageError)
        return chosen
    number = {
        name: len(texts) + any(name not in point for point in points)
        for name, texts in values.items()
    }
    return sorted((name for name in values if number[name] > 1), key=lambda name: number[name])


def _lines(points: Sequence[Any], names: Sequence[str], show_runs: bool) -> Iterator[str]:
    """Yield the lines below one node."""
    children: list[tuple[str, Sequence[Any]]] = []
    if names:
        groups: dict[str, list[Any]] = {}
        for point in points:
            groups.setdefault(point[1].get(names[0], ABSENT), []).append(point)
        children = [(f"{names[0]} = {text}: {_counts(g)}", g) for text, g in groups.items()]
    elif show_runs:
        children = [(f"{run.directory} {run.state}", ()) for run, _ in points]
    for place, (title, below) in enumerate(children):
        last = place == len(children) - 1
        yield ("└── " if last else "├── ") + title
        for line in _lines(below, names[1:], show_runs) if below else ():
            yield ("    " if last else "│   ") + line


def _counts(points: Sequence[Any]) -> str:
    states = Counter(str(run.state) for run, _ in points)
    total = f"{len(points)} run{'s' * (len(points) != 1)}"
    return ", ".join([total, *(f"{number} {state}" for state, number in states.most_common())])
