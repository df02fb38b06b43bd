"""Distributions on disk: what pip leaves, without pip.

The tests of this folder put ``*.dist-info`` and modules into a folder of ``tmp_path`` and
that folder in front of ``sys.path``; nothing of discovery is faked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest


class Site:
    """A folder like ``site-packages`` with what the test installed into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self,
        distribution: str,
        entry_points: Mapping[str, Mapping[str, str]],
        modules: Mapping[str, str] | None = None,
        version: str = "1.0",
    ) -> Path:
        """Install one distribution and return its ``dist-info`` folder.

        ``entry_points`` is group to ``{name: value}``, ``modules`` module name to source.
        """
        stem = distribution.replace("-", "_")
        info = self.folder / f"{stem}-{version}.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        lines = []
        for group, entries in entry_points.items():
            lines.append(f"[{group}]")
            lines += [f"{name} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for name, source in (modules or {}).items():
            path = self.folder / f"{name}.py"
            path.write_text(textwrap.dedent(source), encoding="utf-8")
        return info

    def uninstall(self, info: Path) -> None:
        """Remove the ``dist-info`` folder, as ``pip uninstall`` does."""
        shutil.rmtree(info)


@pytest.fixture
def make_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Site]]:
    """Return a function that makes a further site folder in front of ``sys.path``."""
    before = set(sys.modules)
    monkeypatch.delenv("SOOPS_NO_PLUGINS", raising=False)
    folders = []

    def make(name: str) -> Site:
        folder = tmp_path / name
        folder.mkdir()
        folders.append(str(folder))
        monkeypatch.syspath_prepend(folder)
        return Site(folder)

    yield make
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(tuple(folders) or ("\0",)):
            del sys.modules[name]


@pytest.fixture
def site(make_site: Callable[[str], Site]) -> Site:
    """Return one site folder in front of ``sys.path``."""
    return make_site("site with blank")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def soops_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> Callable[..., Done]:
    """Return a function that runs ``soops WORDS`` in a process that sees the site folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    base = {
        **os.environ,
        "PYTHONPATH": str(site.folder),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }

    def run(*words: str, **env: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "soops", *words],
            env={**base, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run
