"""The scraper does what soops expects of each, and is found by its entry point."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from soops_xvg import read_xvg

from soops.api import App
from soops.testing import ScraperContract


class TestContract(ScraperContract):
    """What soops expects of each scraper."""

    @pytest.fixture
    def scraper(self):
        return read_xvg

    @pytest.fixture
    def sample(self, tmp_path: Path):
        path = tmp_path / "energy.xvg"
        path.write_text('@ s0 legend "Potential"\n0.0 -100.0\n1.0 -110.0\n2.0 -120.0\n')
        return path


def test_it_is_found_without_any_hook():
    app = App.create()

    assert app.resolve("scraper", "xvg") is read_xvg
    assert app.registry("scraper").get("xvg").provider == "soops-xvg"


def test_the_package_needs_nothing_of_soops():
    import subprocess

    code = "import soops_xvg, sys; sys.exit('soops' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False)

    assert done.returncode == 0
