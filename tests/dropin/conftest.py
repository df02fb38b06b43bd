"""What the comparisons with soops 2026.2 share: both of them, each in its own process.

The environment variable ``SOOPS_2026_2`` names a directory that holds the package of 2026.2
(``pip install --no-deps --target DIR soops==2026.2``); without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MODULES = {
    "run": "run_parametric",
    "scoop": "scoop_outputs",
    "info": "print_info",
    "find": "find_studies",
    "jobs": "show_jobs",
}

# One test that is skipped says enough.
collect_ignore = (
    []
    if os.environ.get("SOOPS_2026_2")
    else [path.name for path in Path(__file__).parent.glob("test_*.py") if path.stem != "test_mini"]
)

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def old_package() -> Path:
    """Return the directory in which the package ``soops`` of 2026.2 is."""
    folder = os.environ.get("SOOPS_2026_2")
    if not folder:
        pytest.skip("SOOPS_2026_2 names no directory with soops 2026.2")
    path = Path(folder)
    assert (path / "soops" / "run_parametric.py").is_file(), f"no soops 2026.2 in {path}"
    return path


def _environment(**more: str) -> dict[str, str]:
    """Return an environment in which python3 is this Python and figures need no screen."""
    left_out = ("PYTHONPATH", "SOOPS_2026_2", "COLUMNS")
    env = {name: value for name, value in os.environ.items() if name not in left_out}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    return {**env, "MPLBACKEND": "agg", "PYTHONWARNINGS": "ignore", **more}


def _run(
    words: list[str], cwd: Path, check: bool, **options: Any
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=120, **options)
    if check:
        assert done.returncode == 0, f"{words[3:]}\n{done.stdout}\n{done.stderr}"
    return done


#: Imports 2026.2 once, which takes longer than most commands; each command is a fork of it.
SERVER = """
import importlib, json, os, sys

modules = json.loads(sys.argv[1])
mains = {name: importlib.import_module("soops." + inner).main for name, inner in modules.items()}
for line in sys.stdin:
    job = json.loads(line)
    if pid := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        continue
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in ((1, job["out"]), (2, job["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["soops-" + job["command"], *job["words"]]
    sys.exit(mains[job["command"]]())
"""


@pytest.fixture(scope="session")
def old_server(old_package: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a process that has imported 2026.2 and forks for each command."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, json.dumps(MODULES)],
        env=_environment(PYTHONPATH=str(old_package)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate()


@pytest.fixture
def old(old_package: Path, old_server: subprocess.Popen[str], tmp_path: Path) -> Command:
    """Return what runs a command of 2026.2: ``old("run", "-n", "1", ..., check=True)``."""

    def run(command: str, *words: str, cwd: Path = tmp_path, check: bool = True, **env: str) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            job = {
                "command": command,
                "words": list(map(str, words)),
                "cwd": str(cwd),
                "env": _environment(PYTHONPATH=str(old_package), **env),
                "out": str(out),
                "err": str(err),
            }
            old_server.stdin.write(json.dumps(job) + "\n")
            old_server.stdin.flush()
            code = int(old_server.stdout.readline())
            texts = out.read_text(), err.read_text()
        done = subprocess.CompletedProcess(words, code, *texts)
        assert not check or code == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def new(tmp_path: Path) -> Command:
    """Return what runs a command of ours in the same way."""

    def run(command: str, *words: str, cwd: Path = tmp_path, check: bool = True, **env: str) -> Any:
        line = [sys.executable, "-m", "soops", command, *map(str, words)]
        return _run(line, cwd, check, env=_environment(**env))

    return run


MINI = """\
def get_run_info():
    run_cmd = "sh {script_dir}/program.sh {output_dir}"
    opt_args = {
        "--aa": "--aa={--aa}",
        "--bb": "--bb={--bb}",
        "--flag": "--flag",
        "--fail": "--fail={--fail}",
        "--name": "--name={--name}",
    }
    return run_cmd, opt_args, "output_dir", "done.txt"


def get_scoop_info():
    import soops.scoop_outputs as sc

    return [("soops-parameters.csv", sc.load_soops_parameters, True), ("words.txt", scrape)]


def scrape(filename, rdata=None):
    with open(filename) as fd:
        return {"words": fd.read().split("|")[:-1], "length": 1}
"""

#: Writes its words to words.txt, adds a line to started.txt, fails when told, makes done.txt.
PROGRAM = """\
dir=$1
shift
echo x >> "$dir/started.txt"
printf '%s|' "$@" > "$dir/words.txt"
for word in "$@"; do
    case $word in
        --fail=sig) kill -9 $$ ;;
        --fail=@*) ;;
        --fail=*) exit "${word#--fail=}" ;;
    esac
done
touch "$dir/done.txt"
"""


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """Return ``mini.py`` in a new directory; its program is a small shell script."""
    (tmp_path / "program.sh").write_text(PROGRAM)
    path = tmp_path / "mini.py"
    path.write_text(MINI)
    return path


@pytest.fixture(scope="session")
def starts() -> Callable[[Path], dict[str, int]]:
    """Return what counts how often the program was started in each run directory of a root."""

    def count(root: Path) -> dict[str, int]:
        found = sorted(root.glob("*/started.txt"))
        return {path.parent.name: len(path.read_text().split()) for path in found}

    return count
