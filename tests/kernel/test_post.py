"""Post-processing steps: which are run, what they get, and what happens when one fails."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soops.api import StepCall, UsageError
from soops.base import Struct
from soops.kernel.table.post import (
    check_arguments,
    get_uniques,
    init_plugin_data,
    run_steps,
    select_steps,
)


def call(function: Callable[..., Any], **kwargs: Any) -> StepCall:
    target = function.func if isinstance(function, functools.partial) else function
    return StepCall(name=target.__name__, target=function, kwargs=kwargs)


def run(
    *steps: StepCall, data: Any = None, arguments: Any = None, **kwargs: Any
) -> tuple[Any, list[str]]:
    said: list[str] = []
    frame = pd.DataFrame({"x": [1, 2]})
    result = run_steps(
        steps, frame, data, arguments or {}, {"named": named}.__getitem__, said.append, **kwargs
    )
    return result, said


def named(df: Any, data: Any = None) -> Any:
    return Struct(rows=len(df))


# --- what steps get -----------------------------------------------------------------------


def test_the_data_of_steps_tell_parameters_from_results() -> None:
    frame = pd.DataFrame(
        {"num": [10, 100, 10], "host": ["b", "a", "b"], "tol": [1, 1, 1], "y": [3, 1, 2]}
    )
    data = init_plugin_data(frame, ("num", "tol", "host", "gone"), "out", "out/results.h5")
    assert type(data) is Struct
    assert dict(data) == {
        "par_keys": {"num", "tol", "host"},
        "multi_par_keys": ["host", "num"],
        "par_uniques": {"host": ["a", "b"], "num": [10, 100], "tol": [1]},
        "multi_par_uniques": {"host": ["a", "b"], "num": [10, 100]},
        "output_dir": "out",
        "store_filename": "out/results.h5",
    }
    assert list(data.par_uniques) == ["host", "num", "tol"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2, 1], [1, 2, 3]),
        ([math.nan, 3.0, math.nan, 1.0], [1.0, 3.0, math.nan]),
        (["b", math.nan, "a"], ["a", "b", math.nan]),
        ([True, None, False], [False, True, None]),
        ([1, 2.5, "x", None], [1, 2.5, "x", None]),
        ([[2], [1], [2]], [[1], [2]]),
        ([{"a": 1}, {"a": 1}, {}], [{"a": 1}, {}]),
        ([(1, "a"), (1,)], [(1,), (1, "a")]),
    ],
)
def test_different_values_are_sorted_with_missing_ones_last(
    values: list[Any], expected: list[Any]
) -> None:
    frame = pd.DataFrame({"v": pd.Series(values, dtype=object)})
    (given,) = get_uniques(frame, ["v"]).values()
    assert [value for value in given if value == value] == [v for v in expected if v == v]
    assert [value == value for value in given] == [value == value for value in expected]


def test_arrays_are_values_too() -> None:
    cells = [np.array([1, 2]), np.array([1, 2]), np.array([[1], [2]]), np.arange(2000)]
    frame = pd.DataFrame({"v": pd.Series(cells, dtype=object)})
    assert len(get_uniques(frame, ["v"])["v"]) == 3


def test_data_go_from_step_to_step() -> None:
    seen = []

    def first(df: Any, data: Any = None) -> Any:
        seen.append(data.a)
        return Struct(a=2)

    def keeps(df: Any, data: Any = None) -> None:
        seen.append(data.a)
        df["y"] = df["x"] * 2

    def last(df: Any, data: Any = None) -> Any:
        seen.append((data.a, df["y"].tolist()))
        return data

    result, said = run(call(first), call(keeps), call(last), data=Struct(a=1))
    assert seen == [1, 2, (2, [2, 4])]
    assert result.data.a == 2
    assert result.failures == ()
    assert said == [
        "running first()...",
        "...done",
        "running keeps()...",
        "...done",
        "running last()...",
        "...done",
    ]


def test_steps_get_their_arguments() -> None:
    seen = []

    def plot(df: Any, data: Any = None, color: str = "", size: int = 0) -> None:
        seen.append((color, size))

    result, said = run(
        call(plot, color="red", size=1),
        call(functools.partial(plot, size=5)),
        arguments={"plot": {"size": 3}, "other": {"x": 1}, "another": {}},
    )
    assert seen == [("red", 3), ("", 3)]
    assert said[0] == "WARNING: unused plugin arguments: {'another', 'other'}"
    assert result.failures == ()


@pytest.mark.parametrize("kwargs", ["x", [1], {1: 2}, None])
def test_arguments_that_are_no_names_and_values_are_refused(kwargs: Any) -> None:
    check_arguments({"plot": {"a": 1}})
    with pytest.raises(UsageError, match="arguments of the step 'plot'") as caught:
        check_arguments({"plot": kwargs})
    assert caught.value.hint == "write --plugin-args=plot={key=value}"


# --- what goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [ValueError("broken"), SystemExit(2), MemoryError(), KeyError("a")]
)
def test_a_step_that_raises_does_not_stop_the_next(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(df: Any, data: Any = None) -> Any:
        raise error

    def after(df: Any, data: Any = None) -> Any:
        return Struct(reached=True, before=data.a)

    with caplog.at_level(logging.ERROR, "soops"):
        result, said = run(call(broken), call(after), data=Struct(a=1))
    assert dict(result.data) == {"reached": True, "before": 1}
    assert result.failures == (("broken", f"{type(error).__name__}: {error}"),)
    assert f"...failed with {type(error).__name__}: {error}" in said
    # The author of the step is shown the line, and nothing of soops.
    assert "raise error" in caplog.text
    assert "kernel/table" not in caplog.text.split("raised", 1)[1]


def test_a_wrong_argument_is_a_failure_of_its_step() -> None:
    def plot(df: Any, data: Any = None) -> None: ...

    result, _ = run(call(plot), arguments={"plot": {"colour": 1}})
    ((name, text),) = result.failures
    assert name == "plot"
    assert text.startswith("TypeError:")
    assert "colour" in text


def test_debug_and_ctrl_c_pass() -> None:
    def broken(df: Any, data: Any = None) -> None:
        raise ValueError("seen")

    def interrupted(df: Any, data: Any = None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(ValueError, match="seen"):
        run(call(broken), debug=True)
    with pytest.raises(KeyboardInterrupt):
        run(call(interrupted))


@pytest.mark.parametrize("given", [[1], 3, "text", pd.Series([1]).to_numpy()])
def test_what_is_no_data_is_not_handed_on(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    def odd(df: Any, data: Any = None) -> Any:
        return given

    result, _ = run(call(odd), data=Struct(a=1))
    assert dict(result.data) == {"a": 1}
    assert f"'odd' returned a {type(given).__name__}" in caplog.text


def test_a_registered_step_is_resolved_when_it_is_run() -> None:
    result, _ = run(StepCall(name="named", target="named"))
    assert result.data.rows == 2
    result, _ = run(StepCall(name="missing", target="missing"))
    assert result.failures == (("missing", "KeyError: 'missing'"),)


# --- which are run ------------------------------------------------------------------------

STEPS = tuple(StepCall(name=name, target=named) for name in ("a", "b", "c"))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, "abc"),
        ({"use": ["c", "a"]}, "ca"),
        ({"use": ["c", "c"]}, "cc"),
        ({"omit": ["b", "unknown"]}, "ac"),
        ({"omit": ["a", "b", "c"]}, ""),
        ({"use": ["r", "a"], "registered": ["r", "a"]}, "ra"),
    ],
)
def test_which_steps_are_run(options: dict[str, Any], names: str) -> None:
    chosen = select_steps(STEPS, **options)
    assert "".join(step.name for step in chosen) == names
    # The step of the module is nearer than the registered one of its name.
    assert all(step.target is named for step in chosen if step.name != "r")


def test_all_steps_of_one_name_are_run_when_it_is_asked_for() -> None:
    steps = [StepCall(name=name, target=named, kwargs={"k": k}) for k, name in enumerate("aba")]

    chosen = select_steps(steps, use=["b", "a"], registered=["a"])

    assert [step.kwargs["k"] for step in chosen] == [1, 0, 2]


def test_an_unknown_step_is_an_error_with_near_misses() -> None:
    steps = [StepCall(name="plot_rates", target=named)]
    with pytest.raises(UsageError, match="unknown step 'plot_rate'") as caught:
        select_steps(steps, use=["plot_rate"])
    assert caught.value.hint == "did you mean 'plot_rates'?"
