"""Fixtures of soops, and a Slurm that is started for the tests."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest_plugins = ["soops.testing"]

HERE = Path(__file__).parent / "slurm"


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
