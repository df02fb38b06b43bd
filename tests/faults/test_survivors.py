"""``--survive``: the driver is killed, its runs go on, and the next driver takes them on.

Programs of the study ``mini`` note their start and end, and wait for a file that opens the gate.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import soops
from soops.kernel.records.journal import read_under_way
from soops.testing import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

SURVIVE = ("--survive", "-n", "2", "--grace", "0.3", "--silent")
HELD = "--aa=[1, 2], --hold=gate"


def slots_of(mini) -> list[int]:
    """Return the slots that hold the runs under way."""
    found = []
    for path in mini.root.glob("*/.soops-attempt-*"):
        lines = path.read_text().splitlines()
        if len(lines) == 1:
            found.append(json.loads(lines[0])["pid"])
    return found


def wait_for_driver(mini, driver) -> None:
    """Wait until a driver has settled what was under way, and goes on."""
    mini.wait_until(
        lambda: json.loads(Path("out/.soops/study.json").read_text())["pid"] == driver.pid
    )


def killed(mini, study: str = HELD, *options: str, runs: int = 2) -> list[int]:
    """Kill a driver when its runs are under way; return the processes of these."""
    driver = mini.start(study, *SURVIVE, *options)
    pids = mini.wait_for_runs(runs)
    wait_until(lambda: len(slots_of(mini)) == runs)
    driver.kill()
    driver.communicate()
    return pids


def test_they_go_on_and_the_next_driver_waits_for_them(mini, lives):
    pids = killed(mini)
    assert all(map(lives, pids))
    assert mini.states() == ["running", "running"]

    second = mini.start(HELD, "-n", "2", "--silent")  # whatever it was asked for itself
    wait_for_driver(mini, second)
    assert mini.pids() == pids, "none was begun again"
    mini.gate.touch()
    _, err = second.communicate(timeout=60)

    assert second.returncode == 0, err
    assert "2 runs were under way when the last driver ended; 2 go on" in err
    assert mini.logs() == [["start", "end"], ["start", "end"]]
    for run in mini.found():
        assert (run.state, run.attempts, run.returncode) == ("done", 1, 0)
    assert read_under_way("out") == []
    assert not list(mini.root.glob("*/.soops-attempt-*"))


def test_what_ended_while_there_was_no_driver_is_recorded_in_full(mini):
    study = "--aa=[1, 2], --fail=[0, 7], --hold=gate"
    pids = killed(mini, study, "-c", "--aa + --fail")
    slots = slots_of(mini)
    mini.gate.touch()
    mini.wait_for_end([*pids, *slots])
    assert mini.states() == ["done", "failed"], "readers know it before any driver does"

    second = mini.run(study, "-c", "--aa + --fail", "-r", "0")

    assert "2 ended without it" in second.err
    records = [json.loads((path / "soops-run.json").read_text()) for path in mini.directories()]
    assert [record["state"] for record in records] == ["done", "failed"]
    assert [record["returncode"] for record in records] == [0, 7]
    assert all("program.sh" in record["command"] for record in records)
    assert all(record["elapsed"] > 0 and record["started"] for record in records)
    assert mini.logs() == [["start", "end"], ["start", "end"]]
    assert mini.run(study, "-c", "--aa + --fail", "--accept-exit", "7").code == 0
    assert mini.logs()[0] == ["start", "end"], "what was done is not run again"


def test_they_keep_their_workers(mini, lives):
    pids = killed(mini)
    more = "--aa=[3, 4, 1, 2], --hold=gate"
    second = mini.start(more, *SURVIVE)
    wait_for_driver(mini, second)
    assert len(list(mini.root.glob("*/log.txt"))) == 2, "with both in use nothing else begins"
    assert mini.pids() == pids
    mini.gate.touch()
    _, err = second.communicate(timeout=60)

    assert second.returncode == 0, err
    assert mini.logs() == [["start", "end"]] * 4
    assert {run.attempts for run in mini.found()} == {1}


def test_one_that_is_taken_on_and_fails_is_tried_again(mini):
    study = "--aa=1, --fail=sig, --hold=gate"
    killed(mini, study, runs=1)
    second = mini.start(study, "--retries", "1", "--silent")
    wait_for_driver(mini, second)
    mini.gate.touch()
    second.communicate(timeout=60)

    assert second.returncode == 1
    (run,) = mini.found()
    assert (run.state, run.signal, run.attempts) == ("failed", "SIGKILL", 2)
    assert mini.logs() == [["start", "end", "start", "end"]]


def test_ctrl_c_twice_ends_them(mini):
    pids = killed(mini)
    more = "--aa=[1, 2, 3], --hold=gate"
    second = mini.start(more, *SURVIVE, "-n", "3")
    pids += set(mini.wait_for_runs(3)) - set(pids)  # the third is begun after it took them on
    os.kill(second.pid, signal.SIGINT)
    os.kill(second.pid, signal.SIGTERM)
    second.communicate(timeout=60)

    assert second.returncode == 130
    mini.wait_for_end(pids)
    assert mini.states() == ["cancelled"] * 3
    mini.gate.touch()
    assert mini.run(more).code == 0
    assert mini.states() == ["done"] * 3


def test_two_ctrl_c_to_their_own_driver_end_them(mini):
    driver = mini.start(HELD, *SURVIVE)
    pids = mini.wait_for_runs(2)
    os.kill(driver.pid, signal.SIGINT)
    os.kill(driver.pid, signal.SIGTERM)
    driver.communicate(timeout=60)

    mini.wait_for_end(pids)
    assert mini.states() == ["cancelled", "cancelled"]


@pytest.mark.parametrize("who", ["slot", "program", "both"])
def test_one_that_is_killed_without_a_driver_is_lost_or_failed_and_done_again(mini, who):
    (pid,) = killed(mini, "--aa=1, --hold=gate", runs=1)
    (slot,) = slots_of(mini)
    for victim in {"slot": [slot], "program": [pid], "both": [slot, pid]}[who]:
        os.kill(victim, signal.SIGKILL)
    mini.wait_for_end([pid, slot])
    mini.gate.touch()

    second = mini.run("--aa=1, --hold=gate")

    assert second.code == 0, second.err
    (run,) = mini.found()
    assert (run.state, run.attempts) == ("done", 2)


def test_a_timeout_holds_without_a_driver(mini):
    pids = killed(mini, "--aa=1, --hold=gate", "-t", "1.5", runs=1)
    mini.wait_for_end([*pids, *slots_of(mini)])

    mini.run("--aa=1, --hold=gate", "-r", "0")

    assert mini.states() == ["timeout"]


def test_what_waited_behind_them_is_not_begun(mini):
    pids = killed(mini, "--aa=@range(8), --hold=gate")
    slots = slots_of(mini)
    mini.gate.touch()
    mini.wait_for_end([*pids, *slots])

    assert len([log for log in mini.logs() if log]) == 2
    assert mini.run("--aa=@range(8), --hold=gate").code == 0
    assert mini.logs() == [["start", "end"]] * 8


def test_runs_of_other_sets_go_on_and_are_recorded_in_time(mini, lives):
    (pid,) = killed(mini, "--aa=1, --hold=gate", runs=1)

    assert mini.run("--aa=2", "-n", "2").code == 0
    assert lives(pid)
    assert mini.states() == ["running", "done"]
    slots = slots_of(mini)
    mini.gate.touch()
    mini.wait_for_end([pid, *slots])
    assert mini.states() == ["done", "done"]
    assert mini.run("--aa=1, --hold=gate").code == 0
    assert mini.logs() == [["start", "end"]] * 2


def test_without_it_they_end_with_their_driver(mini, lives):
    driver = mini.start(HELD, "--silent")
    pids = mini.wait_for_runs(2)
    driver.kill()
    driver.communicate()

    mini.wait_for_end(pids)
    assert mini.states() == ["lost", "lost"]


def test_a_migration_waits_for_them(mini, lives):
    (pid,) = killed(mini, "--aa=1, --hold=gate", runs=1)

    told = mini.call(soops.cli.main, "migrate", "out", "--add=--new=1", "--apply")

    assert told.code == 3, told
    assert "goes on without its driver" in told.err
    assert lives(pid)


def test_a_runner_that_cannot_is_refused_before_anything_is_written(mini):
    told = mini.run("--aa=1", "--survive", "--runner", "dask")

    assert told.code == 2
    assert "'dask' runs cannot outlive their driver" in told.err
    assert not mini.root.exists()


def test_a_driver_that_is_killed_again_and_again_loses_no_time(mini):
    study = "--aa=@range(6), --hold=gate"
    pids = killed(mini, study)
    for _ in range(3):
        driver = mini.start(study, *SURVIVE)
        wait_for_driver(mini, driver)
        driver.kill()
        driver.communicate()
        assert mini.pids() == pids
    mini.gate.touch()

    done = subprocess.run(
        [sys.executable, "-m", "soops", "run", *mini.line(study, SURVIVE, "mini.py")],
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    assert mini.logs() == [["start", "end"]] * 6


PRELOADED = """\
import argparse, os, time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--n")
parser.add_argument("--output-dir", type=Path)
args = parser.parse_args()
with open(args.output_dir / "log.txt", "a") as log:
    print("start", file=log, flush=True)
    while not Path("gate").exists():
        time.sleep(0.02)
    print("end", file=log)
(args.output_dir / "done.txt").touch()
"""
PRELOADED_MODULE = """\
import shlex, sys

def get_run_info():
    command = f"{shlex.quote(sys.executable)} held.py --n={{n}} --output-dir={{output_dir}}"
    return command, {}, "output_dir", "done.txt"
"""


def test_forks_of_a_preloaded_interpreter_go_on_too(mini):
    mini.write("held.py", PRELOADED)
    mini.write("preloaded.py", PRELOADED_MODULE)
    call = ("n=[1, 2]", "--run-function", "preload", *SURVIVE)
    first = mini.start(*call, module="preloaded.py")
    mini.wait_until(lambda: mini.logs() == [["start"]] * 2 and len(slots_of(mini)) == 2)
    first.kill()
    first.communicate()
    second = mini.start(*call, module="preloaded.py")
    wait_for_driver(mini, second)
    mini.gate.touch()
    _, err = second.communicate(timeout=60)

    assert second.returncode == 0, err
    assert "2 go on" in err
    assert mini.logs() == [["start", "end"]] * 2
    assert [(run.state, run.attempts) for run in mini.found()] == [("done", 1)] * 2
    records = [json.loads((path / "soops-run.json").read_text()) for path in mini.directories()]
    assert [record["message"] for record in records] == [""] * 2, "it would say why not"
