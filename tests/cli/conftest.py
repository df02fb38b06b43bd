"""A study with one run of each ending, made once, and commands called in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import soops.cli
from soops.testing import installed_plugin  # noqa: F401 (a fixture)

PROGRAM = """
dir=$1; shift
echo "$@" > "$dir/args.txt"
case "$*" in
  *--mode=fail*) echo "no good" >&2; exit 3 ;;
  *--mode=signal*) kill -SEGV $$ ;;
  *--mode=hang*) sleep 1000 ;;
esac
echo "value = 1" > "$dir/result.txt"
"""
MODULE = """
def get_run_info():
    run_cmd = 'sh prog.sh {output_dir}'
    opt_args = {'--n-cell': '--n-cell={--n-cell}', '--mode': '--mode={--mode}', '--flag': '--flag'}
    return run_cmd, opt_args, 'output_dir', 'result.txt'

def load(name, rdata=None):
    with open(name) as file:
        return {'text': file.read().strip(), 'none': float('nan')}

def get_scoop_info():
    return [('result.txt', load)]

def shout(df, data=None, fail=False):
    print('a step prints')
    if fail:
        raise ValueError('no plot')

def get_plugin_info():
    return [shout]
"""
#: Six sets: two of each mode, but one hangs only; see the fixture.
STUDY = "output_dir='out/runs/%s', --n-cell=[1, 20], --mode=[ok, fail, signal]"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(state), "MPLBACKEND": "Agg"}


def write_project(path: Path) -> Path:
    path.mkdir()
    (path / "prog.sh").write_text(PROGRAM)
    (path / "mod.py").write_text(MODULE)
    return path


def in_process_of_its_own(path: Path, *words: str, **options: Any) -> Result:
    """Type ``python -m soops WORDS`` in a directory."""
    options.setdefault("env", environment(path.parent / "state"))
    done = subprocess.run(
        [sys.executable, "-m", "soops", *words],
        cwd=path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
        **options,
    )
    return Result(
        done.returncode,
        done.stdout.decode("utf-8", "surrogateescape"),
        done.stderr.decode("utf-8", "surrogateescape"),
    )


@pytest.fixture(scope="session")
def ended_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose runs ended in four ways. It is not to be changed."""
    path = write_project(tmp_path_factory.mktemp("ended") / "my project")
    assert in_process_of_its_own(path, "run", "-o", "out", STUDY, "mod.py").code == 1
    hang = "output_dir='out/runs/%s', --n-cell=1, --mode=hang"
    words = ("run", "-o", "out", "-t", "0.3", "--grace", "0.1", hang, "mod.py")
    assert in_process_of_its_own(path, *words).code == 1
    return path


@pytest.fixture
def study_dir(ended_study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return that project, and be in it."""
    monkeypatch.chdir(ended_study)
    monkeypatch.setenv("XDG_STATE_HOME", str(ended_study.parent / "state"))
    return ended_study


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fresh project, and be in it."""
    path = write_project(tmp_path / "my project")
    monkeypatch.chdir(path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return path


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Return ``typed("soops-find", ...)``: the command, called in this process."""

    def call(program: str, *words: str) -> Result:
        name = program.removeprefix("soops").removeprefix("-")
        entry = getattr(soops.cli, f"{name}_main" if name else "main")
        capfd.readouterr()
        code = entry(list(words))
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def soops_process() -> Callable[..., Result]:
    """Return what types a command in a process of its own: ``soops_process(path, *words)``."""
    return in_process_of_its_own
