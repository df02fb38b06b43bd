"""Each command of the pages is executed, with the study of the README."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
README = (HERE / "README.md").read_text()
HOWTO = HERE.parent.parent / "docs" / "howto" / "slurm.md"
QUICK = ["--runner-opt", "poll=0.2"]


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("page", [HERE / "README.md", HOWTO], ids=lambda path: path.name)
def test_its_commands_do_what_they_say(soops_project, page):
    if not page.exists():
        pytest.skip("the pages of soops are not here")
    (study,) = re.findall(r"```toml\n# study.toml\n(.*?)```", README, re.DOTALL)
    soops_project.write("study.toml", study)
    commands = re.findall(r"^\$ soops run (.*)$", page.read_text(), re.MULTILINE)
    assert len(commands) == (2 if page.name == "README.md" else 3)
    for command in commands:
        soops_project.run("soops-run", *QUICK, *shlex.split(command))
    soops_project.run("soops-run", *QUICK, "--runner", "slurm", "study.toml")
    assert len(list(soops_project.path.glob("runs/*/soops-run.json"))) == 4


def test_the_table_has_all_options():
    from dataclasses import fields

    from soops_slurm.options import LsfOptions, PbsOptions, SlurmOptions

    told = re.findall(r"^\| (`.*?) \|", README, re.MULTILINE)
    names = {name for cell in told for name in re.findall(r"`(\w+)`", cell)}
    for options in (SlurmOptions, PbsOptions, LsfOptions):
        assert {field.name for field in fields(options)} <= names
