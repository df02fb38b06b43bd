"""Fixtures: a directory in which studies are run, and plugins that are installed for a test."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Called", "Plugins", "Project", "installed_plugin", "soops_project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """How a command ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


class Project:
    """A directory with files and commands.

    Attributes
    ----------
    path : Path
        The directory. Its name has a blank in it, as those of users have.
    env : dict
        The environment of commands: that of the test, with a state directory of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {
            **os.environ,
            "MPLBACKEND": "Agg",
            "XDG_STATE_HOME": str(path.parent / "state"),
        }

    def write(self, name: str, text: str) -> Path:
        """Write a file, with the indentation of the test removed; return its path."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def run(
        self, *words: str | os.PathLike[str], code: int | None = 0, timeout: float = 100.0
    ) -> Called:
        """Run a command of soops in a process of its own, in the directory.

        Parameters
        ----------
        *words : str or path
            ``"soops-run"`` (or another of the six commands), and its arguments.
        code : int, optional
            The exit code that is expected; None: any.
        timeout : float
            Seconds.
        """
        done = subprocess.run(
            self.command(*words),
            cwd=self.path,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
            check=False,
        )
        called = Called(code=done.returncode, out=done.stdout, err=done.stderr)
        assert code is None or called.code == code, called
        return called

    def command(self, *words: str | os.PathLike[str]) -> list[str]:
        """Return the argument list of a command of soops, for a test that starts it itself."""
        name, *rest = [os.fspath(word) for word in words]
        entry = f"{name.removeprefix('soops').lstrip('-').replace('-', '_')}_main".lstrip("_")
        code = f"import sys; from soops.cli import {entry}; sys.exit({entry}())"
        return [sys.executable, "-c", code, *rest]


class Plugins:
    """A folder in front of ``sys.path`` into which distributions are installed.

    What is there is found through entry points, in this process and in those that are
    started with :attr:`env`.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = monkeypatch

    @property
    def env(self) -> dict[str, str]:
        """What a process must have in its environment to find them."""
        before = os.environ.get("PYTHONPATH")
        return {"PYTHONPATH": os.pathsep.join(filter(None, (str(self.folder), before)))}

    def __call__(
        self,
        name: str,
        source: str,
        *,
        distribution: str = "",
        version: str = "1.0",
        entry_points: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Path:
        """Install a module as a distribution, and return the path of its file.

        Parameters
        ----------
        name : str
            Of the module.
        source : str
            Its text; the indentation of the test is removed.
        distribution, version : str
            What ``soops plugins`` shows; by default the module's name, and 1.0.
        entry_points : mapping
            Group to ``{name: value}``; by default the module is a plugin by its own name.
        """
        distribution = distribution or name.replace("_", "-")
        groups = {"soops": {name: name}} if entry_points is None else entry_points
        path = self.folder / f"{name}.py"
        path.write_text(textwrap.dedent(source).lstrip("\n"), encoding="utf-8")
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        lines = []
        for group, entries in groups.items():
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


@pytest.fixture
def soops_project(tmp_path: Path) -> Project:
    """Return an empty directory with a blank in its name, and the commands of soops."""
    path = tmp_path / "a study"
    path.mkdir()
    return Project(path)


@pytest.fixture
def installed_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """Return what installs a module as a distribution with entry points, for one test."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield Plugins(folder, monkeypatch)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
            del sys.modules[name]
