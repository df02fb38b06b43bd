"""The plugin in soops: found, cheap, and used as its README says."""

from __future__ import annotations

import pytest

from soops.api import App
from soops.testing import assert_light

STUDY = """
[study]
command = ["sh", "-c", "test {x} != 3 && echo y > {output_dir}/out.csv"]
output_dir = "runs/%s"
finished = "out.csv"

[parameters]
x = [1, 2, 3]
name = ["a", "b"]
"""


@pytest.fixture
def runs(soops_project):
    """Return a project with six runs, two of which failed."""
    text = STUDY.replace("{x} !=", "{x}{name} != 3{name} -a {x} !=")
    soops_project.write("study.toml", text)
    soops_project.run("soops-run", "study.toml", code=1)
    return soops_project


def test_it_gives_one_thing_of_each_of_three_kinds():
    app = App.create()

    assert app.resolve("directive", "chebyshev")(1) == [0.0]
    assert app.resolve("step", "group_table").__name__ == "group_table"
    assert app.resolve("command", "tree").name == "tree"


def test_it_costs_nothing_at_start_up():
    assert_light("soops_study_tools.plugin")
    assert_light("soops_study_tools.plugin", "soops_study_tools.tree")


def test_the_tree_shows_values_and_states(runs):
    called = runs.run("soops", "tree", "runs")

    assert called.out.splitlines() == [
        "runs: 6 runs, 4 done, 2 failed",
        "├── name = a: 3 runs, 2 done, 1 failed",
        "│   ├── x = 1: 1 run, 1 done",
        "│   ├── x = 2: 1 run, 1 done",
        "│   └── x = 3: 1 run, 1 failed",
        "└── name = b: 3 runs, 2 done, 1 failed",
        "    ├── x = 1: 1 run, 1 done",
        "    ├── x = 2: 1 run, 1 done",
        "    └── x = 3: 1 run, 1 failed",
    ]


def test_the_branches_can_be_chosen_and_the_runs_shown(runs):
    lines = runs.run("soops", "tree", "--by", "x", "--runs", "runs").out.splitlines()

    assert [line for line in lines if " = " in line] == [
        "├── x = 1: 2 runs, 2 done",
        "├── x = 2: 2 runs, 2 done",
        "└── x = 3: 2 runs, 2 failed",
    ]
    leaves = [line for line in lines if line.endswith((" done", " failed")) and "-" in line]
    assert len(leaves) == 6


def test_what_is_not_there_is_said(runs):
    called = runs.run("soops", "tree", "--by", "z", "runs", code=2)
    assert "unknown parameter 'z'" in called.err

    (runs.path / "empty").mkdir()
    called = runs.run("soops", "tree", "empty", code=2)
    assert "there are no runs below 'empty'" in called.err
