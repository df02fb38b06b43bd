"""Runs that are tried again in the same pass: after what, how often, when."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import soops
from soops.cli import run_main
from soops.testing import wait_until

MODULE = """\
def get_run_info():
    return "sh {script_dir}/program.sh {output_dir}", {"--how": "--how={--how}"}, "output_dir", "ok"
"""
#: Ends as told at its first two starts, and well at the third.
PROGRAM = """\
date +%s.%N >> "$1/starts"
if [ "$(wc -l < "$1/starts")" -lt 3 ]; then
    case $2 in
        --how=kill) kill -9 $$ ;;
        --how=hang) sleep 1000 ;;
        --how=*) exit "${2#--how=}" ;;
    esac
fi
touch "$1/ok"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mod.py").write_text(MODULE)
    Path("program.sh").write_text(PROGRAM)
    return tmp_path


def run(hows: str, *words: str) -> tuple[int, dict[str, tuple[int, str]]]:
    """Run a study; return the exit code, and the attempts and states by what was told."""
    code = run_main(["--silent", *words, f"--how=[{hows}], output_dir='out/%s'", "mod.py"])
    found = soops.find(["out"])
    return code, {str(run.parameters["--how"]): (run.attempts, run.state) for run in found}


def test_by_default_failures_and_timeouts(here):
    assert run("3, kill, hang", "--retries", "2", "-t", "1", "--grace", "0.1") == (
        0,
        {"3": (3, "done"), "kill": (3, "done"), "hang": (3, "done")},
    )


@pytest.mark.parametrize(
    "words, attempts",
    [
        ("exit:3", {"3": 3, "4": 1, "kill": 1}),
        ("exit:4,signal:SIGKILL", {"3": 1, "4": 3, "kill": 3}),
        ("signal:kill", {"3": 1, "4": 1, "kill": 3}),
        ("failed", {"3": 3, "4": 3, "kill": 3}),
        ("timeout", {"3": 1, "4": 1, "kill": 1}),
        ("lost, exit:3", {"3": 3, "4": 1, "kill": 1}),
    ],
)
def test_only_after_what_is_named(here, words, attempts):
    code, ended = run("3, 4, kill", "--retries", "5", "--retry-on", words)

    assert {how: tries for how, (tries, _) in ended.items()} == attempts
    assert {how for how, (_, state) in ended.items() if state == "done"} == {
        how for how, tries in attempts.items() if tries == 3
    }
    assert code == int(1 in attempts.values())


def test_the_number_of_retries_is_kept_to(here):
    assert run("3", "--retries", "1", "--retry-on", "exit:3") == (1, {"3": (2, "failed")})


def test_others_go_on_while_one_waits(here):
    summary = soops.run(
        "--how=[3, 0, 0], output_dir='out/%s'", "mod.py", retries=2, retry_delay=1.5, n_workers=1
    )

    assert summary.ok
    logs = [path.read_text().split() for path in sorted(Path("out").glob("*/starts"))]
    first, others = [float(word) for word in logs[0]], [float(log[0]) for log in logs[1:]]
    assert all(later - earlier >= 1.5 for earlier, later in itertools.pairwise(first))
    assert max(others) < first[1], "nobody waited with it"


def test_ctrl_c_ends_the_wait(here):
    """A run that waits for its next attempt is not under way."""
    command = [sys.executable, "-m", "soops", "run", "--retries", "9", "--retry-delay", "1000"]
    driver = subprocess.Popen(
        [*command, "--how=3, output_dir='out/%s'", "mod.py"], stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: list(Path("out").glob("*/soops-run.json")))

    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert [run.state for run in soops.find(["out"])] == ["failed"]


@pytest.mark.parametrize(
    "word",
    ["exit:x", "signal:SIGNOSUCH", "done", "fialed", "exit", f"exit:{'9' * 5000}", "signal:_DFL"],
    ids=lambda word: word[:20],
)
def test_what_cannot_be_retried_is_refused(here, capfd, word):
    code = run_main(["--retries", "1", "--retry-on", word, "--how=1, output_dir='o/%s'", "mod.py"])

    assert code == 2
    assert f"--retry-on does not know {word!r}"[:80] in capfd.readouterr().err
    assert not Path("o").exists()
