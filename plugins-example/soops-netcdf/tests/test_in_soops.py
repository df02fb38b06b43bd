"""The scraper does what soops expects of each, and the study of its README is read by it."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import netCDF4
import pytest
from soops_netcdf import read_netcdf

from soops.api import App
from soops.testing import ScraperContract

README = Path(__file__).resolve().parent.parent / "README.md"


class TestContract(ScraperContract):
    """What soops expects of each scraper."""

    @pytest.fixture
    def scraper(self):
        return read_netcdf

    @pytest.fixture
    def sample(self, tmp_path: Path):
        path = tmp_path / "a.nc"
        with netCDF4.Dataset(path, "w") as file:
            file.createDimension("t", 4)
            file.createVariable("t", "f8", ("t",))[:] = [0.0, 1.0, 2.0, 3.0]
            file.createVariable("energy", "f8")[...] = -2.5
        return path


def test_it_is_found_without_any_hook():
    app = App.create()

    assert app.resolve("scraper", "netcdf") is read_netcdf
    assert app.registry("scraper").get("netcdf").provider == "soops-netcdf"


def test_the_package_needs_nothing_of_soops_and_imports_netcdf_late():
    code = "import soops_netcdf, sys; sys.exit(bool({'soops', 'netCDF4'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=False)

    assert done.returncode == 0


def test_the_study_of_the_readme(soops_project):
    for name, text in re.findall(r"```\w+\n# (\S+)\n(.*?)```", README.read_text(), re.DOTALL):
        (soops_project.path / name).write_text(text.replace('"python3"', f'"{sys.executable}"'))
    for words in (["run", "study.toml"], ["scoop", "--strict", "study.toml", "runs"]):
        done = soops_project.run(*words)
        assert done.code == 0, done.err

    with (soops_project.path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    heights = sorted(row["height"] for row in rows)
    assert heights == ["[0.0, 1.0, 2.0, 3.0, 4.0]", "[0.0, 2.0, 4.0, 6.0, 8.0]"]
    assert {row["height_units"] for row in rows} == {"m"}
