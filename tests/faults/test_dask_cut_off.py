"""A dask worker on a host of its own, a network namespace, which is cut off.

Between the hosts is a switch, so that none sees that its cable is pulled. Programs of the
study ``mini`` note their start and end, whether another one is at work in their directory, and
wait for a file that opens the gate.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from soops.base import import_file
from soops.testing import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs network namespaces")
pytest.importorskip("distributed")

if TYPE_CHECKING:
    from networks import Net

net_of = import_file(Path(__file__).with_name("networks.py"), can_reload=False).net_of

ONCE = ["start", "end"]
#: How soon a dask process notices that it is cut off. Below 11 s it stops to work without a word.
TCP = "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP"


@pytest.fixture
def net() -> Iterator[Net]:
    with net_of("far") as net:
        yield net


class Hosts:
    """A scheduler on this host, and workers on both. Only the scheduler notices a cut soon."""

    def __init__(self, folder: Path, net: Net) -> None:
        self.folder, self.net = folder, net
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        words = ("--host", net.here, "--port", "0", "--scheduler-file", str(file))
        dashboard = ("--no-dashboard", "--dashboard-address", f"{net.here}:0")
        self._spawn("scheduler", *words, *dashboard, timeout="12s")
        wait_until(lambda: file.exists() and file.stat().st_size)
        self.address = json.loads(file.read_text())["address"]

    def add_worker(self, name: str) -> None:
        far = name == "far"
        there = self.net.prefix("far") if far else ()
        words = (self.address, "--host", self.net.address("far") if far else self.net.here)
        more = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--memory-limit", "0")
        self.workers[name] = self._spawn(
            "worker", *words, *more, prefix=there, timeout="600s", log=name
        )

    def worker_of(self, pid: int) -> str:
        names = {process.pid: name for name, process in self.workers.items()}
        while pid not in names:
            text = Path(f"/proc/{pid}/stat").read_text()
            pid = int(text.rpartition(")")[2].split()[1])
            assert pid > 1, "no worker runs it"
        return names[pid]

    def options(self, lease: float) -> tuple[str, ...]:
        opts = (f"scheduler={self.address}", f"lease={lease}")
        words = (word for opt in opts for word in ("--runner-opt", opt))
        return ("--runner", "dask", "-n", "1", "--grace", "0.3", *words)

    def _spawn(
        self, *words: str, timeout: str, prefix: Sequence[str] = (), log: str = "scheduler"
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{log}.log").open("ab") as file:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "dask", *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.folder,
                env={**os.environ, TCP: timeout},
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def hosts(net: Net, mini, tmp_path: Path) -> Iterator[Hosts]:
    """Return a cluster whose only worker is on the far host."""
    folder = tmp_path / "hosts"
    folder.mkdir()
    hosts = Hosts(folder, net)
    hosts.add_worker("far")
    yield hosts
    mini.close()
    hosts.close()


@pytest.fixture
def newcomer(mini) -> Callable[[Sequence[int]], int]:
    """Return what waits for a run that is none of those."""

    def wait(known: Sequence[int]) -> int:
        (pid,) = mini.wait_until(lambda: [pid for pid in mini.pids() if pid not in known])
        return pid

    return wait


def ended(mini, driver: subprocess.Popen[str]) -> str:
    out, err = driver.communicate(timeout=100)
    assert driver.returncode == 0, out + err
    assert mini.states() == ["done"]
    assert not list(mini.root.glob("*/beside.txt")), "two at once in a directory"
    return err


def test_a_worker_that_is_cut_off_ends_its_run_which_is_done_elsewhere(mini, hosts, net, newcomer):
    driver = mini.start("--aa=1, --hold=gate", *hosts.options(lease=6))
    (pid,) = mini.wait_for_runs(1)
    assert hosts.worker_of(pid) == "far"

    net.cut("far")
    hosts.add_worker("near")

    mini.wait_for_end([pid])
    assert hosts.workers["far"].poll() is None, "it was its end, not the lease"
    again = newcomer([pid])
    assert hosts.worker_of(again) == "near"
    net.mend("far")
    wait_until(lambda: hosts.workers["far"].poll() is not None)  # it sees that it was given up
    mini.gate.touch()
    err = ended(mini, driver)
    assert mini.logs() == [["start", *ONCE]]
    assert [found.attempts for found in mini.found()] == [2]
    assert f"{hosts.address} talks plain tcp" in err


@pytest.mark.slow
def test_what_a_worker_finished_while_it_was_cut_off_is_not_done_again(mini, hosts, net):
    driver = mini.start("--aa=1, --hold=gate", *hosts.options(lease=40))
    mini.wait_for_runs(1)

    net.cut("far")
    hosts.add_worker("near")
    mini.gate.touch()

    ended(mini, driver)
    assert mini.logs() == [ONCE]
    assert [found.attempts for found in mini.found()] == [1]


@pytest.mark.slow
def test_a_worker_that_is_cut_off_for_a_moment_goes_on(mini, hosts, net):
    driver = mini.start("--aa=1, --hold=gate", *hosts.options(lease=25))
    (pid,) = mini.wait_for_runs(1)
    hosts.add_worker("near")

    net.cut("far")
    time.sleep(5)  # the length of the fault, not a wait
    net.mend("far")

    assert mini.pids() == [pid]
    mini.gate.touch()
    ended(mini, driver)
    assert mini.logs() == [ONCE]
    assert [found.attempts for found in mini.found()] == [1]
