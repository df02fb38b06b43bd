"""Where benchmarks happen: fresh directories, and the peers in environments of their own."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from benchmarks.model import Missing

__all__ = ["Workshop"]

#: The peers that are installed from the package index: word to requirement.
PEERS = {"soops-2026.2": ("soops==2026.2", "ipython")}


class Workshop:
    """Gives what the benchmarks need.

    Parameters
    ----------
    quick : bool
        Small sizes: to see that the benchmarks work, not for figures.
    cache : Path
        Where the environments of the peers stay from one time to the next.
    """

    def __init__(self, *, quick: bool, cache: Path) -> None:
        self.quick = quick
        self.cache = cache
        self.top = Path(tempfile.mkdtemp(prefix="soops-benchmarks-"))
        self._count = 0
        self._slurm: dict[str, str] = {}

    def close(self) -> None:
        """Remove the directories; not before, as deleting slows what is measured next."""
        if self._slurm:
            _slurm_script("stop", self._slurm)
        shutil.rmtree(self.top, ignore_errors=True)

    def fresh(self) -> Path:
        """Return a new empty directory."""
        self._count += 1
        path = self.top / f"{self._count:04d}"
        path.mkdir()
        return path

    def size(self, full: int, quick: int) -> int:
        """Return the size of a benchmark in this mode."""
        return quick if self.quick else full

    @property
    def python(self) -> str:
        """The Python that has our soops."""
        return sys.executable

    @property
    def ours(self) -> str:
        """Our name and version."""
        return f"soops {importlib.metadata.version('soops')}"

    def program(self, name: str) -> str:
        """Return the path of a program of the system.

        Raises
        ------
        Missing
            When there is none.
        """
        found = shutil.which(name)
        if found is None:
            raise Missing(f"there is no {name} on this machine")
        return found

    def slurm(self) -> dict[str, str]:
        """Return the environment in which the commands of a Slurm of our own find it.

        Raises
        ------
        Missing
            When there is none, or this user cannot start one.
        """
        if "SLURM_CONF" in os.environ:
            return {}
        if not self._slurm:
            self.program("slurmctld")
            if os.geteuid() != 0:
                raise Missing("only root can start a Slurm of its own")
            root = self.top / "slurm"
            env = {"SLURM_ROOT": str(root), "SLURM_CONF": str(root / "slurm.conf")}
            env["SLURM_NODES"] = "1"
            done = _slurm_script("start", env)
            if done.returncode:
                raise Missing(f"Slurm does not start: {done.stderr.strip()[-200:]}")
            self._slurm = env
        return self._slurm

    def peer(self, name: str) -> str:
        """Return the Python of the environment of a peer; install it when it is not there.

        Raises
        ------
        Missing
            When it cannot be installed.
        """
        folder = self.cache / name
        python = folder / "bin" / "python"
        if not (folder / "installed").exists():
            print(f"installing {name} ...", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            done = subprocess.run(
                [python, "-m", "pip", "install", "--quiet", *PEERS[name]],
                capture_output=True,
                text=True,
                env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            )
            if done.returncode:
                raise Missing(f"{name} cannot be installed: {done.stderr.strip()[-200:]}")
            (folder / "installed").touch()
        return str(python)


def _slurm_script(what: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start or stop a Slurm on this machine, with the scripts of the plugin's tests."""
    scripts = Path(__file__).parent.parent / "plugins-example" / "soops-slurm" / "tests" / "slurm"
    return subprocess.run(
        ["bash", scripts / f"{what}-slurm.sh"],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
    )
