"""A place to work, and commands as they are typed there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., str]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory whose name has a blank."""
    return tmp_path_factory.mktemp("soops") / "a place"


@pytest.fixture(scope="session")
def run(place: Path) -> Run:
    """Return a function that runs ``soops ...`` and returns what was printed.

    ``run(*words, cwd=None, code=0)``; another exit code than ``code`` fails the test.
    """
    place.mkdir()
    env = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "PYTHONUTF8": "1",
        "XDG_STATE_HOME": str(place.parent / "state"),
    }

    def run_soops(*words: str | Path, cwd: Path | None = None, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "soops", *map(str, words)],
            cwd=cwd or place,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
        shown = f"soops {' '.join(map(str, words))}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, shown
        assert "Traceback" not in shown, shown
        return done.stdout

    return run_soops


@pytest.fixture(scope="session")
def demo(run: Run, place: Path) -> Path:
    """Return the directory in which ``soops demo`` was run."""
    run("demo", "soops-demo", "-n", "2")
    return place / "soops-demo"
