"""Values are frozen and travel; errors say what, where, what to do in three lines."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops import api
from soops.api import (
    ExitCode,
    Job,
    LockedError,
    Outcome,
    PluginError,
    RunnerError,
    SoopsError,
    Source,
    State,
    StudyError,
    Summary,
    UsageError,
    near_misses,
    unknown_name,
)
from soops.kernel import values

VALUES = [
    getattr(values, name)
    for name in values.__all__
    if dataclasses.is_dataclass(getattr(values, name))
]


@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_a_value_is_frozen_small_and_made_by_keyword(cls):
    parameters = cls.__dataclass_params__
    assert parameters.frozen
    assert hasattr(cls, "__slots__"), "no __dict__: a misspelled attribute is an error"
    assert all(
        item.kind is item.KEYWORD_ONLY for item in inspect.signature(cls).parameters.values()
    )
    assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")


def test_the_plan_of_the_house_names_the_values_there_are():
    named = {"Source", "Directive", "Study", "RunInfo", "UserModule", "Axis", "ParameterSet"}
    named |= {"PlannedRun", "Job", "Update", "Outcome", "RunRecord", "ScoopItem", "ScoopInfo"}
    named |= {"ScoopedRow", "Scooped", "Summary"}

    assert named <= {cls.__name__ for cls in VALUES}
    assert named <= set(api.__all__)


def test_the_api_lists_what_it_has_in_order():
    assert all(hasattr(api, name) for name in api.__all__)
    assert len(set(api.__all__)) == len(api.__all__)
    public = {
        name
        for name, item in vars(api).items()
        if not name.startswith("_") and not inspect.ismodule(item)
    }
    # By its annotation for type checkers, and for everyone at its first use.
    assert public - {"annotations", "TYPE_CHECKING", "lazy_names"} == set(api.__all__)


def test_a_value_cannot_be_changed():
    job = Job(key="000", attempt=1, command=("true",), launch="m:f", directory="/d", cwd="/")

    with pytest.raises(dataclasses.FrozenInstanceError):
        job.attempt = 2
    with pytest.raises((AttributeError, TypeError)):
        job.atempt = 2
    assert dataclasses.replace(job, attempt=2).attempt == 2


def test_a_job_travels_as_a_pickle_and_as_json():
    job = Job(
        key="000",
        attempt=1,
        command=("echo", "ž", "a b"),
        launch="m:f",
        directory="/d",
        cwd="/",
        env={"A": "1"},
        timeout=1.5,
    )

    assert pickle.loads(pickle.dumps(job)) == job
    back = json.loads(json.dumps(dataclasses.asdict(job)))
    assert Job(**{**back, "command": tuple(back["command"])}) == job


def test_an_outcome_travels_as_a_pickle():
    outcome = Outcome(state=State.FAILED, cause="exit", returncode=3)

    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_states_are_the_words_that_users_read():
    assert [str(state) for state in State] == [
        "queued",
        "running",
        "done",
        "failed",
        "timeout",
        "lost",
        "cancelled",
        "unknown",
    ]


@pytest.mark.parametrize(
    ("counts", "more", "ok"),
    [
        ({}, {}, True),
        ({State.DONE: 3}, {}, True),
        ({State.DONE: 3, State.FAILED: 1}, {}, False),
        ({State.LOST: 1}, {}, False),
        ({State.DONE: 3}, {"interrupted": True}, False),
        ({State.DONE: 3}, {"stopped": "too many failures"}, False),
    ],
)
def test_a_summary_is_ok_when_everything_is_done(counts, more, ok):
    assert Summary(total=3, skipped=0, counts=counts, elapsed=1.0, **more).ok is ok


def test_a_source_says_what_it_knows():
    assert str(Source()) == "command line"
    full = Source(path="studies.cfg", section="study", line=3, column=7)
    assert str(full).startswith("studies.cfg [study], line 3, column 7")


# --- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SoopsError, 3),
        (UsageError, 2),
        (StudyError, 3),
        (PluginError, 4),
        (RunnerError, 5),
        (LockedError, 6),
    ],
)
def test_each_error_has_the_exit_code_of_the_table(error, code):
    assert error("x").code == code
    assert issubclass(error, SoopsError)


def test_the_exit_codes_are_the_documented_ones():
    assert {item.name: int(item) for item in ExitCode} == {
        "OK": 0,
        "RUNS_FAILED": 1,
        "USAGE": 2,
        "STUDY": 3,
        "PLUGIN": 4,
        "RUNNER": 5,
        "LOCKED": 6,
        "INTERNAL": 70,
        "INTERRUPTED": 130,
    }


def test_an_error_is_three_lines_what_where_and_what_to_do():
    error = StudyError("it is wrong", source=Source(path="a.cfg", line=2), hint="mend it")

    assert error.lines() == ["error: it is wrong", "  in a.cfg, line 2", "  hint: mend it"]
    assert str(error) == "it is wrong\n  in a.cfg, line 2\n  hint: mend it"
    assert StudyError("alone").lines() == ["error: alone"]


@settings(deadline=None, max_examples=100)
@given(message=st.text(), path=st.text(), hint=st.text())
def test_no_text_makes_an_error_longer_or_writes_to_the_terminal(message, path, hint):
    error = StudyError(message, source=Source(path=path), hint=hint)

    lines = error.lines()

    assert len(lines) <= 3
    for line in lines:
        assert line.isprintable(), "no line break, no escape sequence"
        assert len(line) <= 640
        line.encode("utf-8")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("lineer", "did you mean 'linear'?"),
        ("linea", "did you mean 'linear'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_near_misses(word, hint):
    assert near_misses(word, ["linear", "cubic"]) == hint


def test_near_misses_are_in_order_of_nearness_and_few():
    known = [f"--num{n}" for n in range(10)] + ["--num"]

    assert near_misses("--nun", known).startswith("did you mean '--num'")
    assert near_misses("--nun", known).count("'--num") == 3


def test_an_unknown_name_lists_what_is_known():
    error = unknown_name("runner", "zzz", ["dask", "local", "dask"], error=UsageError)

    assert isinstance(error, UsageError)
    assert error.message == "unknown runner 'zzz'"
    assert error.hint == "known: dask, local"
    assert unknown_name("runner", "x", []).hint == "no runner is known"


def test_a_long_list_of_names_is_cut():
    error = unknown_name("key", "zzz", [f"k{n:02d}" for n in range(50)])

    assert error.hint.endswith("k11, ...")
    assert len(error.lines()[-1]) < 200


def test_errors_can_cross_a_process():
    error = StudyError("it is wrong", source=Source(path="a", line=1), hint="mend it")

    back = pickle.loads(pickle.dumps(error))

    assert type(back) is StudyError
    assert back.lines() == error.lines()


def test_an_error_of_a_path_keeps_the_undecodable_bytes_readable():
    path = Path(b"caf\xe9".decode("utf-8", "surrogateescape"))

    line = StudyError(f"no such file {str(path)!r}").lines()[0]

    assert line.encode("utf-8")
    assert "caf" in line
