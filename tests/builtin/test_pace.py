"""How many jobs are queued ahead in a slot."""

from __future__ import annotations

import pytest

from soops_builtin.runners import pace
from soops_builtin.runners.inline import NoneAhead
from soops_builtin.runners.pace import Pace


@pytest.fixture
def naps(monkeypatch):
    """The seconds that were slept."""
    found: list[float] = []
    monkeypatch.setattr(pace.time, "sleep", found.append)
    return found


def learned(*times: float, kind: type[Pace] = Pace) -> Pace:
    made = kind()
    for seconds in times:
        made.note(seconds)
    return made


def test_one_is_ahead_until_runs_are_known_to_be_short():
    assert Pace().ahead == learned(60.0).ahead == learned(0.001).ahead == 1
    assert learned(*[0.05] * 100).ahead == 1


def test_the_shorter_the_runs_the_more_are_ahead_up_to_a_limit():
    assert learned(*[0.019] * 100).ahead == 3
    assert learned(*[0.0059] * 100).ahead == 10
    assert learned(*[0.0] * 100).ahead == Pace.MOST


def test_one_long_run_is_enough_to_queue_one_ahead_again():
    assert learned(*[0.001] * 100, 2.0).ahead == 1


def test_a_run_that_took_no_known_time_teaches_nothing():
    assert learned(*[0.001] * 100, None).ahead == Pace.MOST


def test_nothing_is_ahead_where_runs_go_one_by_one():
    assert learned(*[0.001] * 100, kind=NoneAhead).ahead == 0


def test_it_rests_while_more_than_half_is_left_and_never_longer_than_asked(naps):
    short = learned(*[0.001] * 100)

    short.rest(queued=10, timeout=1.0)
    short.rest(queued=16, timeout=0.0005)
    assert naps == [pytest.approx(0.002, rel=0.01), 0.0005]
    short.rest(queued=8, timeout=1.0)
    learned(5.0).rest(queued=1, timeout=1.0)
    assert len(naps) == 2


def test_a_rest_is_short_enough_for_a_person_who_interrupts(naps):
    learned(*[0.007] * 100).rest(queued=100, timeout=1.0)

    assert naps == [Pace.REST]
    assert Pace.REST <= 0.01
