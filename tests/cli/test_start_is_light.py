"""What a command loads before it has something to do: a count, not a clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

from soops.testing import HEAVY

CODE = """
import sys
from soops.cli import {entry}
code = {entry}({words!r})
print(code, *sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


def loaded(entry: str, words: list[str], cwd: object) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(entry=entry, words=words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    return int(code), set(modules)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("main", ["--help"]),
        ("main", ["--version"]),
        ("main", ["run", "--help"]),
        ("main", ["scoop", "--help"]),
        ("main", ["demo", "--help"]),
        ("main", ["index", "--help"]),
        ("main", ["plugins"]),
        ("run_main", ["--help"]),
        ("scoop_main", ["--help"]),
        ("find_main", ["--help"]),
        ("info_main", ["--help"]),
        ("jobs_main", ["--help"]),
    ],
)
def test_help_loads_nothing_heavy(entry, words, tmp_path):
    code, modules = loaded(entry, words, tmp_path)

    assert code == 0
    assert not modules & set(HEAVY)


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_does_not_import_what_plugins_name(words, tmp_path):
    code = (
        "import sys; from soops.cli import main; main(%r);"
        "print([m for m in sys.modules if m.startswith('soops_builtin.')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code % words], capture_output=True, text=True, cwd=tmp_path
    )

    assert done.stderr.strip() in ("[]", "['soops_builtin.plugin']")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("run_main", ["--dry-run", "output_dir='new/%s', --n-cell=[1, 2]", "mod.py"]),
        ("run_main", ["--explain", "--json", "output_dir='new/%s', --n-cell=1", "mod.py"]),
        ("run_main", ["output_dir='out/runs/%s', --n-cell=1, --mode=ok", "mod.py"]),
        ("find_main", ["out"]),
        ("find_main", ["-q", "n_cell > 1 & state == 'done'", "out"]),
        ("find_main", ["--json", "out"]),
        ("info_main", ["mod.py", "-e", "out/runs"]),
        ("jobs_main", ["-v", "out/runs"]),
        ("main", ["index", "out/runs"]),
    ],
)
def test_looking_at_a_study_loads_nothing_heavy(entry, words, study_dir):
    code, modules = loaded(entry, words, study_dir)

    assert code == 0
    assert not modules & set(HEAVY)
