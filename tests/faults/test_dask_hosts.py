"""A dask cluster over several hosts, network namespaces: one of them is cut off and comes back.

The scheduler is on a host of its own, workers are on two others, the driver is here. They share
the file system, and the processes, so that the programs see who else is in their directory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import soops
from soops.base import import_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs network namespaces")
pytest.importorskip("distributed")

if TYPE_CHECKING:
    from networks import Net

net_of = import_file(Path(__file__).with_name("networks.py"), can_reload=False).net_of

#: How soon a dask process notices that it is cut off. Below 11 s it stops to work without a word.
TCP = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}

SCOOP = """

def scrape(path, rdata=None):
    with open(path) as file:
        return {"ends": file.read().split().count("end")}


def get_scoop_info():
    return [["log.txt", scrape]]
"""


@pytest.fixture
def net() -> Iterator[Net]:
    with net_of("head", "one", "two") as net:
        yield net


def test_a_host_is_cut_off_and_comes_back(mini, net, start_cluster):
    module = mini.folder / "mini.py"
    module.write_text(module.read_text() + SCOOP)
    cluster = start_cluster(host=net.address("head"), prefix=net.prefix("head"), env=TCP)
    there = {"host": net.address("one"), "prefix": net.prefix("one")}
    at_one = cluster.add(1, **there)
    cluster.add(2, host=net.address("two"), prefix=net.prefix("two"))
    cluster.wait_for_workers(3)
    study = "--aa=[1, 2, 3, 4, 5, 6, 7], --hold=gate"
    driver = mini.start(study, "-n", "3", "--grace", "0.3", *cluster.options("lease=6"))
    pids = mini.wait_for_runs(3)
    (cut,) = [pid for pid in pids if at_one[0].pid in cluster.chain(pid)]

    net.cut("one")
    mini.wait_for_end([cut])
    net.mend("one")

    def is_back() -> bool:
        if at_one[-1].poll() is not None:  # it was given up: somebody starts another one
            at_one.extend(cluster.add(1, **there))
        now = [pid for pid in mini.pids() if pid not in pids]
        return any(worker.pid in cluster.chain(pid) for pid in now for worker in at_one)

    mini.wait_until(is_back)
    mini.gate.touch()
    out, err = driver.communicate(timeout=100)
    assert driver.returncode == 0, out + err
    assert not list(mini.root.glob("*/beside.txt")), "two at once in a directory"
    assert mini.states() == ["done"] * 7
    assert sum(log.count("start") for log in mini.logs()) == 8, "one run began twice"
    frame = soops.scoop("mini.py", ["out"]).frame
    assert sorted(frame["number"]) == list(range(7))
    assert list(frame["ends"]) == [1] * 7
