"""Defects of soops 2026.2, by their number in docs/differences.md: stopping and going on.

Runs are held by a file for which they wait, so that a test knows what is under way when it
sends a signal.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from soops.kernel.runs.orphans import end_adopted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

SIX = "--aa=[1, 2, 3, 4, 5, 6], --hold=gate"
RUN_FUNCTIONS = ["subprocess.run", "psutil.Popen", "os.system"]


def heard(driver, words):
    """Wait until the driver says it."""
    assert any(words in line for line in driver.stderr), f"it ended without {words!r}"


def interrupt(driver, whom):
    """Send SIGINT as a terminal does, or to the driver alone."""
    send = os.killpg if whom == "group" else os.kill
    send(driver.pid, signal.SIGINT)


# --- D7: Ctrl-C did not stop a study -----------------------------------------------------------


@pytest.mark.parametrize(
    "whom, run_function",
    [("driver", RUN_FUNCTIONS[0]), *(("group", name) for name in RUN_FUNCTIONS)],
)
def test_d07_ctrl_c_waits_for_runs_under_way_and_begins_no_other(mini, whom, run_function):
    driver = mini.start(SIX, "-n", "2", "--run-function", run_function)
    under_way = mini.wait_for_runs(2)

    interrupt(driver, whom)
    heard(driver, "interrupted: no new runs; waiting for 2 under way")
    assert sorted(mini.pids()) == sorted(under_way), "they go on"
    mini.gate.touch()
    driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert mini.states() == ["done", "done"]
    assert mini.logs() == [["start", "end"]] * 2, "the others leave no directories"

    result = mini.run(SIX)

    assert result.code == 0
    assert mini.logs() == [["start", "end"]] * 6, "the same command goes on, and repeats nothing"


def test_d07_a_terminal_that_is_closed_is_like_ctrl_c(mini):
    driver = mini.start(SIX, "-n", "2")
    mini.wait_for_runs(2)

    driver.send_signal(signal.SIGHUP)
    heard(driver, "interrupted: no new runs; waiting for 2 under way")
    mini.gate.touch()
    driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert mini.states() == ["done", "done"]
    assert mini.logs() == [["start", "end"]] * 2


@pytest.mark.parametrize("runner", ["local", "dask"])
def test_d07_a_run_that_is_not_begun_again_stays_what_it_was(mini, runner):
    mini.gate.touch()
    assert mini.run("--aa=[1, 2, 3, 4], --hold=gate").code == 0
    before = [(found.started, found.attempts) for found in mini.found()]
    mini.gate.unlink()
    driver = mini.start("--aa=[1, 2, 3, 4], --hold=gate", "-r", "2", "-n", "1", "--runner", runner)
    mini.wait_for_runs(1)

    interrupt(driver, "driver")
    heard(driver, "interrupted: no new runs")
    mini.gate.touch()
    driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert [found.state for found in mini.found()] == ["done"] * 4
    assert all(found.finished for found in mini.found())
    assert [found.attempts for found in mini.found()] == [2, 1, 1, 1]
    assert [(found.started, found.attempts) for found in mini.found()][1:] == before[1:]
    assert [len(log) for log in mini.logs()] == [4, 2, 2, 2]


@pytest.mark.parametrize("whom", ["group", "driver"])
def test_d07_a_second_ctrl_c_ends_the_runs_under_way(mini, whom, lives):
    driver = mini.start(SIX, "-n", "2", "--grace", "1")
    under_way = mini.wait_for_runs(2)

    interrupt(driver, whom)
    heard(driver, "interrupted: no new runs")
    interrupt(driver, whom)
    _, err = driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert not any(lives(pid) for pid in under_way), "nothing is left when the driver has ended"
    assert "Traceback" not in err
    assert mini.states() == ["cancelled", "cancelled"]
    assert not any(found.finished for found in mini.found())
    assert [log for log in mini.logs() if log] == [["start"]] * 2


def test_d07_ctrl_c_stops_a_study_on_dask_too(mini):
    driver = mini.start(SIX, "-n", "2", "--runner", "dask")
    mini.wait_for_runs(2)

    interrupt(driver, "group")
    heard(driver, "interrupted: no new runs")
    mini.gate.touch()
    driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert mini.states() == ["done", "done"]
    assert mini.logs() == [["start", "end"]] * 2, "no other is begun, and leaves a directory"


# --- D8: a driver that was killed left its runs ------------------------------------------------


def test_d08_sigterm_of_the_driver_ends_its_runs(mini, lives):
    driver = mini.start(SIX, "-n", "2", "--grace", "1")
    under_way = mini.wait_for_runs(2)

    driver.terminate()
    driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert not any(lives(pid) for pid in under_way)
    assert mini.states() == ["cancelled", "cancelled"]


@pytest.mark.parametrize("runner", ["local", "dask"])
def test_d08_sigkill_of_the_driver_leaves_nothing_and_the_same_command_goes_on(mini, runner):
    driver = mini.start(SIX, "-n", "2", "--grace", "1", "--runner", runner)
    under_way = mini.wait_for_runs(2)
    begun = Counter(path.name for path in mini.directories())

    driver.kill()
    driver.wait()
    mini.wait_for_end(under_way)
    mini.gate.touch()
    result = mini.run(SIX)

    assert result.code == 0
    assert mini.states() == ["done"] * 6
    assert begun <= Counter(path.name for path in mini.directories()), "numbers are kept"
    lost = [json.loads(path.read_text()) for path in mini.root.glob("*/soops-run.json.attempt-1")]
    assert {record["state"] for record in lost} == {"lost"}
    words = Counter(record["message"].split()[-1] for record in lost)
    assert words["did"] == 2, "what was under way"
    assert words["began"] == len(lost) - 2, "what only waited in a queue"
    assert words["began"] > 0
    assert sorted(mini.logs()) == [["start", "end"]] * 4 + [["start", "start", "end"]] * 2


def test_d08_a_new_driver_begins_no_run_beside_one_of_a_killed_driver(mini):
    # A program that does not heed SIGTERM has five seconds of grace.
    deaf = "trap '' TERM\n" + (mini.folder / "program.sh").read_text()
    mini.write("program.sh", deaf)
    driver = mini.start("--aa=[1, 2], --hold=gate", "-n", "2", "--grace", "5")
    under_way = mini.wait_for_runs(2)
    driver.kill()
    driver.wait()

    again = mini.start("--aa=[1, 2], --hold=gate", "-n", "2")
    mini.wait_until(lambda: len(mini.pids()) == 2 and not set(mini.pids()) & set(under_way))

    assert mini.logs() == [["start", "start"]] * 2
    mini.gate.touch()
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert mini.logs() == [["start", "start", "end"]] * 2
    assert not list(mini.root.glob("*/beside.txt"))


def test_d08_a_process_adopts_no_longer_when_it_has_driven_its_study(mini):
    """A program that calls the command as a function keeps its own children."""
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)

    assert mini.run("--aa=1").code == 0

    assert end_adopted(()) == 0
    assert child.poll() is None
    child.kill()
    child.wait()


# --- D9: finished before it was known ----------------------------------------------------------


def test_d09_the_empty_name_is_the_directory_itself(mini):
    mini.write("mini.py", (mini.folder / "mini.py").read_text().replace('"done.txt"', '""'))

    first = mini.run("--aa=[1, 2]")
    second = mini.run("--aa=[1, 2]")

    assert (first.code, second.code) == (0, 0)
    assert "2 finished before" in second.err
    assert mini.logs() == [["start", "end"]] * 2


def test_d09_a_new_set_that_its_check_calls_finished_is_run_once(mini):
    module = (mini.folder / "mini.py").read_text()
    mini.write("mini.py", module.replace('"done.txt"', "lambda pars, options: True"))

    first = mini.run("--aa=[1, 2]")
    second = mini.run("--aa=[1, 2]")

    assert (first.code, second.code) == (0, 0)
    assert mini.logs() == [["start", "end"]] * 2
    assert [found.finished for found in mini.found()] == [True, True]


def test_d09_results_that_were_copied_into_its_directory_are_judged_by_the_check(mini):
    planned = mini.run("--aa=[1, 2]", "--dry-run").out.splitlines()
    directory = mini.folder / planned[0].split()[2]
    directory.mkdir(parents=True)
    (directory / "done.txt").touch()

    result = mini.run("--aa=[1, 2]")

    assert result.code == 0
    assert "1 finished before, 1 done" in result.err
    assert [found.finished for found in mini.found()] == [True, True]
    assert mini.logs() == [[], ["start", "end"]]


# --- D10: the timeout killed at once, and not everything ---------------------------------------

DAEMON = """\
trap 'echo terminated > "$1/ended.txt"; exit 3' TERM
( ( sh -c 'echo $$ > "$0.new"; mv "$0.new" "$0"; while :; do sleep 0.05; done' "$1/daemon" & ) & )
while [ ! -e "$1/daemon" ]; do sleep 0.02; done
echo $$ > "$1/pid"
while :; do sleep 0.05; done
"""


@pytest.mark.parametrize("run_function", RUN_FUNCTIONS)
def test_d10_the_timeout_asks_first_and_ends_daemons_too(mini, run_function, lives):
    mini.write("program.sh", DAEMON)

    result = mini.run("--aa=1", "--timeout", "1.5", "--run-function", run_function)

    (found,) = mini.found()
    assert result.code == 1
    assert (found.state, found.cause, found.finished) == ("timeout", "timeout", False)
    (directory,) = mini.directories()
    pids = [int((directory / name).read_text()) for name in ("pid", "daemon")]
    assert not any(lives(pid) for pid in pids)
    assert (directory / "ended.txt").read_text() == "terminated\n", "SIGTERM comes first"


def test_d10_the_timeout_does_not_touch_runs_in_time(mini):
    result = mini.run("--aa=[1, 2]", "--timeout", "60")

    assert result.code == 0
    assert mini.states() == ["done", "done"]


# --- D11: dask began a run again beside itself -------------------------------------------------


def ancestors(pid):
    """Return the parent of a process, its parent and so on."""
    import psutil

    return [process.pid for process in psutil.Process(pid).parents()]


@pytest.fixture
def port_of_the_dashboard():
    """Occupy the port that dask would choose for its dashboard, and complain of."""
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # whoever has it, it is taken
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        yield 8787


def test_d11_a_run_whose_dask_worker_was_killed_is_never_twice_at_work(
    mini, lives, port_of_the_dashboard
):
    driver = mini.start("--aa=1, --hold=gate", "-n", "1", "--runner", "dask", "--grace", "1")
    (first,) = mini.wait_for_runs(1)
    above = ancestors(first)
    worker = above[above.index(driver.pid) - 1]  # it has the slot of the run, and that has the run
    assert above.index(worker) >= 2

    os.kill(worker, signal.SIGKILL)
    mini.wait_until(lambda: set(mini.pids()) - {first})
    assert not lives(first)
    mini.gate.touch()
    _, err = driver.communicate(timeout=60)

    assert driver.returncode == 0
    assert mini.logs() == [["start", "start", "end"]]
    assert not list(mini.root.glob("*/beside.txt")), "two at once in one directory"
    (found,) = mini.found()
    for p in sorted(Path(found.path).glob("soops-run.json*")):
        print(p, p.read_text())
    assert (found.state, found.attempts) == ("done", 2), "the lost attempt is not hidden"
    assert str(port_of_the_dashboard) not in err, "there is no dashboard"
