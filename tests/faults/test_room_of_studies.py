"""Studies whose runs wait for room on this machine: interrupted, killed, and gone on with."""

from __future__ import annotations

import signal
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

STUDY = "--aa=[1, 2, 3], --hold=gate"
ONE_AT_A_TIME = ("-n", "3", "--resources", "cpus=1", "--runner-opt", "cpus=1", "--silent")


def test_what_waits_for_room_is_taken_back_when_interrupted(mini):
    driver = mini.start(STUDY, *ONE_AT_A_TIME)
    mini.wait_for_runs(1)

    driver.send_signal(signal.SIGINT)
    mini.gate.touch()
    driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert mini.states() == ["done"]
    assert [log for log in mini.logs() if log] == [["start", "end"]]
    assert mini.run(STUDY, *ONE_AT_A_TIME).code == 0
    assert mini.states() == ["done"] * 3


def test_a_run_that_survives_is_taken_on_and_the_others_follow(mini, lives):
    driver = mini.start(STUDY, *ONE_AT_A_TIME, "--survive")
    (pid,) = mini.wait_for_runs(1)
    mini.wait_until(lambda: list(mini.root.glob("*/.soops-attempt-*")))
    driver.kill()
    driver.communicate()
    assert lives(pid)

    second = mini.start(STUDY, *ONE_AT_A_TIME)
    mini.gate.touch()
    _, err = second.communicate(timeout=60)

    assert second.returncode == 0, err
    assert mini.states() == ["done"] * 3
    assert mini.logs() == [["start", "end"]] * 3


def test_a_run_too_large_is_refused_and_what_ended_before_is_kept(mini):
    assert mini.run("--aa=1").code == 0

    called = mini.run("--aa=[1, 2]", "--resources", "cpus=9", "--runner-opt", "cpus=2")

    assert called.code == 5
    assert "needs cpus=9, but there are 2 in all" in called.err
    assert mini.states() == ["done"]
    assert mini.run("--aa=[1, 2]").code == 0
    assert [run.attempts for run in mini.found()] == [1, 1]
