"""The page about tables and figures is followed: its steps make what it says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from soops.api import App
from soops.base import Struct
from soops_builtin.steps.plot.arguments import PlotArguments

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "plots.md"


@pytest.fixture
def frame():
    """Return the table of the study that the page is about."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "stiffness": stiffness,
            "mass": mass,
            "solver": solver,
            "replicate": replicate,
            "energy": stiffness * mass * rng.uniform(1, 2),
            "elapsed": rng.uniform(1, 3),
            "t": [0.0, 0.5, 1.0],
            "position": rng.uniform(size=3).tolist(),
        }
        for stiffness in (1, 10, 100)
        for mass in (0.5, 1.0)
        for solver in ("euler", "verlet")
        for replicate in range(2)
    ]
    return pd.DataFrame(rows)


def test_its_steps_make_what_it_says(frame, tmp_path, capsys, caplog):
    app = App.create()
    parameters = ["stiffness", "mass", "solver", "replicate"]
    data = Struct(
        output_dir=str(tmp_path), par_keys=set(parameters), multi_par_keys=sorted(parameters)
    )
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    wanted, figures = set(), 0
    for block in blocks:
        for step in tomllib.loads(block)["step"]:
            name = step.pop("name")
            kwargs = {**step.pop("kwargs", {}), **step}
            if name == "plot":
                kwargs["dpi"] = 20  # it takes less time
            data = app.resolve("step", name)(frame, data=data, **kwargs)
            output = kwargs.get("output", [])
            wanted.update([output] if isinstance(output, str) else output)
            figures += name == "plot"

    made = {path.name for path in tmp_path.iterdir()}
    assert len(blocks) == figures + 2 == 9
    assert wanted <= made
    assert "energy-over-stiffness.png" in made
    assert len(data.figures) == figures + 1  # worth.pdf
    assert "solver  mass" in capsys.readouterr().out
    assert not caplog.records


def test_its_table_has_all_arguments():
    rows = re.findall(r"^\| (`\w+`.*?) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert told == {field.name for field in fields(PlotArguments)}


def test_steps_of_a_study_file_are_run_by_scoop(tmp_path, monkeypatch):
    import soops

    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(
        """
        [study]
        command = ["sh", "-c", "echo $0 > $1/out.txt", "{n}", "{output_dir}"]
        output_dir = "runs/%s"
        [parameters]
        n = [1, 20, 3]
        [[scoop]]
        file = "soops-run.json"
        scraper = "soops-parameters"
        is_parameters = true
        [[scoop]]
        file = "out.txt"
        scraper = "regex"
        [scoop.options]
        pattern = '(?P<e>\\d+)'
        types = { e = "int" }
        [[step]]
        name = "plot"
        [step.kwargs]
        x = "n"
        y = "e"
        [[step]]
        name = "pivot"
        [step.kwargs]
        index = "n"
        values = "e"
        """
    )
    assert soops.run("study.toml").ok
    scooped = soops.scoop("study.toml", ["runs"], output_dir="made")

    assert not scooped.failed_steps
    assert Path("made/e-over-n.png").read_bytes().startswith(b"\x89PNG")
    assert Path("made/pivot.csv").read_text().splitlines() == ["n,e", "1,1.0", "3,3.0", "20,20.0"]
