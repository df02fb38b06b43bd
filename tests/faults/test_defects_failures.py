"""Defects of soops 2026.2, by their number in docs/differences.md: failures that nobody saw."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

import soops

# --- D1: the exit status counted for nothing -------------------------------------------------


def test_d01_a_failed_run_is_failed_whatever_files_it_left(mini):
    result = mini.run("--fail=[0, 1, sig]")

    assert result.code == 1
    assert "3 parameter sets: 1 done, 2 failed" in result.err
    done, failed, killed = mini.found()
    assert (done.state, done.cause, done.returncode) == ("done", "exit", 0)
    assert (failed.state, failed.cause, failed.returncode) == ("failed", "exit", 1)
    assert (killed.state, killed.cause, killed.signal) == ("failed", "signal", "SIGKILL")
    assert all((path / "done.txt").exists() for path in mini.directories())
    assert [found.finished for found in mini.found()] == [True, False, False]
    assert [mini.csv_row(path)["finished"] for path in mini.directories()] == [
        "True",
        "False",
        "False",
    ]
    assert [found.number for found in soops.find(["out"], states=["failed"])] == [1, 2]


def test_d01_what_failed_is_run_again_and_what_is_done_is_not(mini):
    mini.run("--fail=[0, 1]")

    mini.run("--fail=[0, 1]")

    assert mini.logs() == [["start", "end"], ["start", "end", "start", "end"]]


@pytest.mark.parametrize(
    "program, code", [(None, (2, 127)), ("if then\n", (2,))], ids=["missing", "syntax"]
)
def test_d01_a_program_that_does_not_start_is_a_failure(mini, program, code):
    if program is None:
        (mini.folder / "program.sh").unlink()
    else:
        mini.write("program.sh", program)

    result = mini.run("--aa=1")

    (found,) = mini.found()
    assert result.code == 1
    assert found.state == "failed"
    assert found.returncode in code
    assert not found.finished


# --- D2: a dry run wrote -----------------------------------------------------------------------


def test_d02_a_dry_run_leaves_the_disk_as_it_is(mini):
    before = sorted(mini.folder.rglob("*"))

    result = mini.run("--aa=[1, 2, 3]", "--dry-run")

    assert result.code == 0
    assert len(result.out.splitlines()) == 3
    after = [path for path in sorted(mini.folder.rglob("*")) if "__pycache__" not in path.parts]
    assert after == before


def test_d02_a_dry_run_of_a_study_that_exists_changes_no_file(mini):
    mini.run("--fail=[0, 1]")
    before = {path: path.read_bytes() for path in mini.root.rglob("*") if path.is_file()}

    result = mini.run("--fail=[0, 1, 2]", "--dry-run", "-r", "2")

    assert result.code == 0
    assert {path: path.read_bytes() for path in mini.root.rglob("*") if path.is_file()} == before
    assert mini.states() == ["done", "failed"]


def test_d02_a_dry_run_finishes_nothing(mini):
    mini.run("--aa=[1, 2]", "--dry-run")

    mini.run("--aa=[1, 2]")

    assert mini.logs() == [["start", "end"], ["start", "end"]]


# --- D3: nothing of a run was kept -------------------------------------------------------------


def test_d03_the_output_of_each_run_is_in_its_directory_and_not_on_the_terminal(mini):
    mini.write("program.sh", 'echo "to out: $2"\necho "to err: $2" >&2\ntouch "$1/done.txt"\n')

    result = mini.run("--aa=[1, 2]", "--silent")

    assert (result.code, result.out, result.err) == (0, "", "")
    for directory, value in zip(mini.directories(), "12", strict=True):
        assert (directory / "stdout.txt").read_text() == f"to out: --aa={value}\n"
        assert (directory / "stderr.txt").read_text() == f"to err: --aa={value}\n"


def test_d03_times_host_and_return_code_are_recorded(mini):
    mini.run("--aa=1, --fail=3")

    (found,) = mini.found()
    assert found.started < found.ended
    assert found.started.endswith(("Z", "+00:00"))
    assert found.elapsed > 0
    assert found.host == socket.gethostname()
    assert (found.returncode, found.attempts) == (3, 1)
    record = json.loads(Path(found.path, "soops-run.json").read_text())
    assert [record[key] for key in ("state", "returncode", "host", "started", "ended")] == [
        "failed",
        3,
        found.host,
        found.started,
        found.ended,
    ]


def test_d03_the_time_of_a_run_begins_when_it_begins(mini):
    mini.run("--aa=[1, 2, 3]", "-n", "1")

    first, second, third = mini.found()
    assert first.ended <= second.started
    assert second.ended <= third.started


# --- D4: -r 0 called runs finished -------------------------------------------------------------


def test_d04_to_run_nothing_finishes_nothing(mini):
    mini.run("--fail=[0, 1]")
    before = mini.found()

    result = mini.run("--fail=[0, 1]", "-r", "0")

    assert result.code == 0
    assert mini.found() == before
    assert [found.finished for found in before] == [True, False]
    assert [mini.csv_row(path)["finished"] for path in mini.directories()] == ["True", "False"]
    assert mini.logs() == [["start", "end"], ["start", "end"]]


def test_d04_to_run_nothing_of_a_new_study_is_no_error(mini):
    result = mini.run("--aa=[1, 2]", "-r", "0")

    assert result.code == 0
    assert "2 parameter sets" in result.err
    assert mini.directories() == []


# --- D5: a mistake in the middle ended the bookkeeping -----------------------------------------


def test_d05_a_check_that_raises_is_named_and_runs_under_way_are_recorded(mini):
    module = (mini.folder / "mini.py").read_text()
    check = (
        "def check(pars, options):\n    if pars['--aa'] == 2:\n        raise OSError('no disk')\n"
    )
    mini.write("mini.py", check + "    return False\n\n\n" + module.replace('"done.txt"', "check"))
    mini.run("--aa=[1, 2, 3]", module="mini.py")

    result = mini.run("--aa=[1, 4, 2, 3]", "-n", "1")

    assert result.code == 3
    assert "Traceback" not in result.err
    assert "the completion check raised OSError: no disk" in result.err
    assert [len(log) for log in mini.logs()] == [4, 2, 2, 2]
    assert mini.states() == ["done"] * 4
    rows = (mini.root / "all_parameters.csv").read_text().splitlines()
    assert len(rows) == 5


def test_d05_a_word_that_is_no_directive_is_told_before_anything_runs(mini):
    result = mini.run("--aa=[1, 2], --name=@foo")

    assert result.code == 3
    assert "unknown directive 'foo'" in result.err
    assert "Traceback" not in result.err
    assert not mini.root.exists()


def test_d05_lists_are_values_like_others(mini):
    result = mini.run("--aa=[1, [2, 3], [[4]]]")

    assert result.code == 0
    assert [found.parameters["--aa"] for found in mini.found()] == [1, [2, 3], [[4]]]
    assert [mini.words(path) for path in mini.directories()] == [
        ["--aa=1"],
        ["--aa=[2, 3]"],
        ["--aa=[[4]]"],
    ]


# --- D6: one run's trouble was everybody's -----------------------------------------------------


def test_d06_a_command_that_is_too_long_is_one_failed_run(mini):
    long = "x" * 200_000

    result = mini.run(f"--name=[a, '{long}', b]")

    assert result.code == 1
    assert mini.states() == ["done", "failed", "done"]
    assert [found.cause for found in mini.found()] == ["exit", "too-long", "exit"]
    assert [found.finished for found in mini.found()] == [True, False, True]
    assert mini.found()[1].parameters["--name"] == long


def test_d06_a_run_that_deletes_its_own_directory_is_one_failed_run(mini):
    mini.write("program.sh", '[ "$2" != --aa=2 ] || rm -r "$1" && touch "$1/done.txt"\n')

    result = mini.run("--aa=[1, 2, 3]")

    assert result.code == 1
    assert mini.states() == ["done", "failed", "done"]
    assert [found.finished for found in mini.found()] == [True, False, True]
    assert os.listdir("out/" + Path(mini.found()[1].path).name)
