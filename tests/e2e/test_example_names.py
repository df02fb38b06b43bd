"""The published names of the run directories of the Monty Hall study."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

import soops

EXAMPLE = Path(str(resources.files("soops_builtin") / "examples" / "monty_hall"))
README = Path(__file__).parents[2] / "README.md"
TYPED = (
    "python='python3', output_dir='output/study/%s', --num=[100,1000,10000], --repeat=[10,20], "
    "--switch=['@undefined', '@defined', '@undefined', '@defined'], "
    "--seed=['@undefined', '@undefined', 12345, 12345], --host=['random', 'first'], "
    "--silent=@defined, --no-show=@defined"
)
LOCKSTEP = "--switch + --seed"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with the example; planning writes nothing into it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("monty_hall.py", "studies.cfg"):
        Path(name).write_text((EXAMPLE / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def names(study, module="monty_hall.py", **options):
    planned = soops.plan(study, module, contracts=LOCKSTEP, **options)
    return [Path(run.directory).name for run in planned]


def published() -> list[str]:
    return re.findall(r"^\d{3}-[0-9a-f]{32}$", README.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("study", [TYPED, "studies.cfg"], ids=["typed", "file"])
def test_the_names_are_those_that_were_published(here, study):
    found = names(study)

    assert found[0] == "000-7a6b546a625c2d37569346a286f2b2b6"
    assert found == published()
    assert sorted(path.name for path in here.iterdir()) == ["monty_hall.py", "studies.cfg"]


def test_the_values_may_come_from_the_module(here):
    found = names("studies.cfg", section="study-g", generate="study-g.@generate")

    assert found == names(TYPED)


def test_a_script_without_the_option_has_the_names_of_2026_2(here):
    """Each option is a part of the name, given or not."""
    text = Path("monty_hall.py").read_text(encoding="utf-8")
    line = '        "--plot-opts": "--plot-opts={--plot-opts}",\n'
    assert line in text
    Path("monty_2026.py").write_text(text.replace(line, ""), encoding="utf-8")
    found = names(TYPED, "monty_2026.py")

    assert found[0] == "000-a96da9ba9ee27be055166a3f64f641d2"
    assert len(set(found)) == 48
    assert not {name[4:] for name in found} & {name[4:] for name in published()}


def test_computed_seeds_make_other_names(here):
    study = TYPED.replace("['@undefined', '@undefined', 12345, 12345]", "1")
    study = study.replace("['@undefined', '@defined', '@undefined', '@defined']", "@undefined")
    options = {"compute": "class=ComputePars, --seed=1000"}
    seeds = [run.values["--seed"] for run in soops.plan(study, "monty_hall.py", **options)]

    assert sorted(seeds) == list(range(1000, 1012))
