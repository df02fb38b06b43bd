"""How the documentation is read and followed: its fenced blocks, by language.

A block whose first line is a comment with nothing but a file name is that file. In a
``console`` block the lines that begin with ``$`` are commands; lines below one are its
output. Whatever is documented so is done by the tests, in a temporary directory.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

FENCE = re.compile(
    r"^(?P<mark>```+)(?P<word>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=mark)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
FILE_NAME = re.compile(r"# (?P<name>[\w./-]+\.\w+)")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and its first line in the file."""

    word: str
    body: str
    line: int

    @property
    def file_name(self) -> str | None:
        """The file that this block is, if it says so."""
        match = FILE_NAME.fullmatch(self.body.partition("\n")[0])
        return match["name"] if match else None

    def commands(self) -> Iterator[str]:
        """Yield the commands of a block of a shell; one may go over several lines."""
        text = ""
        for line in self.body.splitlines():
            if not text and self.word == "console" and not line.startswith("$ "):
                continue
            text += line.removeprefix("$ ") if not text else "\n" + line
            try:
                words = shlex.split(text, comments=True)
            except ValueError:  # a quotation goes on
                continue
            if words:
                yield text
            text = ""
        assert not text, f"a quotation does not end: {text}"


def read_blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a Markdown file."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(match["word"], match["body"], text.count("\n", 0, match.start("body")) + 1)
        for match in FENCE.finditer(text)
    ]


@pytest.fixture(scope="session")
def blocks() -> Callable[[Path], list[Block]]:
    """Return the function that reads the fenced blocks of a file."""
    return read_blocks


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], None]:
    """Return ``install(pyproject, source)``: what ``pip install`` leaves, in new processes."""
    site = tmp_path / "site"

    def install(pyproject: Path, source: Path) -> None:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        name, version = project["name"], project["version"]
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        lines = []
        for group, entries in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        paths = [str(site), str(source), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))

    return install


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that runs a command as it is typed, in a directory with a blank."""
    folder = tmp_path / "a user"
    folder.mkdir()
    monkeypatch.chdir(folder)
    settings = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "MPLBACKEND": "Agg",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "COLUMNS": "100",
    }

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env={**os.environ, **settings},
            text=True,
            capture_output=True,
            timeout=100,
        )
        shown = f"$ {command}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, shown
        assert "Traceback" not in shown, shown
        assert "failed with" not in shown, shown
        return done.stdout

    return run


@pytest.fixture
def follow(shell: Callable[[str], str]) -> Callable[[list[Block]], dict[str, str]]:
    """Return a function that does what a document says, and returns what was printed."""

    def do(found: list[Block]) -> dict[str, str]:
        printed = {}
        for block in found:
            if block.file_name:
                path = Path(block.file_name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.body, encoding="utf-8")
            elif block.word == "console":
                for command in block.commands():
                    printed[command] = shell(command)
        return printed

    return do
