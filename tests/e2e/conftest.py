"""A project directory with a blank in its name, a program and its module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """#!/bin/sh
# prog.sh DIR --num=N [--mode=WORD] [--flag]
dir=$1; shift
echo "start $dir" >> "$LOG"
for arg in "$@"; do
  case $arg in
    --num=*) num=${arg#--num=} ;;
    --mode=*) mode=${arg#--mode=} ;;
  esac
done
echo "$@" > "$dir/args.txt"
echo "out $num"
echo "err $num" >&2
case ${mode:-ok} in
  ok) ;;
  fail) exit 3 ;;
  signal) kill -SEGV $$ ;;
  hang) sleep 1000 ;;
esac
echo "value = $((num * num))" > "$dir/result.txt"
echo "end $dir" >> "$LOG"
"""

MODULE = """
import re

def get_run_info():
    run_cmd = 'sh {script_dir}/prog.sh {output_dir}'
    opt_args = {'--num': '--num={--num}', '--mode': '--mode={--mode}', '--flag': '--flag'}
    return run_cmd, opt_args, 'output_dir', 'result.txt'

def load_args(name, rdata=None):
    with open(name) as file:
        return dict(re.findall(r'--(\\w+)=(\\S+)', file.read()))

def load_result(name, rdata=None):
    with open(name) as file:
        return {'value': int(file.read().split('=')[1]), 'seen': sorted(rdata)}

def get_scoop_info():
    return [('args.txt', load_args, True), ('result.txt', load_result)]

def total(df, data=None, factor=1):
    data.total = factor * int(df['value'].sum())
    print('total:', data.total, 'over', data.multi_par_keys)
    return data

def get_plugin_info():
    return [total]
"""


class Project:
    """A directory in which commands are typed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "log.txt"
        path.mkdir()
        (path / "prog.sh").write_text(PROGRAM)
        (path / "mod.py").write_text(MODULE)

    def soops(self, *words: str, check: int | None = 0, **kwargs) -> subprocess.CompletedProcess:
        """Type ``soops WORDS``; the exit code must be ``check`` unless that is None."""
        done = subprocess.run(
            [sys.executable, "-m", "soops", *map(str, words)],
            cwd=self.path,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=100,
            **kwargs,
        )
        if check is not None:
            assert done.returncode == check, (done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *words: str) -> subprocess.Popen:
        """Begin ``soops WORDS`` and return the process."""
        return subprocess.Popen(
            [sys.executable, "-m", "soops", *map(str, words)],
            cwd=self.path,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "LOG": str(self.log),
            "XDG_STATE_HOME": str(self.path / "state"),
            "MPLBACKEND": "Agg",
        }

    def started(self) -> list[str]:
        """Return the directories in which the program was started, in order."""
        return self._logged("start")

    def ended(self) -> list[str]:
        """Return the directories in which the program came to its end, in order."""
        return self._logged("end")

    def _logged(self, word: str) -> list[str]:
        if not self.log.exists():
            return []
        lines = self.log.read_text().splitlines()
        return [line.split(" ", 1)[1] for line in lines if line.startswith(word + " ")]

    def json(self, *words: str, check: int | None = 0) -> list[dict]:
        """Return the objects that ``soops WORDS --json`` prints."""
        done = self.soops(*words, "--json", check=check)
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "my project")
