"""The slot side: what a process gets, how its end is told, and the pieces that do it.

The jobs go through a real slot; only the pump and the killing are also tried by themselves.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soops.api import Job, Outcome, Slot, State
from soops.kernel.runs.launch import __file__ as init_file
from soops.kernel.runs.launch import processes

LAUNCH = Path(init_file).parent
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture(scope="module")
def slot() -> Iterator[Slot]:
    slot = Slot()
    slot.start()
    yield slot
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
            "stderr": str(tmp_path / "stderr.txt"),
        }
        return Job(**{**given, **fields})

    return make


@pytest.fixture
def run(slot: Slot, make_job: Callable[..., Job]) -> Callable[..., Outcome]:
    return lambda command, **fields: slot.run(make_job(command, **fields))


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


# --- the line ----------------------------------------------------------------------------


class ByPath:
    """A slot that was started by its path, spoken to without the driver's side."""

    def __init__(self) -> None:
        source, sink = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCH), str(sink), str(os.getpid())],
            stdin=subprocess.PIPE,
            pass_fds=(sink,),
            start_new_session=True,
        )
        os.close(sink)
        self.replies = os.fdopen(source, encoding="utf-8")

    def say(self, text: str) -> None:
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        return json.loads(self.replies.readline() or "null")

    def hear_ends(self, number: int) -> list[dict[str, Any]]:
        """Return the next answers that are not about a pid."""
        answers: list[dict[str, Any]] = []
        while len(answers) < number:
            answers += [answer for answer in [self.hear()] if "pid" not in answer]
        return answers

    def close(self) -> int:
        self.process.stdin.close()
        self.replies.close()
        return self.process.wait()


@pytest.fixture
def by_path() -> Iterator[ByPath]:
    slot = ByPath()
    yield slot
    slot.close()


def message(token: str, directory: Path, command: Any, **fields: Any) -> str:
    job = {"command": command, "attempt": 1, "directory": str(directory), "cwd": str(directory)}
    return json.dumps({"run": token, "job": {**job, **fields}}) + "\n"


def test_a_slot_that_is_started_by_path_needs_nothing_of_soops(by_path, tmp_path):
    assert by_path.hear()["hello"] > 0

    by_path.say(message("a", tmp_path, "exit 5"))

    answer = by_path.hear()
    assert answer["token"] == "a"
    assert (answer["outcome"]["state"], answer["outcome"]["returncode"]) == ("failed", 5)


def test_the_end_of_the_line_ends_the_slot(by_path):
    by_path.hear()

    by_path.process.stdin.close()

    assert by_path.replies.readline() == ""
    assert by_path.process.wait() == 0


def test_messages_may_come_in_pieces_and_in_heaps(by_path, tmp_path):
    by_path.hear()
    text = message("a", tmp_path, "exit 1") + message("b", tmp_path, "exit 2")
    for piece in (text[:10], text[10:-5], text[-5:]):
        by_path.say(piece)

    assert [by_path.hear()["token"] for _ in range(2)] == ["a", "b"]


def test_queued_jobs_can_be_taken_back_or_cancelled_and_running_ones_cannot_be_taken(
    by_path, tmp_path
):
    by_path.hear()
    by_path.say(message("long", tmp_path, "touch up; while [ ! -e gate ]; do sleep 0.01; done"))
    while not (tmp_path / "up").exists():
        time.sleep(0.01)
    by_path.say(message("b", tmp_path, "touch b-ran") + message("c", tmp_path, "touch c-ran"))
    by_path.say('{"withdraw": "b"}\n{"cancel": "c"}\n{"withdraw": "long"}\n{"cancel": "x"}\n')

    b, c = by_path.hear_ends(2)
    (tmp_path / "gate").touch()

    (long,) = by_path.hear_ends(1)
    assert b == {"token": "b", "withdrawn": True}
    assert (c["token"], c["outcome"]["state"]) == ("c", "cancelled")
    assert "started" not in c["outcome"]
    assert (long["token"], long["outcome"]["state"]) == ("long", "done")
    assert not list(tmp_path.glob("*-ran"))


def test_a_job_that_lasts_is_announced_with_its_pid(by_path, tmp_path):
    by_path.hear()
    by_path.say(message("a", tmp_path, "echo $$ > pid; while [ ! -e gate ]; do sleep 0.01; done"))

    answer = by_path.hear()
    (tmp_path / "gate").touch()

    assert answer == {"token": "a", "pid": int((tmp_path / "pid").read_text())}
    assert by_path.hear()["outcome"]["state"] == "done"


# --- what a process gets -----------------------------------------------------------------


@linux
def test_a_process_begins_as_from_a_shell(make_job, tmp_path):
    """In a session of its own, with no signal blocked or ignored, and no fd but three."""
    code = (
        "import os, json; status = open('/proc/self/status').read(); "
        "mask = {l.split(':')[0]: int(l.split(':')[1], 16) for l in status.splitlines() "
        "if l[:6] in ('SigBlk', 'SigIgn')}; "
        "fds = sorted(map(int, os.listdir('/proc/self/fd')))[:-1]; "
        "print(json.dumps([os.getsid(0) == os.getpid(), mask['SigBlk'], fds]))"
    )
    driver = textwrap.dedent(
        """
        import signal, sys
        from soops.api import Job, Slot

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        slot = Slot()
        slot.start()
        folder, code = sys.argv[1:]
        python = (sys.executable, "-I", "-S", "-c", code)
        for name, command in (("a", python), ("b", "grep SigIgn /proc/$$/status")):
            slot.run(Job(key="k", attempt=1, command=command, launch="", directory=folder,
                         cwd=folder, stdout=f"{folder}/{name}"))
        slot.close()
        """
    )
    subprocess.run([sys.executable, "-c", driver, str(tmp_path), code], check=True)

    assert json.loads((tmp_path / "a").read_text()) == [True, 0, [0, 1, 2]]
    ignored = int((tmp_path / "b").read_text().split()[1], 16)
    assert ignored & 0x7FFFFFFF == 0  # above are two of the C library's own


def test_both_streams_may_go_to_one_file(run, tmp_path):
    both = str(tmp_path / "both.txt")

    assert run("echo a; echo b >&2; echo c", stdout=both, stderr=both).state is State.DONE

    assert Path(both).read_text() == "a\nb\nc\n"


def test_both_streams_may_go_to_one_bounded_file(run, tmp_path):
    both = str(tmp_path / "both.txt")

    run("echo a; echo b >&2; echo c", stdout=both, stderr=both, max_output=100)

    assert Path(both).read_text() == "a\nb\nc\n"


def test_a_job_may_change_the_path_for_the_next_one_only(run, tmp_path):
    run("true", env={"PATH": "/nowhere"})

    assert run(["sh", "-c", "exit 4"]).returncode == 4
    assert run(["sh"], env={"PATH": "/nowhere"}).cause == "missing"


# --- how its end is told -----------------------------------------------------------------


def test_a_file_that_is_no_program(run, tmp_path):
    (tmp_path / "noise").write_bytes(b"\x00\x01\x02")
    (tmp_path / "noise").chmod(0o755)

    outcome = run((str(tmp_path / "noise"),))

    assert (outcome.state, outcome.cause) == (State.FAILED, "format")


def test_a_script_whose_interpreter_is_missing(run, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)

    outcome = run((str(script),))

    assert (outcome.state, outcome.cause) == (State.FAILED, "missing")
    assert "interpreter" in outcome.message


def test_a_program_by_a_path_that_is_relative_to_the_working_directory(run, tmp_path):
    (tmp_path / "here").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "here").chmod(0o755)

    assert run(("./here",)).returncode == 9
    assert run(("./there",)).cause == "missing"


def test_a_full_disk_under_a_bounded_output(run):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")

    outcome = run("echo lost", stdout="/dev/full", stderr=None, max_output=1000)

    assert (outcome.state, outcome.cause, outcome.returncode) == (State.FAILED, "output", 0)
    assert os.strerror(errno.ENOSPC) in outcome.message


def test_a_value_that_no_environment_takes(run):
    for env in ({"A": "x\0y"}, {"A=B": "x"}, {"": "x"}):
        assert run("true", env=env).cause == "command"


def test_a_process_that_only_needs_a_moment_is_not_disturbed(run, tmp_path):
    outcome = run("(sleep 0.05; echo late > late) & exit 0")

    assert (tmp_path / "late").read_text() == "late\n"
    assert outcome.message == ""


def test_what_is_left_behind_is_counted(run):
    outcome = run("sleep 1000 & sleep 1000 & exit 0")

    assert outcome.message == "2 processes were left behind and ended"
    assert run("sleep 1000 & exit 0").message == "1 process was left behind and ended"


def test_a_grandchild_that_holds_the_output_does_not_hold_up_the_end(run, tmp_path):
    outcome = run("setsid sleep 1000 & exit 0", max_output=100_000)

    assert outcome.state is State.DONE


def test_a_timeout_of_nothing(run):
    assert run("sleep 1000", timeout=0).state is State.TIMEOUT


def test_a_program_that_ends_well_on_sigterm_has_timed_out_still(run, tmp_path):
    code = "trap 'echo saved > saved; exit 0' TERM; touch up; while :; do sleep 0.01; done"

    outcome = run(code, timeout=0.5, grace=30.0)

    assert (outcome.state, outcome.returncode) == (State.TIMEOUT, 0)
    assert (tmp_path / "saved").read_text() == "saved\n"


@linux
def test_a_stopped_program_can_end_well_too(run, tmp_path):
    code = "trap 'echo saved > saved; exit 0' TERM; kill -STOP $$; while :; do sleep 0.01; done"

    assert run(code, timeout=0.3, grace=30.0).state is State.TIMEOUT

    assert (tmp_path / "saved").read_text() == "saved\n"


@linux
def test_memory_is_that_of_the_program_not_of_the_slot(run):
    assert run(("true",)).usage.max_rss is None

    big = run(python("x = bytearray(150_000_000)")).usage.max_rss

    assert 150_000_000 < big < 220_000_000
    assert run(("true",)).usage.max_rss is None


def test_cpu_time_counts_processes_that_were_not_waited_for(run, tmp_path):
    burn = "import time\nwhile time.process_time() < 0.2: pass\nopen('done', 'w')"
    (tmp_path / "burn.py").write_text(burn)

    outcome = run(
        f"setsid '{sys.executable}' -S burn.py & while [ ! -e done ]; do sleep 0.01; done"
    )

    assert outcome.usage.cpu_time > 0.2


def test_times_are_those_of_the_run(run):
    before = time.time()

    outcome = run("sleep 0.2")

    assert before <= outcome.started <= outcome.ended <= time.time()
    assert 0.2 <= outcome.elapsed <= time.time() - before + 0.001


@linux
def test_orphans_that_end_during_a_long_run_are_collected(slot, make_job, tmp_path):
    slot.send(
        "long",
        make_job(
            "for i in 1 2 3 4 5 6 7 8; do (true &); done; touch up; "
            "while [ ! -e gate ]; do sleep 0.01; done"
        ),
    )
    limit = time.monotonic() + 30

    def zombies() -> int:
        everyone = processes.processes(zombies=True)
        living = processes.processes()
        return sum(entry[0] == slot.inner and pid not in living for pid, entry in everyone.items())

    while not (tmp_path / "up").exists() or zombies():
        assert time.monotonic() < limit
        time.sleep(0.01)
    (tmp_path / "gate").touch()
    assert slot.wait("long").state is State.DONE


@linux
def test_a_slot_does_not_grow(slot, make_job):
    def resident() -> int:
        return processes.processes()[slot.inner][4]

    for _ in range(30):
        slot.run(make_job("true"))
    before = resident()
    for _ in range(300):
        slot.run(make_job("true"))

    assert resident() - before < 500_000


# --- a system without subreapers ---------------------------------------------------------


@pytest.fixture
def plain_slot() -> Iterator[Slot]:
    slot = Slot(groups_only=True)
    slot.start()
    yield slot
    slot.close()


def test_groups_are_ended_where_trees_cannot_be(plain_slot, make_job, tmp_path):
    job = make_job("sleep 1000 & echo $! > pid; wait", timeout=0.3)

    assert plain_slot.run(job).state is State.TIMEOUT

    pid = int((tmp_path / "pid").read_text())
    limit = time.monotonic() + 30
    while pid in processes.processes():
        assert time.monotonic() < limit


def test_what_is_left_in_a_group_is_ended_after_a_normal_end(plain_slot, make_job, tmp_path):
    outcome = plain_slot.run(make_job("trap '' TERM; sleep 1000 & echo $! > pid"))

    assert outcome.state is State.DONE
    assert int((tmp_path / "pid").read_text()) not in processes.processes()


def test_a_plain_slot_runs_job_after_job(plain_slot, make_job):
    codes = [plain_slot.run(make_job(f"exit {code}")).returncode for code in range(5)]

    assert codes == list(range(5))
