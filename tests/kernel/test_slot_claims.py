"""Two copies of one attempt, and two attempts of one run, never share a directory."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soops.api import Job, Slot, State, attempt_path, read_attempt
from soops.kernel.records.record import RECORD_NAME
from soops.kernel.runs.launch import attempt as attempt_module
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


def test_a_lease_that_nobody_renews_ends_the_run_and_all_it_started(make_slot, make_job, tmp_path):
    slot = make_slot()
    slot.send("a", make_job(f"sleep 600 & echo $! > child; {HOLD}"), claim="one", lease=0.5)

    outcome = slot.wait("a")

    assert (outcome.state, outcome.cause) == (State.LOST, "lost")
    assert "lease" in outcome.message
    child = Path("/proc", (tmp_path / "child").read_text().strip())
    assert not child.exists()
    assert slot.run(make_job("exit 3")).returncode == 3, "it takes other jobs"


def test_a_lease_that_is_renewed_lasts(make_slot, make_job, tmp_path):
    slot = make_slot()
    slot.send("a", make_job(HOLD), claim="one", lease=60.0)
    wait_until((tmp_path / "up").exists)
    slot.renew("another", 0.0)
    slot.renew("a", 0.6)
    slot.renew("a", 600.0)
    threading.Timer(1.0, (tmp_path / "gate").touch).start()

    assert slot.wait("a").state is State.DONE


def test_a_renewed_lease_ends_too(make_slot, make_job, tmp_path):
    slot = make_slot()
    slot.send("a", make_job(HOLD), lease=60.0)
    wait_until((tmp_path / "up").exists)

    slot.renew("a", 0.1)

    assert slot.wait("a").state is State.LOST


def test_an_attempt_that_waits_gives_up_when_its_lease_is_over(make_slot, make_job, tmp_path):
    first, second = make_slot(), make_slot()
    first.send("a", make_job(HOLD), claim="one")
    wait_until((tmp_path / "up").exists)

    second.send("b", make_job("touch ran", attempt=2, grace=60.0), claim="two", lease=0.3)

    outcome = second.wait("b")
    assert outcome.state is State.LOST
    assert "lease" in outcome.message
    assert not (tmp_path / "ran").exists()


# --- copies that come late


def test_a_late_copy_of_an_attempt_that_left_no_token_does_not_run(make_slot, make_job, tmp_path):
    """It was queued on a worker that was cut off; the next attempt is at work already."""
    second, late = make_slot(), make_slot()
    second.send("b", make_job(f"echo x >> ran; {HOLD}", attempt=3), claim="three")
    wait_until((tmp_path / "up").exists)

    for attempt in (1, 2):
        outcome = late.run(make_job("echo x >> ran", attempt=attempt), claim="late")
        assert (outcome.state, outcome.cause) == (State.LOST, "copy")

    (tmp_path / "gate").touch()
    assert second.wait("b").state is State.DONE
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_late_copy_of_a_run_that_was_recorded_does_not_run(make_slot, make_job, tmp_path):
    """The tokens of a run are removed when its record is there."""
    assert attempt_module.RECORD_NAME == RECORD_NAME
    (tmp_path / RECORD_NAME).write_text("{}")

    outcome = make_slot().run(make_job("touch ran"), claim="late")

    assert (outcome.state, outcome.cause) == (State.LOST, "copy")
    assert "recorded" in outcome.message
    assert not (tmp_path / "ran").exists()
    assert read_attempt(str(tmp_path), 1) is None


def test_of_many_copies_exactly_one_runs(make_slot, make_job, tmp_path):
    slots = [make_slot() for _ in range(6)]
    for number, slot in enumerate(slots):
        slot.send("a", make_job("echo x >> ran", attempt=2 - number % 2), claim=f"{number % 2}")
    outcomes = [slot.wait("a") for slot in slots]

    # Attempt 1, or attempt 2 without it, or 1 and after its end 2: never a copy of either.
    runs = (tmp_path / "ran").read_text().count("x")
    assert runs in (1, 2)
    first, second = (read_attempt(str(tmp_path), number) for number in (1, 2))
    assert first is not None
    assert first.over
    if second is not None:
        assert second.over
    else:  # all copies of attempt 2 waited for attempt 1, and took what it came to
        assert runs == 1
        assert {outcome.state for outcome in outcomes[::2]} == {State.DONE}


# --- what a token tells the driver


def test_a_token_tells_whether_anything_of_the_run_lives(make_slot, make_job, tmp_path):
    slot = make_slot()
    slot.send("a", make_job(HOLD), claim="one")
    wait_until((tmp_path / "up").exists)
    assert read_attempt(str(tmp_path), 1).over is False

    os.kill(slot.pid, signal.SIGSTOP)  # its guard does not go on to end the rest
    wait_until(lambda: (slot.receive() and False) or slot.inner)
    os.kill(slot.inner, signal.SIGKILL)
    assert read_attempt(str(tmp_path), 1).over is False, "its program lives"
    os.kill(slot.pid, signal.SIGCONT)

    wait_until(lambda: read_attempt(str(tmp_path), 1).over)
    assert read_attempt(str(tmp_path), 1).outcome is None


def test_of_another_machine_only_a_lock_or_an_outcome_tells_anything(tmp_path):
    """Its locks may be unknown here: that it is not locked does not mean that it is over."""
    path = Path(attempt_path(str(tmp_path), 1))
    path.write_text('{"claim": "one", "host": "far", "boot": "another"}\n')
    assert read_attempt(str(tmp_path), 1).over is None
    path.write_text('{"claim": "one", "host": "far"}\n')
    assert read_attempt(str(tmp_path), 1).over is None
    path.write_text("")
    assert read_attempt(str(tmp_path), 1).over is None, "it was being written"
    path.write_text('{"claim": "one", "host": "far", "boot": "another"}\n{"state": "lost"}\n')
    assert read_attempt(str(tmp_path), 1).over is True
