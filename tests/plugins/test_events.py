"""Events: everyone is told, in order of nearness; a faulty listener is named once, muted."""

from __future__ import annotations

import logging
import types

import pytest

from soops.api import App, hookimpl
from soops.kernel.plugging import hookspecs


def listener(event: str, function):
    """Return a plugin object that listens to one event."""
    function.__name__ = event
    return types.SimpleNamespace(**{event: hookimpl(function)})


def app_of(**plugins) -> App:
    app = App.create(found=())
    for name, obj in plugins.items():
        app.add(obj, name)
    return app


def messages(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_everyone_is_told_the_nearest_first():
    told = []

    def tell(name):
        def heard(record):
            told.append((name, record))

        return listener("soops_run_ended", heard)

    app = app_of(far=tell("far"), mid=tell("mid"), near=tell("near"))
    app.emit("soops_run_ended", study="study", record="r1")

    assert told == [("near", "r1"), ("mid", "r1"), ("far", "r1")]


def test_a_listener_takes_only_the_arguments_it_names():
    told = []

    def heard(total):
        told.append(total)

    app = app_of(a=listener("soops_study_started", heard))
    app.emit("soops_study_started", study=object(), total=48)

    assert told == [48]


def test_what_a_listener_returns_is_of_no_account():
    told = []

    def returns():
        return ["something"]

    def heard():
        told.append(1)

    app = app_of(a=listener("soops_scoop_ended", heard), b=listener("soops_scoop_ended", returns))

    assert app.emit("soops_scoop_ended", scooped=None) is None
    assert told == [1]


@pytest.mark.parametrize("error", [ValueError("boom"), KeyError("k"), AssertionError(), OSError(5)])
def test_a_faulty_listener_is_named_once_and_muted_and_the_others_are_told(caplog, error):
    told, tried = [], []

    def raises(record):
        tried.append(record)
        raise error

    def hears(record):
        told.append(record)

    app = app_of(good=listener("soops_run_ended", hears), bad=listener("soops_run_ended", raises))
    with caplog.at_level(logging.WARNING, "soops"):
        for record in ("r1", "r2", "r3"):
            app.emit("soops_run_ended", study=None, record=record)

    assert told == ["r1", "r2", "r3"]
    assert tried == ["r1"]
    (line,) = messages(caplog)
    assert "plugin 'bad'" in line and type(error).__name__ in line and "soops_run_ended" in line


def test_muting_is_for_the_one_event(caplog):
    told = []

    class Half:
        @hookimpl
        def soops_run_started(self, attempt):
            raise RuntimeError("no")

        @hookimpl
        def soops_run_ended(self, record):
            told.append(record)

    app = app_of(half=Half())
    with caplog.at_level(logging.WARNING, "soops"):
        app.emit("soops_run_started", study=None, run=None, attempt=1)
        app.emit("soops_run_ended", study=None, record="r1")

    assert told == ["r1"]
    assert len(messages(caplog)) == 1


def test_a_plugin_stays_muted_when_another_one_joins(caplog):
    def raises():
        raise RuntimeError("no")

    app = app_of(bad=listener("soops_run_ended", raises))
    with caplog.at_level(logging.WARNING, "soops"):
        app.emit("soops_run_ended", study=None, record=None)
        app.add(listener("soops_run_ended", lambda record: None), "late")
        app.emit("soops_run_ended", study=None, record=None)

    assert len(messages(caplog)) == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_wish_to_stop_is_no_fault(stop):
    def stops():
        raise stop

    app = app_of(a=listener("soops_run_ended", stops))

    with pytest.raises(stop):
        app.emit("soops_run_ended", study=None, record=None)


def test_a_listener_that_joins_later_is_told(caplog):
    told = []
    app = app_of()
    app.emit("soops_study_ended", study=None, summary=1)

    def heard(summary):
        told.append(summary)

    app.add(listener("soops_study_ended", heard), "late")
    app.emit("soops_study_ended", study=None, summary=2)

    assert told == [2]


@pytest.mark.parametrize("event", hookspecs.EVENTS)
def test_every_event_is_a_hook_that_gives_nothing_back(event):
    spec = getattr(hookspecs, event)

    assert spec.__annotations__["return"] in (None, "None")
    assert spec.soops_spec["firstresult"] is False
