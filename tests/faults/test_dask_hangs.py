"""A dask worker hangs for longer than the lease: its slots do not, and end what it has."""

from __future__ import annotations

import os
import signal
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.mark.slow
def test_a_run_on_a_worker_that_hangs_ends_with_its_lease_and_is_done_elsewhere(
    mini, start_cluster
):
    cluster = start_cluster(2, env={"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "2s"})
    options = ("-n", "2", "--grace", "0.3", *cluster.options("lease=5"))
    driver = mini.start("--aa=[1, 2], --hold=gate", *options)
    pids = mini.wait_for_runs(2)
    worker = cluster.worker_of(pids[0])

    os.kill(worker, signal.SIGSTOP)

    mini.wait_for_end(pids[:1])  # though nobody asked its slot to end it
    os.kill(worker, signal.SIGCONT)
    mini.gate.touch()
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, out + err
    assert mini.states() == ["done"] * 2
    assert sorted(mini.logs()) == [["start", "end"], ["start", "start", "end"]]
    assert sorted(found.attempts for found in mini.found()) == [1, 2]
    assert not list(mini.root.glob("*/beside.txt")), "two at once in a directory"
