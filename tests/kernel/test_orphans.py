"""Processes of a run whose slot was killed, and what a driver does about them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soops.api import Job, Slot
from soops.kernel.runs import orphans
from soops.testing import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def make_slot() -> Iterator[Callable[..., Slot]]:
    slots = []

    def make(*args: Any) -> Slot:
        slot = Slot(*args)
        slot.start()
        slots.append(slot)
        return slot

    yield make
    for slot in slots:
        slot.close()


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    def make(command: Any, **fields: Any) -> Job:
        given = {
            "key": "k",
            "attempt": 1,
            "command": command,
            "launch": Slot.LAUNCH,
            "directory": str(tmp_path),
            "cwd": str(tmp_path),
            "grace": 0.3,
            "stdout": str(tmp_path / "stdout.txt"),
        }
        return Job(**{**given, **fields})

    return make


HOLD = "touch up; while [ ! -e gate ]; do sleep 0.01; done"


def run_python(code: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *words],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_processes_are_found_by_their_mark(make_slot, make_job, tmp_path):
    slot = make_slot()
    run = tmp_path / "run with blank#1 ü"
    run.mkdir()
    slot.send("t", make_job(HOLD, attempt=3, directory=str(run)))
    wait_until((tmp_path / "up").exists)

    found = orphans.marked_processes(tmp_path)

    assert set(found.values()) == {(str(run), 3)}
    assert orphans.marked_processes(run).keys() & found.keys()
    assert not orphans.marked_processes(tmp_path / "run with blank")
    assert orphans.end_marked(tmp_path) >= 1
    assert slot.wait("t").signal == "SIGKILL"
    assert not orphans.marked_processes(tmp_path)


def test_a_notebook_never_touches_children_that_are_not_its_slots():
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)

    assert orphans.end_adopted(()) == 0

    assert child.poll() is None
    child.kill()
    child.wait()


def test_a_driver_ends_what_it_adopted_and_nothing_it_started(tmp_path):
    code = """
        import os, signal, subprocess, sys, time
        from soops.api import Job, Slot
        from soops.kernel.runs.orphans import end_adopted, subreaper
        driver = subreaper()
        driver.__enter__()
        folder = sys.argv[1]
        own = subprocess.Popen(["sleep", "1000"])
        other = Slot()
        other.start()
        job = Job(key="k", attempt=1, command="exit 3", launch="", directory=folder, cwd=folder)
        other.run(job)
        shell = subprocess.Popen(["sh", "-c", "setsid sleep 1000 & echo $!"],
                                 stdout=subprocess.PIPE, text=True)
        pid = int(shell.stdout.readline())
        shell.wait()
        shell.stdout.close()
        while os.getsid(pid) == os.getsid(0):
            time.sleep(0.001)
        print(end_adopted({other.pid}), own.poll(), other.run(job).returncode)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            print("gone")
        own.kill()
        own.wait()
        other.close()
    """

    done = run_python(code, str(tmp_path))

    assert (done.stdout, done.stderr) == ("1 None 3\ngone\n", "")
