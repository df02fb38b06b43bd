"""A dask cluster over several hosts, network namespaces: one of them is cut off and comes back.

The scheduler is on a host of its own, workers are on two others, the driver is here. They share
the file system, and the processes, so that the programs see who else is in their directory.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

import soops

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs network namespaces")
pytest.importorskip("distributed")

#: How soon a dask process notices that it is cut off. Below 11 s it stops to work without a word.
TCP = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}

SCOOP = """

def scrape(path, rdata=None):
    with open(path) as file:
        return {"ends": file.read().split().count("end")}


def get_scoop_info():
    return [["log.txt", scrape]]
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Net:
    """Hosts at a switch, this one included; each can be cut off without its noticing."""

    def __init__(self, *names: str) -> None:
        tag = uuid.uuid4().hex[:5]
        number = int(tag, 16)
        self.net = f"10.{100 + number % 90}.{number // 90 % 250}"
        self.switch = f"soops-w{tag}"
        self.spaces = {name: f"soops-{name}-{tag}" for name in names}
        self.here = f"sn{tag}"

    def address(self, name: str) -> str:
        return f"{self.net}.{2 + list(self.spaces).index(name)}"

    def prefix(self, name: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.spaces[name])

    def lay(self) -> None:
        for space in (self.switch, *self.spaces.values()):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "br0", "up")
        ip("link", "add", self.here, "type", "veth", "peer", "here", "netns", self.switch)
        self._plug_in("here", f"{self.net}.1", self.here)
        for name, space in self.spaces.items():
            end = ("type", "veth", "peer", name, "netns", self.switch)
            ip("-n", space, "link", "add", "eth0", *end)
            self._plug_in(name, self.address(name), "eth0", "-n", space)

    def _plug_in(self, port: str, address: str, device: str, *where: str) -> None:
        ip("-n", self.switch, "link", "set", port, "master", "br0", "up")
        ip(*where, "addr", "add", f"{address}/24", "dev", device)
        ip(*where, "link", "set", device, "up")

    def cut(self, name: str) -> None:
        ip("-n", self.switch, "link", "set", name, "down")

    def mend(self, name: str) -> None:
        ip("-n", self.switch, "link", "set", name, "up")

    def remove(self) -> None:
        subprocess.run(["ip", "link", "del", self.here], capture_output=True)
        for space in (*self.spaces.values(), self.switch):
            subprocess.run(["ip", "netns", "del", space], capture_output=True)


@pytest.fixture
def net() -> Iterator[Net]:
    if shutil.which("ip") is None:
        pytest.skip("there is no command ip")
    net = Net("head", "one", "two")
    try:
        net.lay()
    except subprocess.CalledProcessError as exc:
        net.remove()
        pytest.skip(f"network namespaces are not permitted: {exc.stderr.decode().strip()}")
    yield net
    net.remove()


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
