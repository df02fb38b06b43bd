"""Dask clusters without workers: none yet, because they queue or adapt, or none any more."""

from __future__ import annotations

import os
import re
import signal
import sys
from types import SimpleNamespace

import pytest

from soops_builtin.runners.dask import presence as dask_presence

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

ADAPTIVE = """\
import distributed


def make(**kwargs):
    cluster = distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=True, memory_limit=0, silence_logs=50,
        dashboard_address="127.0.0.1:0", **kwargs
    )
    if ADAPTS:
        cluster.adapt(minimum=0, maximum=2, interval="50ms", wait_count=1)
    return cluster
"""


@pytest.mark.parametrize("where", ["factory", "option"])
def test_an_adaptive_cluster_gets_its_workers_when_there_is_work(mini, where):
    mini.write("soops_adaptive.py", f"ADAPTS = {where == 'factory'}\n{ADAPTIVE}")
    words = ["--runner", "dask", "-n", "2", "--runner-opt", "cluster=soops_adaptive:make"]
    if where == "option":
        words += ["--runner-opt", "adapt=0-2"]

    driver = mini.start("--aa=[1, 2, 3, 4]", *words)

    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + err
    assert mini.states() == ["done"] * 4
    assert mini.logs() == [["start", "end"]] * 4
    assert len(re.findall(r"the cluster has no workers yet; \d runs? waits?", err)) == 1, err


def test_workers_may_come_long_after_the_runs(mini, start_cluster):
    """As those of a batch system, behind other people's jobs."""
    cluster = start_cluster()
    driver = mini.start("--aa=[1, 2, 3], --hold=gate", "-n", "2", *cluster.options())
    said = []
    assert driver.stderr is not None
    mini.wait_until(lambda: said.append(driver.stderr.readline()) or "no workers" in said[-1])
    assert not mini.pids()

    cluster.add(2)

    mini.wait_for_runs(2)
    mini.gate.touch()
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, err
    assert mini.states() == ["done"] * 3
    assert not re.search("no workers|lost all", err), "once"


def test_when_all_workers_have_gone_for_a_while_it_is_said(mini, start_cluster):
    cluster = start_cluster(1)
    driver = mini.start("--aa=[1, 2], --hold=gate", "-n", "1", *cluster.options())
    (pid,) = mini.wait_for_runs(1)

    for worker in cluster.workers:
        os.killpg(worker.pid, signal.SIGKILL)

    mini.wait_for_end([pid])
    said = []
    assert driver.stderr is not None
    mini.wait_until(lambda: said.append(driver.stderr.readline()) or "lost all" in said[-1])
    assert "the cluster has lost all its workers; " in said[-1]
    cluster.add(1)
    mini.wait_for_runs(1)
    mini.gate.touch()
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, err
    assert mini.logs() == [["start", "start", "end"], ["start", "end"]]


class Counted:
    """A connection that knows how many workers it is told."""

    count: int | None = None

    def workers(self):
        return self.count


def test_it_is_said_once_and_not_of_workers_that_come_back_soon(monkeypatch):
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(dask_presence, "time", clock)
    said: list[str] = []
    connection = Counted()
    presence = dask_presence.Presence(connection, said.append)
    story = [
        (None, 0.0, 0), (0, 0.0, 1), (0, 60.0, 0), (2, 1.0, 0), (0, 1.0, 0), (0, 9.0, 0),
        (1, 0.5, 0), (0, 1.0, 0), (0, 10.5, 1), (0, 60.0, 0),
    ]  # fmt: skip

    for count, seconds, told in story:
        connection.count, before = count, len(said)
        now[0] += seconds
        presence.look([SimpleNamespace(resources={})])
        assert len(said) - before == told, (count, seconds)

    assert said == [
        "the cluster has no workers yet; 1 run waits",
        "the cluster has lost all its workers; 1 run waits",
    ]
