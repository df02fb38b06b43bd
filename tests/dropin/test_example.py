"""The example script that is packaged with soops 2026.2, unmodified: study, scoop, plot."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

#: As its README has it.
STUDY = (
    "python='python3', output_dir='output/study/%s', --num=[100,1000,10000], --repeat=[10,20], "
    "--switch=['@undefined', '@defined', '@undefined', '@defined'], "
    "--seed=['@undefined', '@undefined', 12345, 12345], --host=['random', 'first'], "
    "--silent=@defined, --no-show=@defined"
)
CONTRACT = "-c=--switch + --seed"
MODULE = "soops/examples/monty_hall.py"
#: Seeds in all of it, so that both programs find the same.
SMALL = (
    "python='python3', output_dir='output/study/%s', --num=10, --repeat=4, "
    "--switch=['@undefined', '@defined'], --seed=[1, 12345], --host=random, "
    "--silent=@defined, --no-show=@defined"
)
#: The columns of ours.
OURS = {"state", "returncode", "number"}


@pytest.fixture
def places(old_package: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two directories with the example, one for each program."""
    both = tmp_path / "old", tmp_path / "new"
    for place in both:
        shutil.copytree(old_package / "soops" / "examples", place / "soops" / "examples")
    return both


def test_the_study_of_the_readme_has_the_same_48_names(old, new, places):
    old_place, new_place = places
    old("run", "--dry-run", "-n", "1", CONTRACT, "-o", "output", STUDY, MODULE, cwd=old_place)
    made = sorted(path.name for path in (old_place / "output" / "study").iterdir())
    assert len(made) == 48

    words = ("--dry-run", "--json", "-n", "1", CONTRACT, "-o", "output", STUDY, MODULE)
    done = new("run", *words, cwd=new_place)
    planned = [json.loads(line) for line in done.stdout.splitlines()]

    assert [Path(item["directory"]).name for item in planned] == made
    assert made[0] == "000-a96da9ba9ee27be055166a3f64f641d2"
    assert [path.name for path in new_place.iterdir()] == ["soops"]


def test_study_scoop_and_plot(old, new, places):
    tables = []
    for place, program in zip(places, (old, new), strict=True):
        program("run", "-r", "1", "-n", "2", CONTRACT, "-o", "output", SMALL, MODULE, cwd=place)
        arguments = "--plugin-args=plot_win_rates={colormap_name='plasma'}"
        words = ("-s", "rdir", arguments, "--omit-plugins=show_figures", "-o", "output/study")
        program("scoop", *words, MODULE, "output/study", cwd=place)
        tables.append(place / "output" / "study")
    old_table, new_table = tables

    again = new("run", "-n", "2", CONTRACT, "-o", "output", SMALL, MODULE, cwd=places[1])
    assert "2 finished before" in again.stderr
    assert names_below(new_table) == names_below(old_table)
    assert len(names_below(new_table)) == 2
    assert (new_table / "win_rates.png").read_bytes().startswith(b"\x89PNG")
    old_rows, new_rows = rows_of(old_table), rows_of(new_table)
    assert [name for name in new_rows[0] if name not in OURS] == list(old_rows[0])
    assert set(new_rows[0]) == {*old_rows[0], *OURS}
    assert [kept(row) for row in new_rows] == [kept(row) for row in old_rows]
    for key in ("df", "mdf", "par_keys"):
        found = pd.read_hdf(new_table / "results.h5", key)
        assert len(found) >= 2
    assert list(pd.read_hdf(new_table / "results.h5", "df")["state"]) == ["done"] * 2


def names_below(table: Path) -> list[str]:
    return sorted(path.name for path in table.iterdir() if path.name[:3].isdigit())


def rows_of(table: Path) -> list[dict[str, str]]:
    with (table / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def kept(row: dict[str, str]) -> dict[str, list[str]]:
    """Return what does not depend on where and when the runs were; of arrays their numbers."""
    return {
        name: value.replace("[", " ").replace("]", " ").replace(",", " ").split()
        for name, value in row.items()
        if name not in OURS and not name.startswith(("rdir", "time", "elapsed"))
    }
