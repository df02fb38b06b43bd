"""Whole studies through programs that behave as those of PBS and LSF do.

Neither was ever there: ``fake_cluster.py`` answers in the formats of their documentation.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from soops_slurm.options import LsfOptions, PbsOptions
from soops_slurm.runners import LsfRunner, PbsRunner

from soops.api import RunnerSetup
from soops.testing import RunnerContract, wait_until

CLUSTER = Path(__file__).with_name("fake_cluster.py")
PROGRAMS = {
    "pbs": ("qsub", "qstat", "qselect", "qdel"),
    "lsf": ("bsub", "bjobs", "bkill", "bparams"),
}
QUICK = {"poll": 0.1, "poll_max": 0.3, "patience": 2.0}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Put the programs of PBS and LSF on PATH; return where their cluster is."""
    programs, home = tmp_path / "bin", tmp_path / "cluster"
    programs.mkdir()
    home.mkdir()
    for name in (*PROGRAMS["pbs"], *PROGRAMS["lsf"]):
        command = shlex.join([sys.executable, "-S", str(CLUSTER), name])
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_CLUSTER", str(home))
    return home


def cancel(scheduler: str, job: str, number: int) -> None:
    name = f"{job}[{number}].fake" if scheduler == "pbs" else f"{job}[{number + 1}]"
    subprocess.run(["qdel" if scheduler == "pbs" else "bkill", name], check=True)


def poke(scheduler: str) -> None:
    """Let the cluster do what is due."""
    words = ["qstat", "-B", "-f"] if scheduler == "pbs" else ["bparams", "-a"]
    subprocess.run(words, check=True, capture_output=True)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("scheduler", ["pbs", "lsf"])
class TestStudies:
    @pytest.fixture
    def study(self, queued_study, scheduler):
        return queued_study(scheduler)

    def test_thirty_sets_one_fails_one_is_cancelled_and_the_driver_dies(self, study, scheduler):
        gate = study.path / "gate"
        study.write(30, str(gate), fails=7)
        options = ("--runner-opt", "bundle=2")
        study.kill(*options, n=15)
        second = study.start(*options, n=15)
        wait_until(lambda: study.begun() == 4)
        (job,) = study.jobs()
        (first, *_) = [path for path in study.directories() if path.name.startswith("000-")]
        cancel(scheduler, job.split("[")[0].split(".")[0], 0)
        wait_until((first / "soops-run.json").exists)
        gate.touch()
        out, err = second.communicate(timeout=100)

        assert second.returncode == 1, (out, err)
        states = [record["state"] for record in study.records()]
        # The other run of the cancelled task had not begun: it is left for the next time.
        assert {state: states.count(state) for state in states} == {
            "cancelled": 1,
            "failed": 1,
            "done": 27,
        }
        assert {record["attempts"] for record in study.records()} == {1}

        err = study.run("-r", "1", "--where", "n != 7")

        states = {record["state"] for record in study.records()}
        assert states == {"done", "failed"} and len(study.records()) == 30, err
        notes = list(study.notes().values())
        assert notes.count(["start", "end"]) == 29
        assert notes.count(["start", "start", "end"]) == 1, "only what was cancelled"
        assert list((study.path / "runs/.soops" / scheduler).iterdir()) == []

    def test_a_driver_killed_before_it_knew_the_number_of_its_job(self, study, scheduler):
        gate = study.path / "gate"
        study.write(4, str(gate))
        study.kill()
        for path in (study.path / "runs/.soops" / scheduler).glob("soops-*/id"):
            path.unlink()
        gate.touch()
        study.run()
        assert list(study.notes().values()) == [["start", "end"]] * 4
        assert {record["attempts"] for record in study.records()} == {1}

    def test_a_study_of_one_run(self, study):
        study.write(1)
        study.run()
        assert [record["state"] for record in study.records()] == ["done"]

    def test_a_study_is_left_and_taken_on(self, study, scheduler, cluster):
        gate = study.path / "gate"
        study.write(12, str(gate), fails=3)
        left = study.run("--detach", "--runner-opt", "max_array=5", n=2)
        poke(scheduler)
        wait_until(lambda: study.begun() == 2)
        poke(scheduler)
        status = study.status()
        gate.touch()
        wait_until(lambda: poke(scheduler) or study.over() == 12)
        err = study.run("--detach", n=2, code=1)

        assert "12 left in the queue" in left
        assert status["state"] == "queued" and status["counts"] == {"queued": 10, "running": 2}
        started = [path.stat().st_mtime_ns for path in sorted(cluster.glob("*.started"))]
        assert len(list(cluster.glob("script-*"))) == 3 and len(started) == 12
        assert max(started[:5]) < min(started[5:10]) < max(started[5:10]) < min(started[10:])
        assert "11 done, 1 failed" in err
        assert list(study.notes().values()) == [["start", "end"]] * 12
        assert {record["attempts"] for record in study.records()} == {1}
        assert list((study.path / "runs/.soops" / scheduler).iterdir()) == []

    def test_what_the_queue_does_not_take_is_left_for_the_next_time(self, study, cluster):
        (cluster / "full").write_text("1")
        gate = study.path / "gate"
        study.write(7, str(gate))
        left = study.run("--detach", "--runner-opt", "max_array=5", n=4)
        (cluster / "full").unlink()
        gate.touch()
        err = study.run(n=4)

        assert "2 not started, 5 left in the queue" in left
        assert "7 done" in err
        assert list(study.notes().values()) == [["start", "end"]] * 7
        assert {record["attempts"] for record in study.records()} == {1}

    def test_a_refusal_is_told(self, study):
        study.write(2)
        err = study.run("--runner-opt", "queue=nowhere", code=5)
        assert "refuses the job: " in err and "queue" in err.lower()
        assert "Traceback" not in err

    def test_a_python_that_nodes_do_not_have_is_told(self, study):
        study.write(2)
        err = study.run("--runner-opt", "python=/no/such/python", code=5)
        assert "the batch script failed on" in err and "/no/such/python" in err

    def test_ctrl_c_twice_ends_everything(self, study, cluster):
        study.write(8, str(study.path / "never"))
        driver = study.start(n=8)
        wait_until(lambda: study.begun() == 4)
        driver.send_signal(2)
        wait_until(lambda: len(list(cluster.glob("*.deleted"))) == 4)
        driver.send_signal(2)
        driver.communicate(timeout=100)
        assert driver.returncode == 130
        assert [record["state"] for record in study.records()] == ["cancelled"] * 4

    def test_how_many_runs_a_task_has_follows_from_how_long_they_take(self, study, cluster):
        study.write(60)
        study.run("--runner-opt", "fill=20", n=2)
        tasks = [path.stem.split("-")[1] for path in cluster.glob("task-*.json")]
        assert list(study.notes().values()) == [["start", "end"]] * 60
        assert len(tasks) < 8, "at first one, then all that are left"

    def test_setup_is_seen_by_the_runs(self, study):
        study.write(1, command="echo $COLOUR > seen")
        study.run("--runner-opt", "setup=export COLOUR=blue")
        (directory,) = study.directories()
        assert (directory / "seen").read_text() == "blue\n"


@pytest.mark.usefixtures("cluster")
def test_the_commands_of_the_page_do_what_they_say(queued_study, tmp_path):
    page = Path(__file__).parents[3] / "docs" / "howto" / "slurm.md"
    if not page.exists():
        pytest.skip("the pages of soops are not here")
    commands = re.findall(r"^soops run (--runner (?:pbs|lsf).*)$", page.read_text(), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        (_, runner, *words) = shlex.split(command)
        study = queued_study(runner)
        study.write(2)
        study.run("-r", "1", *words[:-1])
        assert [record["runner"] for record in study.records()] == [runner] * 2
        shutil.rmtree(study.path / "runs")


@pytest.mark.usefixtures("cluster")
class TestPbsContract(RunnerContract):
    @pytest.fixture
    def runner(self, cluster, tmp_path):
        setup = RunnerSetup(n_workers=2, options=PbsOptions(**QUICK), root=tmp_path)
        runner = PbsRunner(setup)
        yield runner
        runner.close()


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
class TestLsfContract(RunnerContract):
    @pytest.fixture
    def runner(self, cluster, tmp_path):
        setup = RunnerSetup(n_workers=2, options=LsfOptions(**QUICK), root=tmp_path)
        runner = LsfRunner(setup)
        yield runner
        runner.close()
