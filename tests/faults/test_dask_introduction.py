"""Dask workers that do not see the directory of the runs: one in another mount namespace.

There is an empty file system at the place of the directory, as on a host that does not share it.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces")


@pytest.fixture
def blind(mini):
    """Return the words that start a process which sees an empty directory of runs."""
    mini.root.mkdir()
    words = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(mini.root))
    try:
        done = subprocess.run([*words, "true"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no command unshare")
    if done.returncode:
        pytest.skip(f"mount namespaces are not permitted: {done.stderr.strip()}")
    return words


def ended_blind(mini, driver):
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 5, out + err
    (line,) = [line for line in err.splitlines() if line.startswith("error:")]
    assert "the dask worker on " in line and "does not see" in line and str(mini.root) in line
    assert "file system" in err and "Traceback" not in err
    assert not list((mini.root / ".soops").glob("dask-*"))
    return err


def test_a_worker_that_is_there_is_asked_before_anything_runs(mini, start_cluster, blind):
    cluster = start_cluster(1)
    cluster.add(1, prefix=blind)
    cluster.wait_for_workers(2)

    driver = mini.start("--aa=[1, 2, 3]", "-n", "2", *cluster.options())

    ended_blind(mini, driver)
    assert mini.directories() == [], "all is as it was"
    assert mini.run("--aa=[1, 2, 3]", "-n", "2").code == 0
    assert [found.attempts for found in mini.found()] == [1, 1, 1]


def test_a_worker_that_comes_first_looks_before_it_begins(mini, start_cluster, blind):
    cluster = start_cluster()
    driver = mini.start("--aa=[1, 2, 3]", "-n", "2", *cluster.options())
    assert driver.stderr is not None
    mini.wait_until(lambda: "no workers" in driver.stderr.readline())

    cluster.add(1, prefix=blind)

    ended_blind(mini, driver)
    assert mini.directories() == []


def test_a_worker_that_joins_later_costs_no_run_that_has_not_begun(mini, start_cluster, blind):
    cluster = start_cluster(1)
    (mini.folder / "open").touch()
    study = "--hold=[open, gate], --aa=[1, 2]"
    driver = mini.start(study, "-n", "2", *cluster.options())
    (pid,) = mini.wait_for_runs(1)

    cluster.add(1, prefix=blind)

    ended_blind(mini, driver)
    mini.wait_for_end([pid])
    states = mini.states()
    assert sorted(states) in (["done", "lost"], ["done", "done", "lost"]), states
    mini.gate.touch()
    called = mini.run(study, "-n", "2")
    assert called.code == 0, called.err
    assert mini.states() == ["done"] * 4
    assert not list(mini.root.glob("*/beside.txt"))
    begun = [log.count("start") for log in mini.logs()]
    assert sorted(begun) == [1, 1, 1, 2], "only what was under way begins again"
    assert sorted(found.attempts for found in mini.found()) == [1, 1, 1, 2]


def test_the_file_that_workers_look_for_goes_away(mini, cluster):
    (mini.root / ".soops").mkdir(parents=True)
    (mini.root / ".soops" / "dask-soops-of-a-killed-driver").touch()
    driver = mini.start("--aa=1, --hold=gate", "-n", "1", *cluster.options())
    mini.wait_for_runs(1)
    assert len(list((mini.root / ".soops").glob("dask-*"))) == 1
    mini.gate.touch()

    out, err = driver.communicate(timeout=60)

    assert driver.returncode == 0, out + err
    assert not list((mini.root / ".soops").glob("dask-*"))
