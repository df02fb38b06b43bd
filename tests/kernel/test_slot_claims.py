"""Two copies of one attempt, and two attempts of one run, never share a directory."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soops.api import Job, Slot, State, attempt_path
from soops.testing import wait_until


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


def test_a_claim_leaves_a_token_with_what_it_came_to(make_slot, make_job, tmp_path):
    outcome = make_slot().run(make_job("exit 3"), claim="first")

    lines = Path(attempt_path(str(tmp_path), 1)).read_text().splitlines()
    assert outcome.returncode == 3
    assert len(lines) == 2
    assert '"first"' in lines[0]


def test_a_copy_does_not_run_beside_the_first(make_slot, make_job, tmp_path):
    first, second = make_slot(), make_slot()
    first.send("a", make_job(f"echo x >> ran; {HOLD}"), claim="same")
    wait_until((tmp_path / "up").exists)

    outcome = second.run(make_job("echo x >> ran"), claim="same")

    assert (outcome.state, outcome.cause) == (State.LOST, "copy")
    assert outcome.message.startswith("a copy of this attempt was started on ")
    (tmp_path / "gate").touch()
    assert first.wait("a").state is State.DONE
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_copy_that_comes_later_gives_what_the_first_came_to(make_slot, make_job, tmp_path):
    first = make_slot().run(make_job("echo x >> ran; exit 3"), claim="same")

    second = make_slot().run(make_job("echo x >> ran; exit 3"), claim="same")

    assert second == first
    assert (tmp_path / "ran").read_text() == "x\n"


def test_another_submission_of_an_attempt_does_not_take_an_old_outcome(make_slot, make_job):
    make_slot().run(make_job("exit 3"), claim="one")

    assert make_slot().run(make_job("exit 3"), claim="two").state is State.LOST


def test_a_new_attempt_waits_for_the_old_one_and_takes_its_result(make_slot, make_job, tmp_path):
    first, second = make_slot(), make_slot()
    first.send("a", make_job(f"echo x >> ran; {HOLD}"), claim="one")
    wait_until((tmp_path / "up").exists)
    second.send("b", make_job("echo x >> ran; exit 3", attempt=2, grace=60.0), claim="two")
    threading.Timer(0.3, (tmp_path / "gate").touch).start()

    outcome = second.wait("b")

    assert outcome == first.wait("a")
    assert outcome.state is State.DONE
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_new_attempt_runs_when_the_old_one_was_killed(make_slot, make_job, tmp_path):
    first, second = make_slot(), make_slot()
    first.send("a", make_job(f"echo $$ > pid; {HOLD}"), claim="one")
    wait_until((tmp_path / "up").exists)
    wait_until(lambda: (first.receive() and False) or first.inner)
    os.kill(first.inner, signal.SIGKILL)

    outcome = second.run(make_job("kill -0 $(cat pid) || exit 9", attempt=2), claim="two")

    assert outcome.returncode == 9, "the process of the first attempt lived still"


def test_a_new_attempt_gives_up_on_an_old_one_that_goes_on(
    make_slot, make_job, tmp_path, monkeypatch
):
    first, second = make_slot(), make_slot()
    first.send("a", make_job(HOLD), claim="one")
    wait_until((tmp_path / "up").exists)

    outcome = second.run(make_job("touch ran", attempt=2, grace=-4.8), claim="two")

    assert (outcome.state, outcome.cause) == (State.LOST, "copy")
    assert "still under way" in outcome.message
    assert not (tmp_path / "ran").exists()


def test_a_waiting_attempt_can_be_cancelled(make_slot, make_job, tmp_path):
    first, second = make_slot(), make_slot()
    first.send("a", make_job(HOLD), claim="one")
    wait_until((tmp_path / "up").exists)
    second.send("b", make_job("touch ran", attempt=2, grace=60.0), claim="two")

    second.cancel("b")

    outcome = second.wait("b")
    assert (outcome.state, outcome.started) == (State.CANCELLED, None)
    assert not (tmp_path / "ran").exists()


def test_without_a_directory_there_is_no_claim(make_slot, make_job, tmp_path):
    outcome = make_slot().run(make_job("true", directory=str(tmp_path / "gone")), claim="one")

    assert (outcome.state, outcome.cause) == (State.FAILED, "directory")


def test_without_a_claim_there_is_no_token(make_slot, make_job, tmp_path):
    assert make_slot().run(make_job("true")).state is State.DONE

    assert not list(tmp_path.glob(".soops*"))
