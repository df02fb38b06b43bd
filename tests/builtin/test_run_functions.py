"""The three run functions say where the output goes and what is measured; nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from soops.api import App, Job, Slot, State, run_job
from soops_builtin.run_functions.supervised import SAMPLE, os_system, psutil_popen, subprocess_run

NAMES = {
    "subprocess.run": subprocess_run,
    "psutil.Popen": psutil_popen,
    "os.system": os_system,
}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        key="000",
        attempt=2,
        command="echo said; echo complained >&2",
        launch=Slot.LAUNCH,
        directory=str(tmp_path),
        cwd=str(tmp_path),
        env={"A": "b"},
        timeout=30.0,
        grace=0.25,
        stdout=str(tmp_path / "stdout.txt"),
        stderr=str(tmp_path / "stderr.txt"),
        max_output=1000,
    )


def changed(before: Job, after: Job) -> set[str]:
    names = (field.name for field in dataclasses.fields(Job))
    return {name for name in names if getattr(before, name) != getattr(after, name)}


@pytest.mark.parametrize("name", NAMES)
def test_it_has_its_name(name):
    assert App.create().resolve("run function", name) is NAMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_timeout_grace_and_command_stay(name, job):
    copy = dataclasses.replace(job)

    after = NAMES[name](job)

    assert job == copy
    assert not changed(job, after) & {"timeout", "grace", "command", "env", "cwd", "launch"}


def test_subprocess_run_captures(job):
    outcome = run_job(subprocess_run(job))

    assert outcome.state is State.DONE
    assert Path(job.stdout).read_text() == "said\n"
    assert Path(job.stderr).read_text() == "complained\n"


def test_psutil_popen_looks_at_the_tree_once_a_second(job):
    after = psutil_popen(job)

    assert changed(job, after) == {"sample"}
    assert after.sample == SAMPLE == 1.0


def test_psutil_popen_keeps_an_interval_that_was_asked_for(job):
    asked = dataclasses.replace(job, sample=0.125)

    assert psutil_popen(asked) is asked


def test_psutil_popen_measures(job):
    after = psutil_popen(dataclasses.replace(job, command="sleep 0.3"))

    assert run_job(after).usage.tree_rss > 0


def test_os_system_leaves_the_terminal_to_the_program(job, capfd):
    slot = Slot()  # a slot has the streams that the driver had at its start
    slot.start()

    outcome = slot.run(os_system(job))
    slot.close()

    assert outcome.state is State.DONE
    assert capfd.readouterr() == ("said\n", "complained\n")
    assert not Path(job.stdout).exists()


def test_os_system_keeps_the_timeout(job):
    outcome = run_job(dataclasses.replace(os_system(job), command="sleep 60", timeout=0.2))

    assert (outcome.state, outcome.signal) == (State.TIMEOUT, "SIGTERM")
