"""Nine nasty processes, and every way in which a run can end: none of them is left.

Each process has a marker of its test in its argument list, and leaves a file when it is in
place. Survivors are looked for in ``/proc``, by the marker, whatever their environment says.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from soops.api import Job, RunnerSetup, Slot, State
from soops.kernel.runs.launch.processes import processes
from soops.kernel.runs.wire import LAUNCH
from soops_builtin.run_functions.preload import LAUNCH as PRELOAD
from soops_builtin.runners.dask.runner import DaskOptions, DaskRunner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and subreapers")

KINDS = {
    "background",
    "setsid",
    "deaf",
    "deaf-setsid",
    "daemon",
    "clean-daemon",
    "chain",
    "stopped",
    "main",
}

NASTY = r"""
import os, signal, sys, time

folder, marker, main_ends = sys.argv[1:4]

def here(kind):
    with open(os.path.join(folder, kind), "w") as file:
        file.write(str(os.getpid()))

def stay(kind):
    here(kind)
    while True:
        time.sleep(60)

def deaf():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

def fork(what):
    if not os.fork():
        try:
            what()
        finally:
            os._exit(1)

def setsid():
    os.setsid()
    stay("setsid")

def deaf_background():
    deaf()
    stay("deaf")

def deaf_setsid():
    os.setsid()
    deaf()
    stay("deaf-setsid")

def daemon():
    os.setsid()
    if os.fork():
        os._exit(0)
    stay("daemon")

def clean_daemon():
    os.setsid()
    if os.fork():
        os._exit(0)
    code = ("import os, sys, time; os.closerange(0, 20);"
            "open(sys.argv[1] + '/clean-daemon', 'w').write(str(os.getpid())); time.sleep(6000)")
    os.execve(sys.executable, [sys.executable, "-S", "-c", code, folder, marker], {})

def chain():
    deaf()
    here("chain")
    until = time.monotonic() + 300  # not for ever, should a test be cut off
    while time.monotonic() < until:
        time.sleep(0.003)
        if os.fork():
            os._exit(0)

def stopped():
    here("stopped")
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)

for what in (lambda: stay("background"), setsid, deaf_background, deaf_setsid, daemon,
             clean_daemon, chain, stopped):
    fork(what)
deaf()
here("main")
if main_ends == "yes":
    while len(os.listdir(folder)) < 9:
        time.sleep(0.005)
    sys.exit(3)
signal.pause()
while True:
    time.sleep(60)
"""

DRIVER = """
import os, sys
from soops.api import Job, Slot
from soops.kernel.runs.orphans import subreaper

driver = subreaper()
driver.__enter__()
folder, script, signs = sys.argv[1:4]
launch = os.environ.get("LAUNCH", Slot.LAUNCH)
slot = Slot(launch)
slot.start()
print(slot.pid, flush=True)
options = () if "preload" in launch else ("-S",)
command = (sys.executable, *options, script, signs, os.environ["MARKER"], "no")
job = Job(
    key="k", attempt=1, command=command, launch=launch, directory=folder, cwd=folder, grace=0.3
)
print(slot.run(job).state, flush=True)
sys.stdin.read()
"""


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.005)


class Place:
    """A run directory, the folder in which the nasty nine sign, and their marker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launch = LAUNCH
        self.signs = folder / "signs"
        self.signs.mkdir()
        self.marker = f"nasty-{uuid.uuid4().hex}"
        self.script = folder / "nasty.py"
        self.script.write_text(NASTY, encoding="utf-8")

    def job(self, *, main_ends: bool = False, **changes: object) -> Job:
        command = (
            *(sys.executable, *(["-S"] if self.launch == LAUNCH else [])),
            *(str(self.script), str(self.signs), self.marker),
            "yes" if main_ends else "no",
        )
        fields = {
            "key": "nasty",
            "attempt": 1,
            "command": command,
            "launch": self.launch,
            "directory": str(self.folder),
            "cwd": str(self.folder),
            "grace": 0.3,
            "stdout": str(self.folder / "stdout.txt"),
            "stderr": str(self.folder / "stderr.txt"),
        }
        return Job(**{**fields, **changes})

    def driver(self, code: str) -> list[str]:
        """Return the command of a driver; the marker is not in it, but in its environment."""
        words = [str(path) for path in (self.folder, self.script, self.signs)]
        return [sys.executable, "-c", code, *words]

    def env(self) -> dict[str, str]:
        return {**os.environ, "MARKER": self.marker, "LAUNCH": self.launch}

    def all_are_there(self) -> bool:
        return {path.name for path in self.signs.iterdir() if path.stat().st_size} >= KINDS

    def survivors(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if self.marker.encode() in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def kill_survivors(self) -> None:
        misses, limit = 0, time.monotonic() + 20
        while misses < 10 and time.monotonic() < limit:  # a chain can hide from one look
            found = self.survivors()
            misses = 0 if found else misses + 1
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    group = os.getpgid(pid)
                    if group != os.getpgid(0):
                        os.killpg(group, signal.SIGKILL)
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    if place.survivors():
        place.kill_survivors()


@pytest.fixture(params=[LAUNCH, PRELOAD], ids=["fresh", "preloaded"])
def launch(request: pytest.FixtureRequest, place: Place) -> str:
    """Let the nine be a fresh process or a fork; return what the slot has to be."""
    place.launch = request.param
    return place.launch


@pytest.fixture
def slot(launch: str) -> Iterator[Slot]:
    slot = Slot(launch)
    slot.start()
    yield slot
    slot.close()


@pytest.fixture
def start_driver(
    place: Place, launch: str
) -> Iterator[Callable[[], tuple[subprocess.Popen[str], int]]]:
    """Return a function that starts a driver with the nasty nine; and the pid of its slot."""
    started = []

    def start() -> tuple[subprocess.Popen[str], int]:
        driver = subprocess.Popen(
            place.driver(DRIVER),
            env=place.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(driver)
        assert driver.stdout is not None
        return driver, int(driver.stdout.readline())

    yield start
    for driver in started:
        driver.kill()
    if place.survivors():
        place.kill_survivors()  # they would keep its output open
    for driver in started:
        driver.communicate()


def children(pid: int) -> list[int]:
    return [child for child, entry in processes(zombies=True).items() if entry[0] == pid]


def test_the_nine_are_as_nasty_as_they_should_be(place):
    """Without a slot most of them outlive the end of their group; else nothing is tested."""
    with subprocess.Popen(place.job().command, start_new_session=True) as process:
        wait_until(place.all_are_there)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(place.survivors()) >= 3

    place.kill_survivors()
    wait_until(lambda: not place.survivors())


def test_after_a_timeout(place, slot):
    outcome = slot.run(place.job(timeout=2.0))

    assert not place.survivors()
    assert place.all_are_there()
    assert outcome.state is State.TIMEOUT
    assert outcome.cause == "timeout"
    assert outcome.signal == "SIGKILL"
    assert "2 s" in outcome.message


def test_after_a_cancel(place, slot):
    job = place.job()
    slot.send("token", job)
    wait_until(place.all_are_there)

    slot.cancel("token")

    updates = []
    wait_until(lambda: updates.extend(slot.receive()) or any(item.outcome for item in updates))
    assert not place.survivors()
    assert updates[-1].state is State.CANCELLED


def test_after_a_normal_end(place, slot):
    outcome = slot.run(place.job(main_ends=True))

    assert not place.survivors()
    assert place.all_are_there()
    assert (outcome.state, outcome.cause, outcome.returncode) == (State.FAILED, "exit", 3)
    assert "left behind and ended" in outcome.message
    assert "not preloaded" not in outcome.message


def test_the_slot_takes_further_jobs_after_all_that(place, slot):
    slot.run(place.job(main_ends=True))

    outcome = slot.run(place.job(command="exit 0"))

    assert outcome.state is State.DONE
    assert "left behind" not in outcome.message


def test_after_the_slot_is_closed(place, slot):
    slot.send("token", place.job())
    wait_until(place.all_are_there)

    slot.close()

    assert not place.survivors()


def test_after_sigterm_to_the_slot(place, slot):
    slot.send("token", place.job())
    wait_until(lambda: slot.receive() or place.all_are_there())

    os.kill(slot.inner, signal.SIGTERM)

    updates = []
    wait_until(lambda: updates.extend(slot.receive()) or not slot.alive)
    assert not place.survivors()
    assert updates[-1].state is State.LOST


@pytest.mark.parametrize("half", ["inner", "guard"])
def test_after_sigkill_to_one_half_of_the_slot(place, slot, half):
    slot.send("token", place.job())
    wait_until(lambda: slot.receive() or place.all_are_there())
    assert slot.inner

    os.kill(slot.inner if half == "inner" else slot.pid, signal.SIGKILL)

    updates = []
    wait_until(lambda: updates.extend(slot.receive()) or not slot.alive)
    assert not place.survivors()
    assert updates[-1].state is State.LOST
    assert updates[-1].token == "token"


def test_after_sigkill_to_both_halves_the_driver_inherits_and_ends_them(place, start_driver):
    driver, guard = start_driver()
    wait_until(place.all_are_there)

    for pid in (guard, *children(guard)):
        os.kill(pid, signal.SIGSTOP)
    for pid in (*children(guard), guard):
        os.kill(pid, signal.SIGKILL)

    assert driver.stdout.readline().strip() == "lost"
    assert not place.survivors()
    assert not children(driver.pid)


def test_after_sigkill_to_the_driver(place, start_driver):
    driver, guard = start_driver()
    wait_until(place.all_are_there)

    driver.kill()
    driver.wait()

    wait_until(lambda: not place.survivors())
    wait_until(lambda: guard not in processes())


def test_after_sigkill_to_the_driver_while_another_process_holds_its_pipes(place):
    """A program that forks (multiprocessing does) keeps the line of a slot open."""
    holder = textwrap.dedent(
        """
        import os, sys, time
        from soops.api import Job, Slot

        folder, script, signs = sys.argv[1:4]
        slot = Slot()
        slot.start()
        command = (sys.executable, "-S", script, signs, os.environ["MARKER"], "no")
        job = Job(key="k", attempt=1, command=command, launch="", directory=folder, cwd=folder,
                  grace=0.3)
        slot.send("token", job)
        fork = os.fork()
        if fork:
            print(fork, flush=True)
        time.sleep(600)
        """
    )
    driver = subprocess.Popen(
        place.driver(holder),
        env=place.env(),
        stdout=subprocess.PIPE,
        text=True,
    )
    fork = int(driver.stdout.readline())
    assert fork > 0
    try:
        wait_until(place.all_are_there)

        driver.kill()
        driver.wait()

        wait_until(lambda: not place.survivors())
    finally:
        os.kill(fork, signal.SIGKILL)
        driver.kill()
        driver.stdout.close()


def kill_the_driver_at_random(place, start_driver, rng):
    driver, _ = start_driver()
    time.sleep(rng.uniform(0.0, 0.4))  # the moment of the kill, not a wait
    driver.kill()
    driver.wait()
    wait_until(lambda: not place.survivors())
    for path in place.signs.iterdir():
        path.unlink()


def test_after_sigkill_to_the_driver_at_any_moment(place, start_driver):
    rng = random.Random(2718)
    for _ in range(4):
        kill_the_driver_at_random(place, start_driver, rng)


@pytest.mark.parametrize("whole", [False, True], ids=["worker", "worker-and-nanny"])
def test_after_sigkill_to_a_dask_worker(place, cluster, whole):
    if whole:
        for worker in cluster.workers:
            worker.kill()
        cluster.add(1, "--nanny")
    runner = DaskRunner(RunnerSetup(options=DaskOptions(scheduler=cluster.address)))
    try:
        (token,) = runner.submit([place.job()])
        wait_until(lambda: [runner.poll(0.05)] and place.all_are_there())

        if whole:
            os.killpg(cluster.workers[-1].pid, signal.SIGKILL)
        else:
            os.kill(cluster.worker_of(int((place.signs / "main").read_text())), signal.SIGKILL)

        wait_until(lambda: not place.survivors())
        if whole:  # else it would wait for a new worker
            runner.cancel([token])
        updates = []
        wait_until(lambda: updates.extend(runner.poll(0.05)) or any(x.outcome for x in updates))
        assert updates[-1].state is State.LOST, "it had begun"
    finally:
        runner.close()
    assert not place.survivors()


@pytest.mark.slow
def test_after_sixty_times_sigkill_to_the_driver(place, start_driver):
    rng = random.Random()
    for _ in range(60):
        kill_the_driver_at_random(place, start_driver, rng)


def test_a_chain_of_forks_without_a_pause(place, slot):
    """Faster than anyone can look, but in one group, which is killed as one."""
    code = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "first = os.fork()\nif first: sys.exit(0)\nuntil = time.monotonic() + 300\n"
        "while time.monotonic() < until:\n    if os.fork(): os._exit(0)"
    )

    outcome = slot.run(place.job(command=(sys.executable, "-S", "-c", code, place.marker)))

    assert not place.survivors()
    assert outcome.state is State.DONE
    assert "left behind" in outcome.message


def test_a_chain_of_forks_that_changes_its_session_each_time(place, slot):
    script = place.folder / "chain.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, sys, time
            if not os.fork():
                open(sys.argv[1], "w").write("x")
                until = time.monotonic() + 300
                while time.monotonic() < until:
                    time.sleep(0.002)
                    if os.fork():
                        os._exit(0)
                    os.setsid()
            while not os.path.exists(sys.argv[1]):
                time.sleep(0.001)
            """
        ),
        encoding="utf-8",
    )
    sign = str(place.folder / "sign")

    outcome = slot.run(
        place.job(command=(sys.executable, "-S", str(script), sign, place.marker), grace=0.05)
    )

    assert not place.survivors()
    assert outcome.state is State.DONE
    assert "left behind" in outcome.message
