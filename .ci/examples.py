"""Install the example plugins, run their tests, uninstall them, and miss their names.

What they need besides soops is installed, and stays.

Usage: python .ci/examples.py      (in an environment that has soops with its test extra)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted(path.parent for path in (ROOT / "plugins-example").glob("*/pyproject.toml"))
#: What each example gives, by distribution: pairs of kind and name.
GIVES = {
    "soops-netcdf": [("scraper", "netcdf")],
    "soops-nice": [("runner", "nice")],
    "soops-slurm": [("runner", "slurm"), ("runner", "pbs"), ("runner", "lsf")],
    "soops-study-tools": [
        ("directive", "chebyshev"),
        ("step", "group_table"),
        ("command", "tree"),
    ],
    "soops-xvg": [("scraper", "xvg")],
}


def run(*words: str | Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment; show it."""
    command = [sys.executable, "-m", *map(str, words)]
    print("$", "python", *command[1:], flush=True)
    return subprocess.run(command, text=True, **settings)


def given() -> dict[str, list[tuple[str, str]]]:
    """Return what ``soops plugins --json`` says of each distribution."""
    done = run("soops", "plugins", "--json", check=True, stdout=subprocess.PIPE)
    found: dict[str, list[tuple[str, str]]] = {}
    for line in done.stdout.splitlines():
        plugin = json.loads(line)
        pairs = [(kind, name) for kind, names in plugin["gives"].items() for name in names]
        found.setdefault(plugin["distribution"], []).extend(pairs)
    return found


#: Tests that start a Slurm of their own, and stop it. Those that take it apart and the long
#: contract are left out: all of them together take five minutes (``pytest --slurm``).
WITH_SLURM = ("studies", "refusals", "documents")


def has_slurm() -> bool:
    """Return whether the tests of soops-slurm can start a Slurm of their own."""
    return os.geteuid() == 0 and shutil.which("slurmctld") is not None


def needs(path: Path) -> list[str]:
    """Return what an example needs; not soops, which is the one of this clone."""
    project = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [item for item in project["dependencies"] if not item.startswith("soops")]


def run_tests(path: Path) -> None:
    """Run the tests of an example; those with a Slurm one by one, since there can be one only."""
    words = ("pytest", "-q", "-rs", "-c", path / "pyproject.toml")
    run(*words, "-n", "2", path / "tests", check=True)
    if path.name == "soops-slurm" and has_slurm():
        files = [path / "tests" / f"test_slurm_{name}.py" for name in WITH_SLURM]
        run(*words, "--slurm", *files, check=True)


def main() -> None:
    """Do it all; an exception or a failing command ends it."""
    names = [path.name for path in EXAMPLES]
    assert names == sorted(GIVES), names
    try:
        run(
            "pip",
            "install",
            "--quiet",
            *(item for path in EXAMPLES for item in needs(path)),
            check=True,
        )
        run("pip", "install", "--quiet", "--no-deps", *EXAMPLES, check=True)
        found = given()
        for name, pairs in GIVES.items():
            assert sorted(found[name]) == sorted(pairs), (name, found[name])
        run("soops", "plugins", "check", check=True)
        for path in EXAMPLES:
            run_tests(path)
    finally:
        run("pip", "uninstall", "--quiet", "--yes", *names, check=True)
    found = given()
    assert not set(GIVES) & set(found), found
    for pairs in GIVES.values():
        for kind, name in pairs:
            done = run("soops", "plugins", "show", name, capture_output=True)
            assert done.returncode == 2, (kind, name, done)
            assert f"unknown plugin or name {name!r}" in done.stderr, (kind, name, done.stderr)
            assert "Traceback" not in done.stderr, done.stderr
    print(f"{len(names)} examples passed, 0 failed")


if __name__ == "__main__":
    main()
