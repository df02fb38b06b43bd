"""Importing the script library, and the start of the commands."""

from __future__ import annotations

from benchmarks.model import Side, benchmark
from benchmarks.workshop import Workshop


def _python(workshop: Workshop, label: str, code: str) -> Side:
    return Side(label=label, words=(workshop.python, "-c", code))


@benchmark("import", "`import soops` in a script, the whole process", goal=1.5, pairs=15)
def import_soops(workshop: Workshop) -> tuple[Side, Side]:
    """Every run of a Python script pays it."""
    return (
        _python(workshop, workshop.ours, "import soops"),
        _python(workshop, "bare Python", "pass"),
    )


@benchmark("import-peer", "`import soops` in a script, the whole process", goal=0.5, pairs=9)
def import_peer(workshop: Workshop) -> tuple[Side, Side]:
    """Against the import that scripts paid before."""
    other = workshop.peer("soops-2026.2")
    return (
        _python(workshop, workshop.ours, "import soops"),
        Side(label="soops 2026.2", words=(other, "-c", "import soops")),
    )


def _help(name: str, *words: str) -> None:
    @benchmark(f"help-{name}", f"`{' '.join(words)} --help`", goal=2.5, pairs=15)
    def sides(workshop: Workshop) -> tuple[Side, Side]:
        return (
            Side(label=workshop.ours, words=(workshop.python, "-m", *words, "--help")),
            _python(workshop, "`import click, pluggy`", "import click, pluggy"),
        )


_help("group", "soops")
_help("run", "soops", "run")
_help("scoop", "soops", "scoop")
_help("find", "soops", "find")
