"""The driver's side of a slot: messages, death, claims; and waiting, and orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.api import Job, Outcome, RunnerError, Slot, State, run_job, thread_slot
from soops.kernel.runs import wire
from soops.testing import assert_light, wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


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


# --- messages ------------------------------------------------------------------------------


def test_importing_it_costs_nothing():
    heavy = ("json", "subprocess", "selectors", "ctypes", "resource")
    assert_light("soops.kernel.runs.slot", "soops.kernel.runs.watch", heavy=heavy)


def test_jobs_are_run_in_the_order_in_which_they_were_sent(make_slot, make_job, tmp_path):
    slot = make_slot()
    for number in range(5):
        slot.send(f"t{number}", make_job(f"echo {number} >> order"))

    assert slot.wait("t4").state is State.DONE

    assert (tmp_path / "order").read_text().split() == ["0", "1", "2", "3", "4"]
    assert not slot.pending


def test_a_message_that_is_larger_than_the_pipe_does_not_block(make_slot, make_job):
    slot = make_slot()
    slot.send("hold", make_job(HOLD))
    text = "x" * 5_000_000

    slot.send("large", make_job(["true", text]))
    slot.send("after", make_job("exit 3"))

    assert slot.unsent
    slot.cancel("hold")
    assert slot.wait("large").cause == "too-long"
    assert slot.wait("after").returncode == 3
    assert not slot.unsent


def test_a_job_that_was_taken_back_can_be_run_elsewhere(make_slot, make_job, tmp_path):
    slot, other = make_slot(), make_slot()
    slot.send("hold", make_job(HOLD))
    slot.send("free", make_job("exit 7"))

    slot.withdraw("free")
    wait_until(lambda: (slot.receive() and False) or slot.withdrawn)

    ((token, job),) = slot.withdrawn
    assert token == "free"
    assert other.run(job).returncode == 7
    (tmp_path / "gate").touch()
    assert slot.wait("hold").state is State.DONE


def test_an_exception_while_waiting_ends_the_run(make_slot, make_job, tmp_path):
    class Impatient(Exception):
        pass

    def complain() -> None:
        if (tmp_path / "up").exists():
            raise Impatient

    slot = make_slot()
    slot.send("t", make_job(f"echo $$ > pid; {HOLD}"))

    with pytest.raises(Impatient):
        slot.wait("t", on_tick=complain)

    assert not slot.alive
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_bytes_arrive_in_any_locale(tmp_path, locale):
    code = """
        import os, sys
        from soops.api import Job, run_job
        folder = sys.argv[1]
        word = os.fsdecode(bytes(range(1, 256)))
        code = "import os, sys; open('got', 'wb').write(os.fsencode(sys.argv[1]))"
        job = Job(key="k", attempt=1, command=(sys.executable, "-c", code, word), launch="",
                  directory=folder, cwd=folder)
        print(run_job(job).state, sys.getfilesystemencoding())
    """

    done = run_python(code, str(tmp_path), LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    assert done.stdout.startswith("done "), done
    assert (tmp_path / "got").read_bytes() == bytes(range(1, 256))


@settings(deadline=None, max_examples=100)
@given(data=st.binary(min_size=1, max_size=50))
def test_a_text_keeps_its_bytes_on_the_wire(data):
    text = (
        data.decode("latin-1")
        .encode("latin-1")
        .decode(sys.getfilesystemencoding(), "surrogateescape")
    )

    (sent,) = wire._recode([text])

    assert sent.encode("utf-8", "surrogateescape") == data


# --- death -----------------------------------------------------------------------------------


def test_a_slot_that_dies_costs_the_run_under_way_and_no_other(make_slot, make_job, tmp_path):
    slot = make_slot()
    slot.send("running", make_job(HOLD))
    slot.send("queued", make_job("touch ran"))
    wait_until(lambda: (slot.receive() and False) or (slot.inner and (tmp_path / "up").exists()))

    os.kill(slot.inner, signal.SIGKILL)
    outcome = slot.wait("running")

    assert (outcome.state, outcome.cause) == (State.LOST, "lost")
    assert "ended from outside" in outcome.message
    assert not slot.alive
    assert list(slot.pending) == ["queued"]
    assert not (tmp_path / "ran").exists()


def test_a_launch_that_cannot_be_imported_breaks_the_runner_not_the_run(make_slot, make_job, capfd):
    slot = make_slot("no.such.module:serve")

    with pytest.raises(RunnerError, match="before it could take a job"):
        slot.run(make_job("true", launch="no.such.module:serve"))

    assert "No module named 'no'" in capfd.readouterr().err


def test_a_launch_of_ones_own(make_slot, make_job, tmp_path, monkeypatch):
    """The same slot with another way to start a command: what preloading needs."""
    (tmp_path / "shouting.py").write_text(
        textwrap.dedent(
            """
            from soops.kernel.runs.launch import serve
            from soops.kernel.runs.launch.command import spawn

            def main(argv):
                serve(argv, lambda job, actions, env: spawn(
                    {**job, "command": job["command"].upper()}, actions, env))
            """
        )
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "HELLO").write_text("#!/bin/sh\nexit 6\n")
    (tmp_path / "bin" / "HELLO").chmod(0o755)

    slot = make_slot("shouting:main")

    job = make_job("hello", launch="shouting:main", env={"PATH": str(tmp_path / "bin")})
    assert slot.run(job).returncode == 6


def test_a_program_that_forgets_its_slots_ends_quietly(tmp_path):
    code = """
        import sys
        from soops.api import Job, Slot, run_job
        folder = sys.argv[1]
        job = Job(key="k", attempt=1, command="exit 2", launch="", directory=folder, cwd=folder)
        slot = Slot()
        slot.start()
        kept = Slot()
        kept.start()
        del slot
        print(run_job(job).returncode, kept.run(job).returncode)
    """

    done = run_python(code, str(tmp_path))

    assert (done.returncode, done.stdout, done.stderr) == (0, "2 2\n", "")


def test_a_forked_process_has_slots_of_its_own(tmp_path):
    code = """
        import os, sys
        from soops.api import Job, run_job, thread_slot
        folder = sys.argv[1]
        def job(code):
            return Job(key="k", attempt=1, command=f"exit {code}", launch="", directory=folder,
                       cwd=folder)
        run_job(job(0))
        slot = thread_slot()
        pid = os.fork()
        if not pid:
            os._exit(run_job(job(5)).returncode + 10 * (thread_slot() is not slot))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(run_job(job(4)).returncode, thread_slot() is slot)
    """

    done = run_python(code, str(tmp_path))

    assert (done.stdout, done.stderr) == ("15\n4 True\n", "")


def test_each_thread_keeps_one_slot(make_job):
    run_job(make_job("true"))
    slot = thread_slot()
    others: list[Slot] = []

    def work() -> None:
        run_job(make_job("true"))
        run_job(make_job("true"))
        others.append(thread_slot())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert thread_slot() is slot
    assert others[0] is not slot
    others[0].close()
    slot.close()
    assert thread_slot() is not slot


# --- what it says ---------------------------------------------------------------------------


def test_an_outcome_says_everything_that_a_slot_told():
    fields = {
        "state": "timeout",
        "cause": "timeout",
        "returncode": -9,
        "signal": "SIGKILL",
        "started": 1.0,
        "ended": 2.0,
        "elapsed": 1.0,
        "cpu_time": 0.5,
        "max_rss": 10,
        "tree_rss": 20,
        "message": "m",
    }

    outcome = wire.outcome_of(fields, "h")

    assert isinstance(outcome, Outcome)
    assert (outcome.state, outcome.signal, outcome.host) == (State.TIMEOUT, "SIGKILL", "h")
    assert (outcome.usage.cpu_time, outcome.usage.max_rss, outcome.usage.tree_rss) == (0.5, 10, 20)
    assert (outcome.started, outcome.ended, outcome.elapsed) == (1.0, 2.0, 1.0)
