"""What one can do with soops once it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import soops
from soops.tests_installed.conftest import Run

N_RUNS = 48

STUDY_OF_EXITS = """
import sys

def get_run_info():
    command = [sys.executable, "-c", "raise SystemExit({code})", "{output_dir}"]
    return command, {}, "output_dir", "exit:0"
"""


def _example(name: str, target: Path) -> None:
    source = resources.files("soops_builtin") / "examples" / name
    with resources.as_file(source) as folder:
        shutil.copytree(folder, target)


def _records(study: Path) -> list[Path]:
    return sorted(study.glob("*/soops-run.json"))


def test_the_demo_makes_runs_a_table_and_a_plot(demo: Path) -> None:
    """Each run has its record and the files of the program."""
    study = demo / "output" / "study"
    records = [json.loads(path.read_text(encoding="utf-8")) for path in _records(study)]

    assert len(records) == N_RUNS
    assert {record["state"] for record in records} == {"done"}
    assert sorted(record["number"] for record in records) == list(range(N_RUNS))
    assert len(list(study.glob("*/wins.png"))) == N_RUNS
    for name in ("results.h5", "results.csv", "win_rates.png"):
        assert (study / name).stat().st_size > 1000


def test_what_is_finished_is_not_run_again(demo: Path, run: Run) -> None:
    """The records stay as they are."""
    study = demo / "output" / "study"
    before = {path: path.stat().st_mtime_ns for path in _records(study)}
    parameters = json.loads(next(iter(before)).read_text(encoding="utf-8"))["parameters"]

    # The demo runs the study with its own interpreter.
    python = f"python='{parameters['python']}'"
    words = ["run", "-c=--switch + --seed", "--conf", python, "studies.cfg", "monty_hall.py"]
    run(*words, cwd=demo)

    assert {path: path.stat().st_mtime_ns for path in _records(study)} == before


def test_runs_are_found_by_their_parameters(demo: Path, run: Run) -> None:
    """A query gives the runs for which it holds, one JSON object a line."""
    query = "num == 1000 and repeat == 20 and seed == 12345"
    lines = run("find", "--json", "-q", query, "output/study", cwd=demo).splitlines()
    found = [json.loads(line) for line in lines]

    assert len(found) == 4
    for item in found:
        assert item["parameters"]["--num"] == 1000
        assert item["parameters"]["--seed"] == 12345


def test_the_table_has_what_the_program_wrote(demo: Path) -> None:
    """Who switches doors wins two games of three."""
    import pandas as pd

    frame = pd.read_hdf(demo / "output" / "study" / "results.h5", "df")
    rates = {
        bool(switch): part["win_rate"].map(lambda values: sum(values) / len(values)).mean()
        for switch, part in frame[frame["num"] == 10000].groupby("switch")
    }

    assert len(frame) == N_RUNS
    assert rates[True] == pytest.approx(2 / 3, abs=0.01)
    assert rates[False] == pytest.approx(1 / 3, abs=0.01)
    assert [len(values) for values in frame["win_rate"]] == frame["repeat"].tolist()


@pytest.mark.skipif(shutil.which("awk") is None, reason="there is no awk")
def test_a_program_that_is_not_python(place: Path, run: Run) -> None:
    """The study file says how awk is run, and how its files are read."""
    import pandas as pd

    folder = place / "decay"
    _example("awk_decay", folder)
    run("run", "decay.toml", cwd=folder)
    run("scoop", "decay.toml", "output/decay", "-o", "output", cwd=folder)
    frame = pd.read_hdf(folder / "output" / "results.h5", "df")

    assert len(frame) == 9
    slow, fast = (frame[(frame["rate"] == 1.0) & (frame["dt"] == dt)] for dt in (0.01, 0.001))
    # A method of first order: a tenth of the step, a tenth of the error.
    assert slow["error"].item() / fast["error"].item() == pytest.approx(10, rel=0.1)


def test_a_study_from_python(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails is told apart from those that do not."""
    folder = place / "notebook"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(place.parent / "state"))
    Path("study_of_exits.py").write_text(STUDY_OF_EXITS, encoding="utf-8")
    summary = soops.run("output_dir='runs/%s', code=[0, 0, 3]", "study_of_exits.py")
    states = sorted(str(found.state) for found in soops.find(["runs"]))

    assert not summary.ok
    assert states == ["done", "failed"]  # equal sets are run once


def test_options_come_back_as_they_were(tmp_path: Path) -> None:
    """Texts stay texts, values of other types have their types."""
    options = {"num": 3, "tol": 0.5, "host": "first", "version": "1.10", "date": "2020-10-12"}
    options |= {"switch": True, "seed": None, "sizes": [1, "two", (3.0,)], "empty": ""}
    soops.save_options(tmp_path / "options.txt", [("options", options)])

    assert soops.load_options(tmp_path / "options.txt") == options


def test_all_plugins_can_be_loaded(run: Run) -> None:
    """Every name that an installed plugin gives leads to something."""
    run("plugins", "check")


def test_importing_soops_brings_nothing_heavy() -> None:
    """Scripts import it in every run."""
    code = "import soops, sys; soops.Struct, soops.save_options, soops.output; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    heavy = {"numpy", "pandas", "matplotlib", "tables", "dask", "distributed", "psutil", "click"}
    assert not heavy & set(done.stdout.split())
