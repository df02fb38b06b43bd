"""Workers of a dask cluster die, one way or the other, while they have runs.

Scheduler and workers are processes as a person starts them, and each run notes its start and
its end in its directory, and whether another one is at work there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from soops.testing import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

ONCE = ["start", "end"]
BEGUN_AGAIN = ["start", "start", "end"]

#: Notes its start, does what is asked for, notes its end.
PROGRAM = """\
dir=$1
echo start >> "$dir/log.txt"
case " $* " in
*" --name=killer "*)
    pid=$PPID
    until grep -q /launch "/proc/$pid/cmdline"; do pid=$(cut -d " " -f 4 "/proc/$pid/stat"); done
    while grep -q /launch "/proc/$pid/cmdline"; do pid=$(cut -d " " -f 4 "/proc/$pid/stat"); done
    kill -9 "$pid"
    sleep 600
    exit 1
    ;;
*" --name=hog "*)
    python3 -c "import time; x = b'x' * (400 << 20); print(len(x))"
    ;;
esac
touch "$dir/done.txt"
echo end >> "$dir/log.txt"
"""


def ended(mini, driver, code=0):
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == code, out + err
    assert not list(mini.root.glob("*/beside.txt")), "two at once in a directory"
    return err


def newcomers(mini, known):
    return mini.wait_until(lambda: sorted(set(mini.pids()) - set(known)))


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_worker_that_dies_costs_its_run_one_attempt(mini, cluster, number):
    driver = mini.start("--aa=[1, 2, 3, 4], --hold=gate", "-n", "2", *cluster.options())
    pids = mini.wait_for_runs(2)

    os.kill(cluster.worker_of(pids[0]), number)

    mini.wait_for_end(pids[:1])
    mini.gate.touch()
    ended(mini, driver)
    assert mini.states() == ["done"] * 4
    assert sorted(mini.logs()) == [ONCE, ONCE, ONCE, BEGUN_AGAIN]
    assert sorted(found.attempts for found in mini.found()) == [1, 1, 1, 2]
    assert not list(mini.root.glob("*/.soops-attempt-*"))


@pytest.mark.slow
def test_a_nanny_may_die_with_its_worker(mini, cluster):
    (nanny,) = cluster.add(1, "--nanny")
    driver = mini.start("--aa=[1, 2, 3], --hold=gate", "-n", "3", *cluster.options())
    pids = mini.wait_for_runs(3)
    (pid,) = [pid for pid in pids if nanny.pid in cluster.chain(pid)]

    os.kill(cluster.worker_of(pid), signal.SIGKILL)
    (again,) = newcomers(mini, pids)
    assert nanny.pid in cluster.chain(again), "the others are busy"
    os.killpg(nanny.pid, signal.SIGKILL)

    mini.wait_for_end([pid, again])
    mini.gate.touch()
    ended(mini, driver)
    assert mini.states() == ["done"] * 3
    assert sorted(mini.logs()) == [ONCE, ONCE, ["start", "start", "start", "end"]]


def test_when_all_workers_are_gone_runs_wait_for_new_ones(mini, cluster):
    driver = mini.start("--aa=[1, 2, 3], --hold=gate", "-n", "2", *cluster.options())
    pids = mini.wait_for_runs(2)

    for worker in cluster.workers:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
    mini.wait_for_end(pids)
    cluster.add(1)

    newcomers(mini, pids)
    mini.gate.touch()
    ended(mini, driver)
    assert mini.states() == ["done"] * 3
    assert sorted(mini.logs()) == [ONCE, BEGUN_AGAIN, BEGUN_AGAIN]


def test_a_run_that_kills_its_workers_costs_nobody_else(mini, cluster):
    mini.write("program.sh", PROGRAM)
    nannies = cluster.add(2, "--nanny")
    study = "--name=[killer, a, b, c, d, e, f, g, h, i]"

    driver = mini.start(study, "-n", "4", *cluster.options())

    err = ended(mini, driver, code=1)
    assert all(nanny.poll() is None for nanny in nannies)
    assert mini.states() == ["lost"] + ["done"] * 9, err
    assert mini.logs() == [["start"] * 3] + [ONCE] * 9
    assert mini.found()[0].attempts == 3


@pytest.mark.slow
def test_the_memory_of_a_program_is_not_that_of_its_worker(mini, start_cluster):
    """And when something else lets the worker outgrow its limit, the run is begun again."""
    from distributed import Client

    usual = mini.folder.joinpath("program.sh").read_text()
    mini.write("program.sh", PROGRAM)
    cluster = start_cluster()
    (nanny,) = cluster.add(1, "--nanny", "--memory-limit", "350MiB")
    driver = mini.start("--name=hog", "-n", "1", *cluster.options())
    ended(mini, driver)
    assert mini.logs() == [ONCE]

    mini.write("program.sh", usual)
    driver = mini.start("--aa=1, --hold=gate", "-n", "1", *cluster.options())
    pids = mini.wait_for_runs(1)
    with Client(cluster.address, set_as_default=False) as other:
        hog = "import builtins; builtins.hog = b'x' * (400 << 20)"
        other.run(exec, hog, on_error="ignore")

        assert nanny.pid in cluster.chain(newcomers(mini, pids)[0])
    mini.gate.touch()
    ended(mini, driver)
    assert mini.logs() == [ONCE, BEGUN_AGAIN]
    assert mini.states() == ["done", "done"]


def test_a_worker_that_hangs_may_finish_what_it_has(mini, start_cluster):
    """Its slot does not hang: the run goes on, and nobody begins it beside that."""
    cluster = start_cluster(2, env={"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "2s"})
    driver = mini.start("--hold=[gate, other, third]", "-n", "2", *cluster.options())
    pids = mini.wait_for_runs(2)
    gates = {mini.words(path.parent)[0]: int(path.read_text()) for path in mini.root.glob("*/pid")}
    worker = cluster.worker_of(gates["--hold=gate"])

    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: "failed to heartbeat" in cluster.log.read_text())
    (mini.folder / "other").touch()
    newcomers(mini, pids)  # before it the other worker was asked to do again what the first has
    (mini.folder / "third").touch()
    mini.gate.touch()

    ended(mini, driver)
    assert mini.states() == ["done"] * 3
    assert mini.logs() == [ONCE] * 3
    assert [found.attempts for found in mini.found()] == [1] * 3


def test_a_scheduler_that_dies_is_an_error_and_another_one_goes_on(mini, start_cluster):
    (mini.folder / "open").touch()
    first = start_cluster(2)
    study = "--hold=[open, gate, other]"
    driver = mini.start(study, "-n", "2", *first.options())
    mini.wait_until(lambda: ONCE in mini.logs() and "done" in mini.states())
    pids = mini.wait_for_runs(2)

    first.scheduler.kill()

    err = ended(mini, driver, code=5)
    assert "the dask scheduler is gone" in err
    assert "Traceback" not in err
    assert sorted(mini.states()) == ["done", "lost", "lost"]
    second = start_cluster(2)
    driver = mini.start(study, "-n", "2", *second.options())
    newcomers(mini, pids)
    mini.gate.touch()
    (mini.folder / "other").touch()
    ended(mini, driver)
    assert mini.states() == ["done"] * 3
    assert mini.logs() == [ONCE, BEGUN_AGAIN, BEGUN_AGAIN]


def test_a_driver_that_dies_leaves_nothing_to_its_cluster(mini, cluster):
    (mini.folder / "open").touch()
    study = "--hold=[open, gate, other]"
    driver = mini.start(study, "-n", "2", *cluster.options())
    mini.wait_until(lambda: ONCE in mini.logs() and "done" in mini.states())
    pids = mini.wait_for_runs(2)

    driver.kill()

    driver = mini.start(study, "-n", "2", *cluster.options())
    newcomers(mini, pids)
    mini.gate.touch()
    (mini.folder / "other").touch()
    ended(mini, driver)
    assert mini.states() == ["done"] * 3
    assert mini.logs() == [ONCE, BEGUN_AGAIN, BEGUN_AGAIN]
    assert [found.attempts for found in mini.found()] == [1, 2, 2]


@pytest.mark.slow
def test_of_a_machine_that_is_gone_runs_are_begun_again_when_they_cannot_live(mini, cluster):
    """Its power failed: no token has an outcome, and of its locks nothing is known."""
    (mini.folder / "boot").write_text("another machine\n")
    elsewhere = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
    prefix = ("unshare", "-m", "sh", "-c", elsewhere, str(mini.folder / "boot"))
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces are not permitted")
    for worker in cluster.workers:
        worker.kill()
    (far,) = cluster.add(1, prefix=prefix)
    options = cluster.options("lease=5")
    driver = mini.start("--aa=1, --hold=gate", "-n", "1", "--grace", "0.3", *options)
    (pid,) = mini.wait_for_runs(1)
    inner, guard, worker = cluster.chain(pid)[-len(cluster.chain(far.pid)) - 3 :][:3]
    assert worker == far.pid

    for number in (signal.SIGSTOP, signal.SIGKILL):  # all at once
        for each in (guard, inner, worker, pid):
            os.kill(each, number)
    mini.gate.touch()
    cluster.add(1)

    err = ended(mini, driver)
    assert "may still be at work on a worker that was given up" in err
    assert mini.logs() == [BEGUN_AGAIN]
    assert mini.states() == ["done"]
