"""Waiting for fds, other threads and signals at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from soops.api import Watch


@pytest.fixture
def watch() -> Iterator[Watch[str]]:
    watch: Watch[str] = Watch()
    yield watch
    watch.close()


def test_a_watch_gives_what_is_ready(watch):
    source, sink = os.pipe()
    watch.add(source, "pipe")
    assert watch.wait(0) == []

    os.write(sink, b"x")

    assert watch.wait(60) == ["pipe"]
    watch.remove(source)
    assert watch.wait(0) == []
    os.close(source)
    os.close(sink)


def test_a_watch_is_woken_by_another_thread_also_before_it_waits(watch):
    watch.ring()
    assert watch.wait(60) == []

    threading.Timer(0.05, watch.ring).start()
    assert watch.wait(60) == []
    assert watch.wait(0) == []


def test_a_watch_is_woken_by_a_signal_whose_handler_only_notes_it(watch):
    noted = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: noted.append(number))
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert watch.wait(60) == []
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert noted == [signal.SIGUSR1]


def test_a_watch_leaves_the_signals_of_others_alone():
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    signal.set_wakeup_fd(sink)
    try:
        watch: Watch[str] = Watch()
        watch.close()
        watch.ring()
    finally:
        assert signal.set_wakeup_fd(-1) == sink
        os.close(source)
        os.close(sink)


def test_a_watch_that_is_closed_in_a_thread_is_succeeded_by_the_next():
    first: Watch[str] = Watch()
    thread = threading.Thread(target=first.close)
    thread.start()
    thread.join()

    second: Watch[str] = Watch()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert second.wait(60) == []
    finally:
        signal.signal(signal.SIGUSR1, before)
        second.close()
    assert signal.set_wakeup_fd(-1) == -1


def test_a_watch_in_a_thread_touches_no_signals():
    failures: list[BaseException] = []

    def work() -> None:
        try:
            watch: Watch[str] = Watch()
            watch.ring()
            watch.wait(60)
            watch.close()
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
