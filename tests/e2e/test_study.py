"""A study from its first command to its table, as a user types it."""

from __future__ import annotations

import csv
import signal
import subprocess
import time

import pandas as pd
import pytest

STUDY = "output_dir='out/runs/%s', --num=[1, 2, 3], --flag=['@defined', '@undefined']"


def run(project, study=STUDY, *words, check=0):
    return project.soops("run", "-o", "out", *words, study, "mod.py", check=check)


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def wait_until(condition, seconds=20):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


def test_run_then_nothing_to_do_then_more(project):
    done = run(project)
    assert "6 parameter sets: 6 done" in done.stderr
    assert done.stdout == ""
    names = sorted(
        path.name for path in (project.path / "out/runs").iterdir() if path.name[0] != "."
    )
    assert [name[:4] for name in names] == [f"{n:03d}-" for n in range(6)]
    assert len(project.ended()) == 6

    assert "6 finished before" in run(project).stderr
    assert len(project.started()) == 6

    more = STUDY.replace("[1, 2, 3]", "[1, 2, 3, 4]")
    assert "6 finished before, 2 done" in run(project, more).stderr
    assert len(project.started()) == len(set(project.started())) == 8


def test_every_run_leaves_its_files(project):
    run(project)
    directory = min((project.path / "out/runs").glob("000-*"))
    assert (directory / "stdout.txt").read_text() == "out 1\n"
    assert (directory / "stderr.txt").read_text() == "err 1\n"
    (row,) = read_csv(directory / "soops-parameters.csv")
    assert row["finished"] == "True"
    assert row["iset"] == "000"
    assert (row["--num"], row["--mode"], row["--flag"]) == ("1", "@undefined", "@defined")
    assert row["pkey"] == directory.name[4:]
    (directory / "result.txt").unlink()
    subprocess.run([directory / "run.py"], cwd="/", env=project.env, check=True)
    assert (directory / "result.txt").exists()
    rows = read_csv(project.path / "out/all_parameters.csv")
    assert [row["iset"] for row in rows] == [f"{n:03d}" for n in range(6)]
    assert (project.path / "out/options.txt").exists()
    assert "number of parameter sets: 6" in (project.path / "out/output_log.txt").read_text()


def test_a_dry_run_writes_nothing_and_says_what_it_would_do(project):
    before = sorted(project.path.rglob("*"))
    done = run(project, STUDY, "--dry-run")
    assert sorted(project.path.rglob("*")) == before
    assert len(done.stdout.splitlines()) == 6
    assert "sh ./prog.sh out/runs/000-" in done.stdout
    assert "6 to run, 0 to skip" in done.stderr


def test_the_ways_to_fail_are_told_apart(project):
    study = "output_dir='out/%s', --num=1, --mode=[ok, fail, signal, hang]"
    records = project.json("run", "-t", "4", "--grace", "0.2", study, "mod.py", check=1)
    seen = [
        (record["state"], record["cause"], record["returncode"], record["signal"])
        for record in records
    ]
    # The shell and its program get TERM together: either may tell of it.
    ended = [item for item in seen if item[0] != "timeout"]
    assert sorted(ended, key=str) == [
        ("done", "exit", 0, None),
        ("failed", "exit", 3, None),
        ("failed", "signal", 139, "SIGSEGV"),
    ]
    assert [item[1] for item in seen if item[0] == "timeout"] == ["timeout"]
    found = {item["state"]: item for item in project.json("find", "out")}
    assert set(found) == {"done", "failed", "timeout"}
    only = project.soops("find", "--state", "timeout", "out").stdout
    assert "timeout" in only and "failed" not in only and "done" not in only


def test_failed_runs_are_run_again_and_keep_their_logs(project):
    study = "output_dir='out/%s', --num=1, --mode=fail"
    run(project, study, check=1)
    run(project, study, check=1)
    directory = next((project.path / "out").glob("000-*"))
    assert (directory / "stderr.txt").read_text() == "err 1\n"
    assert (directory / "stderr.txt.attempt-1").read_text() == "err 1\n"
    (found,) = project.json("find", "out")
    assert found["attempts"] == 2
    run(project, study, "--accept-exit", "0,3")
    assert len(project.started()) == 3


def test_retries_within_one_pass(project):
    study = "output_dir='out/%s', --num=1, --mode=fail"
    run(project, study, "--retries", "2", check=1)
    assert len(project.started()) == 3


def test_first_ctrl_c_drains_and_the_same_command_goes_on(project):
    study = "output_dir='out/%s', --num=[1, 2, 3, 4, 5, 6, 7, 8], --mode=@undefined"
    slow = (
        (project.path / "prog.sh")
        .read_text()
        .replace("case ${mode:-ok} in", "sleep 0.5\ncase ${mode:-ok} in")
    )
    (project.path / "prog.sh").write_text(slow)
    driver = project.start("run", "-n", "2", study, "mod.py")
    wait_until(lambda: len(project.started()) >= 2)
    driver.send_signal(signal.SIGINT)
    _, stderr = driver.communicate(timeout=30)
    assert driver.returncode == 130
    assert "no new runs" in stderr
    assert "the same command goes on" in stderr
    first = project.ended()
    assert 1 <= len(first) < 8
    assert sorted(first) == sorted(project.started()), "what was begun came to its end"
    run(project, study, "-n", "4")
    assert sorted(project.ended()) == sorted(set(project.ended())), "nothing was done twice"
    assert len(project.ended()) == 8


def test_second_ctrl_c_stops_at_once(project):
    study = "output_dir='out/%s', --num=[1, 2, 3], --mode=hang"
    driver = project.start("run", "-n", "2", "--grace", "0.2", study, "mod.py")
    wait_until(lambda: len(project.started()) >= 2)
    driver.send_signal(signal.SIGINT)
    assert any("no new runs" in line for line in driver.stderr), "it says that it heard"
    driver.send_signal(signal.SIGINT)
    _, stderr = driver.communicate(timeout=30)
    assert driver.returncode == 130
    assert "stopping the runs under way" in stderr
    states = [item["state"] for item in project.json("find", "out")]
    assert states.count("cancelled") == 2


def test_a_killed_driver_leaves_nothing_running_and_loses_nothing(project):
    study = "output_dir='out/%s', --num=[1, 2, 3, 4, 5, 6]"
    slow = (
        (project.path / "prog.sh")
        .read_text()
        .replace("case ${mode:-ok} in", "sleep 0.2\ncase ${mode:-ok} in")
    )
    (project.path / "prog.sh").write_text(slow)
    driver = project.start("run", "-n", "2", study, "mod.py")
    wait_until(lambda: len(project.ended()) >= 2)
    driver.kill()
    driver.communicate()
    done = run(project, study)
    assert " done" in done.stderr
    assert set(project.ended()) == set(project.started())
    states = [item["state"] for item in project.json("find", "out")]
    assert states == ["done"] * 6


def test_scoop_makes_the_table_and_runs_the_steps(project):
    run(project)
    done = project.soops("scoop", "-o", "out", "-s", "rdir", "mod.py", "out/runs")
    frame = pd.read_hdf(project.path / "out/results.h5", "df")
    assert list(frame["value"]) == [1, 4, 9, 1, 4, 9]
    assert frame["value"].dtype == "int64"
    assert list(frame["state"]) == ["done"] * 6
    assert "total: 28 over" in done.stdout
    assert (project.path / "out/results.csv").exists()
    again = project.soops(
        "scoop", "-o", "out", "-r", "--plugin-args=total={factor=2}", "mod.py", "out/runs"
    )
    assert "total: 56 over" in again.stdout


def test_a_failed_run_is_a_row_with_its_error(project):
    study = "output_dir='out/%s', --num=[1, 2], --mode=[ok, fail]"
    run(project, study, check=1)
    project.soops("scoop", "-o", "out", "--no-plugins", "mod.py", "out")
    frame = pd.read_hdf(project.path / "out/results.h5", "df")
    assert sorted(frame["state"]) == ["done", "done", "failed", "failed"]
    assert frame.loc[frame["state"] == "failed", "value"].isna().all()
    assert project.soops("scoop", "-o", "out", "--strict", "mod.py", "out", check=1)


def test_find_by_query(project):
    run(project)
    done = project.soops("find", "-q", "num == 2 and flag == '@undefined'", "-m", "single", "out")
    (line,) = done.stdout.splitlines()
    assert line.startswith("out/runs/004-")
    assert project.soops("find", "-q", "num > 100", "out").stdout == ""
    wrong = project.soops("find", "-q", "nun > 1", "out", check=None)
    assert wrong.returncode == 3
    assert "num" in wrong.stderr and "Traceback" not in wrong.stderr


def test_where_keeps_only_some_sets(project):
    plan = project.json(
        "run", "--dry-run", "--where", "num > 1 and flag == '@defined'", STUDY, "mod.py"
    )
    assert [item["parameters"]["--num"] for item in plan] == [2, 3]
    assert list(plan[0]) == [
        "number",
        "pkey",
        "identity",
        "directory",
        "command",
        "parameters",
        "decision",
        "reason",
    ]


def test_a_second_driver_is_refused(project):
    study = "output_dir='out/%s', --num=1, --mode=hang"
    driver = project.start("run", study, "mod.py")
    wait_until(lambda: project.started())
    refused = run(project, study, check=6)
    assert str(driver.pid) in refused.stderr
    driver.terminate()
    driver.communicate(timeout=30)
    assert driver.returncode == 130


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--nun=1, output_dir='o/%s'", "mod.py"], 3, "did you mean '--num'"),
        (["--num=[1,2, output_dir='o/%s'", "mod.py"], 3, "column"),
        (["--num=@arrange(3), output_dir='o/%s'", "mod.py"], 3, "did you mean 'arange'"),
        (["-c", "--num + --mode", "--num=[1,2], --mode=[a], output_dir='o/%s'", "mod.py"], 3, ""),
        (["--num=1, output_dir='o'", "mod.py"], 3, "%s"),
        (["--num=1, --mode=ok", "mod.py"], 3, "output_dir"),
        (["--num=1, output_dir='o/%s'", "mood.py"], 3, "did you mean 'mod.py'"),
        (["studies.cfg", "mod.py"], 3, "studies.cfg"),
        (["--runner", "locl", "--num=1, output_dir='o/%s'", "mod.py"], 4, "did you mean 'local'"),
        (
            ["--run-function", "subproces.run", "--num=1, output_dir='o/%s'", "mod.py"],
            4,
            "subprocess.run",
        ),
        (["-n", "0", "--num=1, output_dir='o/%s'", "mod.py"], 2, ""),
        (["--num=@generate, output_dir='o/%s'", "mod.py"], 3, "--generate-pars"),
    ],
)
def test_bad_input_is_three_lines_and_writes_nothing(project, words, code, said):
    before = sorted(project.path.rglob("*"))
    done = project.soops("run", *words, check=code)
    assert 1 <= len(done.stderr.splitlines()) <= 3, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    after = [path for path in sorted(project.path.rglob("*")) if "__pycache__" not in path.parts]
    assert after == before


@pytest.mark.parametrize("place", ["file", "/proc/nowhere"])
def test_an_output_directory_that_cannot_be_written_is_named_first(project, place):
    (project.path / "file").touch()
    before = sorted(project.path.rglob("*"))
    done = project.soops("run", "-o", place, STUDY, "mod.py", check=3)
    assert repr(place) in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    after = [path for path in sorted(project.path.rglob("*")) if "__pycache__" not in path.parts]
    assert after == before
