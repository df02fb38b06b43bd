"""The tests that are packaged with soops 2026.2, unmodified, of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree


def test_the_tests_of_2026_2_pass(old_package: Path, tmp_path: Path) -> None:
    for name in ("tests", "examples"):
        shutil.copytree(old_package / "soops" / name, tmp_path / "soops" / name)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    env.update(MPLBACKEND="agg", XDG_STATE_HOME=str(tmp_path / "state"))
    options = ["-q", "-c", os.devnull, "--rootdir=.", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *options, "--junitxml=results.xml", "soops/tests"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    suite = next(ElementTree.parse(tmp_path / "results.xml").iter("testsuite"))
    counts = {name: int(suite.get(name, -1)) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 10, "failures": 0, "errors": 0, "skipped": 0}
