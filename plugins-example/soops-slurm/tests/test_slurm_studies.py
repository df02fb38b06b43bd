"""Whole studies through a real Slurm: what happens when drivers, nodes and jobs go."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from soops.testing import wait_until


def test_each_run_happens_once_and_nothing_is_left(study):
    study.write(24)
    study.run("--runner-opt", "bundle=4", "--runner-opt", "parallel=2", n=2)

    assert list(study.notes().values()) == [["start", "end"]] * 24
    assert {(record["state"], record["attempts"]) for record in study.records()} == {("done", 1)}
    assert {record["runner"] for record in study.records()} == {"slurm"}
    assert list((study.path / "runs/.soops/slurm").iterdir()) == []
    assert not list(study.path.glob("runs/*/.soops-attempt-*"))


def test_what_each_run_needs_is_asked_of_slurm(study):
    (study.path / "study.toml").write_text(
        """
        [study]
        command = ["sh", "-c", "echo $SLURM_CPUS_PER_TASK"]
        output_dir = "runs/%s"
        resources = { cpus = "n", memory = "10 MB" }
        [parameters]
        n = [1, 2]
        m = [1, 2, 3]
        [options]
        m = "{m}"
        """
    )
    study.run("--runner-opt", "bundle=3", n=6)

    shown = [(path / "stdout.txt").read_text().strip() for path in study.directories()]
    wanted = [record["parameters"]["n"] for record in study.records()]
    assert shown == [str(n) for n in wanted]
    assert sorted(shown) == ["1", "1", "1", "2", "2", "2"]


def test_a_killed_driver_is_followed_by_one_that_submits_nothing_twice(study):
    gate = study.path / "gate"
    study.write(12, str(gate))
    study.kill("--runner-opt", "bundle=2", n=6)  # four CPUs: some tasks have to wait
    (job,) = study.jobs()

    second = study.start("--runner-opt", "bundle=2", n=6)
    gate.touch()
    _, err = second.communicate(timeout=100)

    assert second.returncode == 0, err
    assert "12 runs were under way when the last driver ended; 12 go on" in err
    assert list(study.notes().values()) == [["start", "end"]] * 12
    for record in study.records():
        assert (record["state"], record["attempts"]) == ("done", 1)
        assert record["command"], "it is known in full"
    notes = [(path / "notes").read_text() for path in study.directories()]
    assert {line.split()[1] for text in notes for line in text.splitlines()} == {job}


def test_what_ended_without_any_driver_is_recorded(study):
    gate = study.path / "gate"
    study.write(4, str(gate))
    study.kill()
    gate.touch()
    wait_until(lambda: list(study.notes().values()) == [["start", "end"]] * 4)

    study.run()

    assert list(study.notes().values()) == [["start", "end"]] * 4
    assert {(record["state"], record["attempts"]) for record in study.records()} == {("done", 1)}


def test_a_study_is_left_and_taken_on(study):
    gate = study.path / "gate"
    study.write(12, str(gate))
    options = ("--runner-opt", "max_array=5")
    left = study.run("--detach", *options, n=2)
    wait_until(lambda: study.begun() == 2)
    words = ["squeue", "-h", "-r", "-o", "%i %r %E"]
    waiting = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    status = study.status()
    gate.touch()
    wait_until(lambda: study.over() == 12)
    err = study.run("--detach", n=2)

    assert "12 left in the queue" in left
    assert waiting.count("JobArrayTaskLimit") == 3 and waiting.count("afterany:") == 7
    assert status["state"] == "queued" and status["counts"] == {"queued": 10, "running": 2}
    assert "12 done" in err
    assert list(study.notes().values()) == [["start", "end"]] * 12
    assert {record["attempts"] for record in study.records()} == {1}
    assert study.jobs() == []


def test_a_driver_killed_before_it_knew_the_number_of_its_job(study):
    gate = study.path / "gate"
    study.write(4, str(gate))
    study.kill()
    for path in (study.path / "runs/.soops/slurm").glob("soops-*/id"):
        path.unlink()

    gate.touch()
    study.run()

    assert list(study.notes().values()) == [["start", "end"]] * 4
    assert {record["attempts"] for record in study.records()} == {1}


def test_a_job_that_somebody_cancels_is_cancelled_and_begun_again_by_the_next_driver(study):
    gate = study.path / "gate"
    study.write(2, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 2)
    (job,) = study.jobs()
    subprocess.run(["scancel", f"{job}_0"], check=True)
    wait_until(lambda: any(record["state"] == "cancelled" for record in study.records()))
    gate.touch()
    driver.communicate(timeout=100)
    states = {(record["state"], record["cause"]) for record in study.records()}
    assert states == {("cancelled", "cancelled"), ("done", "exit")}

    study.run("-r", "1")

    assert {record["state"] for record in study.records()} == {"done"}
    assert sorted(study.notes().values()) == [["start", "end"], ["start", "start", "end"]]


def test_a_node_that_is_drained_takes_no_more_and_the_study_goes_on(study):
    study.write(12)
    subprocess.run(["scontrol", "update", "nodename=n2", "state=drain", "reason=test"], check=True)
    try:
        study.run()
    finally:
        subprocess.run(["scontrol", "update", "nodename=n2", "state=resume"], check=True)
    assert list(study.notes().values()) == [["start", "end"]] * 12
    assert {record["state"] for record in study.records()} == {"done"}


def test_ctrl_c_twice_cancels_what_is_in_the_queue(study):
    study.write(8, str(study.path / "never"))
    driver = study.start(n=8)
    wait_until(lambda: study.begun() == 4)
    (job,) = study.jobs()
    driver.send_signal(2)
    wait_until(lambda: len(study.directories()) == 4)  # those that waited are withdrawn
    driver.send_signal(2)
    driver.communicate(timeout=100)

    assert driver.returncode == 130
    assert {record["state"] for record in study.records()} == {"cancelled"}
    left = subprocess.run(
        ["squeue", "-h", "-r", "-t", "pending,running", "-j", job], capture_output=True, text=True
    )
    assert left.stdout == ""


def test_options_reach_slurm_and_the_runs(study):
    words = "until [ -e ../../gate ]; do sleep 0.05; done; echo $COLOUR > seen"
    study.write(1, command=words)
    options = {"time": "00:10:00", "cpus": "2", "memory": "100M", "setup": "export COLOUR=blue"}
    options["extra"] = "--comment='a b' --nodelist=n2"
    driver = study.start(
        *(word for item in options.items() for word in ("--runner-opt", "=".join(item)))
    )
    wait_until(study.jobs)
    (job,) = study.jobs()
    shown = subprocess.run(
        ["squeue", "-h", "-a", "-t", "all", "-o", "%l|%C|%m|%k|%n", "-j", job],
        capture_output=True,
        text=True,
        check=True,
    )
    (study.path / "gate").touch()
    driver.communicate(timeout=100)
    assert driver.returncode == 0
    assert shown.stdout.strip() == "10:00|2|100M|a b|n2"
    (directory,) = study.directories()
    assert (directory / "seen").read_text().split()[0] == "blue"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_over_the_limit_of_its_task_is_a_timeout(study):
    study.write(1, str(study.path / "never"))
    driver = study.start("--runner-opt", "time=1", "--grace", "1")
    driver.communicate(timeout=250)
    assert driver.returncode == 1
    (record,) = study.records()
    assert (record["state"], record["cause"]) == ("timeout", "timeout")
    assert "TIMEOUT" in record["message"]


@pytest.mark.timeout(1200)
def test_many_runs_in_arrays_and_a_driver_that_is_killed_again_and_again(study, request):
    long = request.config.getoption("--long")
    sets, kills = (2000, 8) if long else (200, 3)
    study.write(sets)
    options = ("--runner-opt", f"bundle={20 if long else 10}", "--runner-opt", "parallel=2")
    for number in range(1, kills + 1):
        driver = study.start(*options)
        aim = number * sets // (kills + 1)
        wait_until(lambda aim=aim: study.begun() >= aim, 300)
        driver.kill()
        driver.communicate()
    final = study.start(*options)
    _, err = final.communicate(timeout=600)

    assert final.returncode == 0, err
    assert len(study.records()) == sets
    for notes, record in zip(study.notes().values(), study.records(), strict=True):
        assert record["state"] == "done"
        assert notes == ["start", "end"], "no run was begun twice"


def test_refusals_are_told_in_the_words_of_slurm(study):
    study.write(2)
    err = study.run("--runner-opt", "partition=nowhere", code=5)
    assert "invalid partition specified: nowhere" in err
    assert len(err.strip().splitlines()) <= 6 and "Traceback" not in err
    assert list((study.path / "runs/.soops/slurm").iterdir()) == []


def test_a_python_that_nodes_do_not_have_is_told(study):
    study.write(2)
    err = study.run("--runner-opt", "python=/no/such/python", code=5)
    assert "the batch script failed on n" in err and "/no/such/python" in err
    assert "Traceback" not in err


def test_no_slurm_at_all(study, tmp_path, monkeypatch):
    study.write(2)
    monkeypatch.setenv("PATH", str(tmp_path))
    err = study.run(code=5)
    assert "there is no program 'sbatch' on PATH" in err
    assert not (tmp_path / "runs").exists()


def test_a_controller_that_does_not_answer_is_told_at_the_start(study, tmp_path, monkeypatch):
    study.write(2)
    (tmp_path / "slurm.conf").write_text(
        Path(os.environ["SLURM_CONF"]).read_text().replace("Port=16817", "Port=16999")
    )
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    err = study.run(code=5)
    assert "Slurm does not answer" in err
    assert not (tmp_path / "runs").exists()
