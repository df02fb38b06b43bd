"""Fixtures of soops, and a Slurm that is started for the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["soops.testing"]

HERE = Path(__file__).parent / "slurm"
QUICK = ("--runner-opt", "poll=0.2", "--runner-opt", "poll_max=0.5", "--runner-opt", "patience=2")
#: Notes its start and end in its directory, and waits for a gate if it is to.
PROGRAM = """
import os, pathlib, sys, time
here, n, gate = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
def note(what):
    fd = os.open(here / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{what} {os.environ['SLURM_ARRAY_JOB_ID']} {os.getpid()}\\n".encode())
    os.close(fd)
note("start")
while gate != "none" and not pathlib.Path(gate).exists():
    time.sleep(0.02)
note("end")
"""


class SlurmStudy:
    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "program.py").write_text(PROGRAM)

    def write(self, sets: int, gate: str = "none") -> None:
        (self.path / "study.toml").write_text(
            textwrap.dedent(
                f"""
                [study]
                command = [{sys.executable!r}, "-S", "{{script_dir}}/program.py", "{{output_dir}}",
                           "{{n}}", {gate!r}]
                output_dir = "runs/%s"
                finished = "exit:0"

                [parameters]
                n = {list(range(sets))}
                """
            )
        )

    def start(self, *options: str, n: int = 4) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "soops", "run", "--runner", "slurm", "-n", str(n)]
        return subprocess.Popen(
            [*command, *QUICK, *options, "study.toml"],
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self, *options: str, runs: int = 4, n: int = 4) -> None:
        """Kill a driver when so many runs have begun, and its job has a number."""
        from soops.testing import wait_until  # not before pytest has seen the plugin

        driver = self.start(*options, n=n)
        wait_until(lambda: self.begun() >= runs and self.jobs())
        driver.kill()
        driver.communicate()

    def run(self, *options: str, n: int = 4, code: int = 0) -> str:
        driver = self.start(*options, n=n)
        out, err = driver.communicate(timeout=100)
        assert driver.returncode == code, (out, err)
        return err

    def directories(self) -> list[Path]:
        return sorted(path for path in (self.path / "runs").glob("*-*") if path.is_dir())

    def notes(self) -> dict[str, list[str]]:
        found = {}
        for path in self.directories():
            notes = path / "notes"
            lines = notes.read_text().splitlines() if notes.exists() else []
            found[path.name] = [line.split()[0] for line in lines]
        return found

    def jobs(self) -> list[str]:
        """Return the numbers of what is in Slurm."""
        paths = (self.path / "runs/.soops/slurm").glob("soops-*/id")
        return [path.read_text().strip() for path in paths]

    def begun(self) -> int:
        return sum("start" in notes for notes in self.notes().values())

    def records(self) -> list[dict[str, object]]:
        return [
            json.loads(path.read_text()) for path in sorted(self.path.glob("runs/*/soops-run.json"))
        ]


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the long mode of some tests")
    parser.addoption(
        "--slurm", action="store_true", help="install and start a Slurm for the tests (as root)"
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        skip = pytest.mark.skip(reason="takes minutes: --long")
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def slurm(request, tmp_path_factory):
    """A running Slurm of two nodes with two CPUs each; the environment says which."""
    if os.environ.get("SLURM_CONF"):
        yield Path(os.environ["SLURM_CONF"]).parent
        return
    if not request.config.getoption("--slurm"):
        pytest.skip("needs a Slurm: that of SLURM_CONF, or one of its own with --slurm, as root")
    if os.geteuid() != 0:
        pytest.skip("only root can start a Slurm of its own")
    if not shutil.which("slurmctld") and not shutil.which("apt-get"):
        pytest.skip("Slurm is not installed, and there is no apt-get to do so")
    root = tmp_path_factory.mktemp("slurm")
    env = {**os.environ, "SLURM_ROOT": str(root / "here")}
    done = subprocess.run(
        ["bash", str(HERE / "start-slurm.sh")], env=env, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"Slurm does not start: {done.stderr[-300:]}")
    patch = pytest.MonkeyPatch()
    patch.setenv("SLURM_CONF", str(root / "here" / "slurm.conf"))
    yield root / "here"
    patch.undo()
    subprocess.run(["bash", str(HERE / "stop-slurm.sh")], env=env, check=False)


@pytest.fixture
def study(slurm, tmp_path):
    yield SlurmStudy(tmp_path)
    name = ",".join(path.name for path in (tmp_path / "runs/.soops/slurm").glob("soops-*"))
    if name:
        subprocess.run(["scancel", "--quiet", "--name", name], check=False)
