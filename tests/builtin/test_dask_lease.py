"""The lease of runs on dask workers: who still has contact, and what the driver waits for.

The clocks are those of the tests; real workers, killed, stopped and cut off, are in
``tests/faults``.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from soops.api import Job, Outcome, State, attempt_path
from soops.testing import wait_until
from soops_builtin.runners.dask import contact as dask_contact
from soops_builtin.runners.dask import doubts as dask_doubts
from soops_builtin.runners.dask.contact import Contact, contact_of
from soops_builtin.runners.dask.doubts import Doubts

LEASE = 60.0


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self, *which):
        return self.now


class Worker:
    """What ``Contact`` asks of a dask worker, and a scheduler that answers as told."""

    address, contact_address = "tcp://127.0.0.1:1", None

    def __init__(self, loop):
        self.loop = SimpleNamespace(asyncio_loop=loop)
        self.scheduler = self
        self.asked = 0
        self.known = True
        self.silent = False

    async def ncores(self, workers):
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.known is None:
            raise OSError("the connection is closed")
        return {self.address: 1} if self.known else {}


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    fake = SimpleNamespace(clock_gettime=clock, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(dask_contact, "time", fake)
    return clock


@pytest.fixture
def worker():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield Worker(loop)
    asyncio.run_coroutine_threadsafe(end_all(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def end_all():
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def pass_time(contact, clock, seconds):
    """Look once a second, as the thread of a run does; return whether contact lasted."""
    for _ in range(seconds):
        clock.now += 1
        if not contact.lasts(LEASE):
            return False
        time.sleep(0.002)  # for the answer
    return True


def test_contact_lasts_while_the_scheduler_answers(worker, clock):
    contact = Contact(worker)
    assert contact.begins(LEASE)

    assert pass_time(contact, clock, 200)

    assert 15 <= worker.asked <= 25, "every ten seconds"
    assert contact.left(LEASE) > LEASE / 2


@pytest.mark.parametrize("how", ["silent", "closed", "unknown"])
def test_contact_ends_a_lease_after_the_last_answer(worker, clock, how):
    contact = Contact(worker)
    assert contact.begins(LEASE)
    if how == "silent":
        worker.silent = True
    else:
        worker.known = None if how == "closed" else False
    began = clock.now

    assert not pass_time(contact, clock, 200)

    assert clock.now - began == LEASE + 1
    assert contact.left(LEASE) == 0
    worker.silent, worker.known = False, True
    clock.now += 11
    wait_until(lambda: contact.lasts(LEASE))


def test_nothing_begins_without_contact(worker, clock):
    worker.known = False
    contact = Contact(worker)

    assert not contact.begins(0.2)

    worker.known = True
    clock.now += 11
    assert contact.begins(0.2)


def test_a_worker_that_slept_asks_before_it_gives_up(worker, clock):
    """A laptop with scheduler and workers on it was closed for the night."""
    contact = Contact(worker)
    assert contact.begins(LEASE)

    clock.now += 30000
    assert contact.lasts(LEASE)
    wait_until(lambda: worker.asked == 2)

    assert pass_time(contact, clock, 100)


def test_a_worker_that_slept_and_was_given_up_meanwhile_gives_up(worker, clock):
    contact = Contact(worker)
    assert contact.begins(LEASE)
    worker.known = False

    clock.now += 30000
    assert contact.lasts(LEASE)

    assert not pass_time(contact, clock, int(LEASE / dask_contact.QUESTIONS) + 1)


def test_a_loop_that_is_closed_gives_no_contact(worker, clock):
    loop = asyncio.new_event_loop()
    loop.close()
    worker.loop = SimpleNamespace(asyncio_loop=loop)

    assert not contact_of(worker).begins(0.05)
    assert contact_of(worker) is contact_of(worker)


# --- what the driver waits for


@pytest.fixture
def job(tmp_path):
    def make(attempt=1):
        place = str(tmp_path)
        return Job(
            key="run", attempt=attempt, command="true", launch="", directory=place, cwd=place,
            grace=5.0,
        )  # fmt: skip

    return make


@pytest.fixture
def doubts(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(dask_doubts, "time", SimpleNamespace(monotonic=clock))
    said = []
    doubts = Doubts(LEASE, said.append)
    doubts.clock, doubts.said = clock, said
    return doubts


def write_token(job, attempt, *, boot="another", outcome=None):
    lines = [{"claim": "one", "host": "far", "boot": boot}, *([outcome] if outcome else [])]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    Path(attempt_path(job.directory, attempt)).write_text(text)


LOST = Outcome(state=State.LOST, cause="node", message="KilledWorker")


def test_a_lost_run_without_a_token_is_lost_at_once(doubts, job):
    assert not doubts.hold("t", job(), LOST)
    assert len(doubts) == 0


def test_a_lost_run_of_this_machine_is_lost_at_once(doubts, job):
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    write_token(job(), 1, boot=boot)

    assert not doubts.hold("t", job(), LOST)


def test_of_a_worker_that_nobody_can_ask_a_run_is_lost_after_two_leases_and_its_grace(doubts, job):
    write_token(job(), 1)
    assert doubts.hold("t", job(), LOST)
    assert "t" in doubts and doubts.has_begun("t")

    doubts.clock.now += 2 * LEASE + 5.0
    assert not list(doubts.settled())
    assert len(doubts.said) == 1 and "'run'" in doubts.said[0]
    doubts.clock.now += 1.0

    assert list(doubts.settled()) == [("t", job(), LOST)]
    assert "t" not in doubts
    assert len(doubts.said) == 1


def test_a_run_that_turns_out_to_be_over_is_settled_before(doubts, job):
    write_token(job(), 1)
    assert doubts.hold("t", job(), LOST)
    write_token(job(), 1, outcome={"state": "lost"})

    doubts.clock.now += 1.0

    assert list(doubts.settled()) == [("t", job(), LOST)]


def test_one_that_goes_on_out_of_reach_is_named(doubts, job, tmp_path):
    import fcntl

    write_token(job(), 1)
    with Path(attempt_path(str(tmp_path), 1)).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert doubts.hold("t", job(), LOST)
        doubts.clock.now += 2 * LEASE + 6.0
        ((_, _, outcome),) = doubts.settled()

    assert outcome.state is State.LOST
    assert outcome.message == "KilledWorker; it is out of reach on far, and goes on there"


def test_a_new_attempt_waits_for_those_before(doubts, job):
    """Of an earlier driver, for instance."""
    write_token(job(), 1, outcome={"state": "lost"})
    assert not doubts.hold("t", job(attempt=2))
    write_token(job(), 2)
    assert doubts.hold("t", job(attempt=3))
    assert not doubts.has_begun("t")

    assert doubts.drop("t") is None
    assert doubts.hold("t", job(attempt=3))
    doubts.clock.now += 2 * LEASE + 6.0

    assert list(doubts.settled()) == [("t", job(attempt=3), None)]


def test_nobody_waits_twice_for_the_same_attempt(doubts, job):
    write_token(job(), 1)
    assert doubts.hold("t", job(), LOST)
    doubts.clock.now += 2 * LEASE + 6.0
    assert len(list(doubts.settled())) == 1

    assert not doubts.hold("u", job(attempt=2))
    write_token(job(), 2)
    assert doubts.hold("u", job(attempt=2), LOST)
