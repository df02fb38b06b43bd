"""Samples of a parameter space: what each method promises, and which arguments are refused."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.api import PluginError
from soops_builtin.readers.document import sequences
from soops_builtin.readers.document.distributions import SampleError
from soops_builtin.readers.document.samples import METHODS, check, sample

UNIT = {"x": {"low": 0, "high": 1}, "y": {"low": 0, "high": 1}}
MIXED = {
    "x": {"low": -2.5, "high": 1e3},
    "n": {"low": 1, "high": 1000, "integer": True},
    "tol": {"low": 1e-9, "high": 1e-1, "scale": "log"},
    "host": {"choices": ["first", "random", 3, None, [1, 2]]},
    "load": {"normal": [10, 2]},
    "delay": {"exponential": [0.5], "round": 3},
}
BOTH = ("random", "lhs")
SEQUENCES = ("sobol", "halton")
seeds = st.integers(0, 2**70)


def bins(values: list[float], count: int) -> list[int]:
    return sorted(int(value * count) for value in values)


# --- Latin hypercubes


@settings(max_examples=25, deadline=None)
@given(base=st.integers(1, 60), level=st.integers(0, 6), seed=seeds)
def test_a_doubled_design_has_one_point_in_each_part(base, level, seed):
    count = base << level

    values = sample("lhs", count, UNIT, seed=seed, base=base)

    for column in values.values():
        for part in range(level + 1):
            size = base << part
            assert bins(column[:size], size) == list(range(size))


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 700), more=st.integers(0, 300), base=st.integers(1, 50), seed=seeds)
def test_a_larger_hypercube_of_a_base_begins_as_the_smaller_one(count, more, base, seed):
    small = sample("lhs", count, MIXED, seed=seed, base=base)
    large = sample("lhs", count + more, MIXED, seed=seed, base=base)

    assert {name: values[:count] for name, values in large.items()} == small


@pytest.mark.parametrize("count", [1, 7, 64, 100, 1000])
def test_twice_the_count_keeps_the_first_half_without_a_base_being_named(count):
    once, twice = (sample("lhs", size, MIXED, seed=5) for size in (count, 2 * count))

    assert {name: values[:count] for name, values in twice.items()} == once
    assert once == sample("lhs", count, MIXED, seed=5, base=count // (count & -count))


@settings(max_examples=30, deadline=None)
@given(times=st.integers(1, 30), size=st.integers(1, 12), seed=seeds)
def test_each_choice_and_each_integer_comes_equally_often(times, size, seed):
    choices = [f"c{number}" for number in range(size)]
    variables = {
        "choice": {"choices": choices},
        "whole": {"low": -3, "high": size - 4, "integer": True} if size > 1 else UNIT["x"],
    }

    values = sample("lhs", times * size, variables, seed=seed)

    assert Counter(values["choice"]) == dict.fromkeys(choices, times)
    if size > 1:
        assert Counter(values["whole"]) == dict.fromkeys(range(-3, size - 3), times)


def test_a_large_base_is_exact_too():
    count = 99_991

    (column,) = sample("lhs", count, {"x": UNIT["x"]}).values()

    assert bins(column, count) == list(range(count))


def test_variables_of_a_hypercube_are_not_in_step():
    values = sample("lhs", 512, dict.fromkeys("abcdef", UNIT["x"]), seed=3)

    names = list(values)
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            assert abs(statistics.correlation(values[name], values[other])) < 0.2


# --- all methods


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=8, deadline=None)
@given(count=st.integers(1, 200), times=st.integers(1, 4), seed=st.integers(0, 2**40))
def test_a_larger_sample_begins_as_the_smaller_one(method, count, times, seed):
    base = {"base": 3} if method == "lhs" else {}
    small = sample(method, count, MIXED, seed=seed, **base)
    large = sample(method, count * times + 1, MIXED, seed=seed, **base)

    assert {name: values[:count] for name, values in large.items()} == small


@pytest.mark.parametrize("method", METHODS)
def test_values_are_plain_and_within_their_bounds(method):
    values = sample(method, 300, MIXED, seed=1)

    assert list(values) == list(MIXED)
    assert {len(column) for column in values.values()} == {300}
    assert all(type(x) is float and -2.5 <= x <= 1e3 for x in values["x"])
    assert all(type(n) is int and 1 <= n <= 1000 for n in values["n"])
    assert all(type(tol) is float and 1e-9 <= tol <= 1e-1 for tol in values["tol"])
    assert all(host in MIXED["host"]["choices"] for host in values["host"])
    assert all(delay >= 0 and round(delay, 3) == delay for delay in values["delay"])
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize("method", METHODS)
def test_seeds_differ_and_the_same_seed_does_not(method):
    first, again, other = (sample(method, 50, UNIT, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first["x"] != other["x"] and first["y"] != other["y"]
    assert first["x"] != first["y"]


def test_no_process_draws_another_sample():
    code = (
        "import json; from soops_builtin.readers.document.samples import METHODS, sample\n"
        f"print(json.dumps([sample(m, 9, {MIXED!r}, seed=7) for m in METHODS]))"
    )
    here = [sample(method, 9, MIXED, seed=7) for method in METHODS]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == here


@pytest.mark.parametrize("method", BOTH)
def test_a_variable_that_is_added_changes_no_other(method):
    before = sample(method, 40, UNIT, seed=4)
    after = sample(method, 40, {"a": {"choices": [1, 2]}, **UNIT, "z": UNIT["x"]}, seed=4)

    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_variables_does_not_matter(method):
    backwards = dict(reversed(MIXED.items()))

    assert sample(method, 20, MIXED) == sample(method, 20, backwards)


@pytest.mark.parametrize("method", METHODS)
def test_the_values_are_those_that_were_drawn_when_this_was_written(method):
    """Studies go on with the values of then: their runs are found by these."""
    drawn = {
        "random": [0.588929, 0.760782, 0.928969, 0.085684],
        "lhs": [0.864001, 0.444636, 0.094076, 0.533095],
    }
    if method not in drawn:
        pytest.skip("they are those of scipy")

    assert [round(x, 6) for x in sample(method, 4, UNIT, seed=2027)["x"]] == drawn[method]


def test_sequences_fill_the_space_more_evenly_than_chance():
    for method in SEQUENCES:
        values = sample(method, 256, UNIT, seed=9)
        cells = Counter(
            (int(4 * x), int(4 * y)) for x, y in zip(values["x"], values["y"], strict=True)
        )
        assert len(cells) == 16
        assert max(cells.values()) - min(cells.values()) <= (0 if method == "sobol" else 8)


def test_the_seed_of_sequences_has_two_names():
    class Old:
        def __init__(self, *, d, seed):
            self.told = (d, seed)

    class New:
        def __init__(self, *, d, rng):
            self.told = (d, rng)

    assert sequences._engine(Old, 5, d=2).told == sequences._engine(New, 5, d=2).told == (2, 5)


# --- distributions


@pytest.mark.parametrize(
    ("variable", "name", "arguments"),
    [
        ({"normal": [3, 2]}, "norm", {"loc": 3, "scale": 2}),
        ({"lognormal": [1, 0.5]}, "lognorm", {"s": 0.5, "scale": math.e}),
        ({"exponential": [4]}, "expon", {"scale": 4}),
        ({"triangular": [-1, 0.5, 5]}, "triang", {"c": 0.25, "loc": -1, "scale": 6}),
        ({"triangular": [0, 0, 1]}, "triang", {"c": 0}),
        ({"triangular": [0, 1, 1]}, "triang", {"c": 1}),
        ({"low": 2, "high": 5}, "uniform", {"loc": 2, "scale": 3}),
        ({"low": 2, "high": 50, "scale": "log"}, "loguniform", {"a": 2, "b": 50}),
        ({"low": 2, "high": 9, "integer": True}, "randint", {"low": 2, "high": 10}),
    ],
)
def test_distributions_are_those_of_scipy(variable, name, arguments):
    ours = sample("random", 200, {"x": variable})["x"]
    theirs = sample("random", 200, {"x": {"dist": name, **arguments}})["x"]

    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    assert {type(value) for value in ours} == {type(value) for value in theirs}


def test_a_distribution_of_scipy_can_be_rounded():
    values = sample("lhs", 64, {"g": {"dist": "gamma", "a": 2.0, "scale": 3.0, "round": 2}})["g"]

    assert all(round(value, 2) == value for value in values)
    assert statistics.mean(values) == pytest.approx(6.0, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(weights=st.lists(st.integers(0, 5), min_size=2, max_size=6), seed=seeds)
def test_weights_are_shares(weights, seed):
    if not any(weights):
        weights[0] = 1
    choices = list(range(len(weights)))
    count = 64 * sum(weights)

    found = Counter(
        sample("lhs", count, {"c": {"choices": choices, "weights": weights}}, seed=seed)["c"]
    )

    assert found == {choice: 64 * weight for choice, weight in enumerate(weights) if weight}


def test_integers_on_a_log_scale_begin_with_the_small_ones():
    found = Counter(
        sample("lhs", 1024, {"n": {"low": 1, "high": 15, "scale": "log", "integer": True}})["n"]
    )

    assert set(found) == set(range(1, 16))
    assert found[1] == pytest.approx(256, abs=1), "from 1 to 2 is a quarter of four octaves"


def test_bounds_that_are_not_whole_are_not_among_the_integers():
    values = sample("lhs", 40, {"n": {"low": 0.5, "high": 4.9, "integer": True}})["n"]

    assert Counter(values) == dict.fromkeys([1, 2, 3, 4], 10)


# --- what is refused

RANGE = {"low": 0, "high": 1}


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        (3, "no table"),
        ({}, "needs low and high"),
        ({"low": 0}, "needs high"),
        ({"low": 1, "high": 1}, "not below"),
        ({"low": 2, "high": 1}, "not below"),
        ({"low": float("nan"), "high": 1}, "no finite number"),
        ({"low": 0, "high": float("inf")}, "no finite number"),
        ({"low": 0, "high": 10**400}, "no finite number"),
        ({"low": -1e308, "high": 1e308}, "too far"),
        ({"low": True, "high": 2}, "no number"),
        ({"low": "0", "high": 1}, "no number"),
        ({**RANGE, "scale": "log"}, "not above 0"),
        ({**RANGE, "scale": "lgo"}, "did you mean 'log'"),
        ({**RANGE, "integer": 1}, "neither true nor false"),
        ({"low": 1.2, "high": 1.8, "integer": True}, "no whole number"),
        ({**RANGE, "rond": 2}, "did you mean 'round'"),
        ({"low": 0, "hihg": 1}, "unknown key 'hihg'; did you mean 'high'"),
        ({"nomal": [0, 1]}, "did you mean 'normal' or"),
        ({**RANGE, "choices": [1]}, "exclude each other"),
        ({**RANGE, "round": True}, "no number of digits"),
        ({**RANGE, "round": 1.5}, "no number of digits"),
        ({"low": 1e-5, "high": 1, "round": 3}, "would change low"),
        ({"choices": []}, "no list of values"),
        ({"choices": "ab"}, "no list of values"),
        ({"choices": [1, 2], "round": 1}, "take no round"),
        ({"weights": [1, 2]}, "needs choices"),
        ({"choices": [1, 2], "weights": [1]}, "no list of 2"),
        ({"choices": [1, 2], "weights": [0, 0]}, "one of them more"),
        ({"choices": [1, 2], "weights": [-1, 2]}, "0 or more"),
        ({"choices": [1, 2], "weights": [True, 2]}, "no number"),
        ({"normal": [0]}, r"is not \[mean, sd\]"),
        ({"normal": [0, 0]}, "sd=0.0 is not above 0"),
        ({"normal": [0, float("nan")]}, "no finite number"),
        ({"normal": [1e308, 1e308]}, "too large"),
        ({"lognormal": [0, -1]}, "not above 0"),
        ({"lognormal": [1000, 1]}, "too large"),
        ({"exponential": 2}, r"is not \[scale\]"),
        ({"exponential": [0]}, "not above 0"),
        ({"triangular": [0, 2, 1]}, "low <= mode <= high"),
        ({"triangular": [1, 1, 1]}, "low <= mode <= high"),
        ({"dist": "gamma; x"}, "no name of a distribution"),
        ({"dist": 3}, "no name of a distribution"),
        ({"dist": "gamma", "a": "2"}, "no number"),
    ],
)
def test_a_variable_that_is_wrong_is_named(variable, words):
    variables = {"fine": RANGE, "wrong": variable}

    with pytest.raises(SampleError, match=words) as caught:
        check("random", 10, variables)

    assert caught.value.key == "wrong"
    assert str(caught.value).startswith("wrong: ")
    with pytest.raises(SampleError, match=words):
        sample("sobol", 10, variables)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("latin", 10, UNIT), "no method 'latin'; known"),
        (("sobl", 10, UNIT), "did you mean 'sobol'"),
        ((["lhs"], 10, UNIT), "no method"),
        (("lhs", 0, UNIT), "must be 1 to"),
        (("lhs", -5, UNIT), "must be 1 to"),
        (("lhs", 10**9, UNIT), "must be 1 to"),
        (("lhs", 2.0, UNIT), "no whole number"),
        (("lhs", True, UNIT), "no whole number"),
        (("lhs", 10, {}), "no variables"),
        (("lhs", 10, {"": RANGE}), "no name"),
        (("lhs", 10, UNIT, -1), "must be 0 or more"),
        (("lhs", 10, UNIT, 0.5), "no whole number"),
        (("lhs", 10, UNIT, 0, 0), "must be 1 to"),
        (("random", 10, UNIT, 0, 5), "base is for the method 'lhs'"),
        (("sobol", 10, {str(number): RANGE for number in range(21202)}), "21201 variables"),
    ],
)
def test_other_arguments_that_are_wrong_have_no_key(arguments, words):
    with pytest.raises(SampleError, match=words) as caught:
        check(*arguments)

    assert caught.value.key is None


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ({"dist": "gama", "a": 2}, "no distribution 'gama'; did you mean 'gamma'"),
        ({"dist": "distributions"}, "no distribution"),
        ({"dist": "gamma"}, "gamma needs a, too"),
        ({"dist": "gamma", "a": 2, "scal": 1}, "no argument 'scal'; did you mean 'scale'"),
        ({"dist": "poisson", "mu": 3, "scale": 2}, "no argument 'scale'"),
        ({"dist": "gamma", "a": -2}, "no finite values"),
    ],
)
def test_what_only_scipy_knows_is_refused_when_it_is_drawn(variable, words):
    check("random", 10, {"x": variable})

    with pytest.raises(SampleError, match=words) as caught:
        sample("random", 10, {"x": variable})

    assert caught.value.key == "x"


def test_checking_imports_neither_scipy_nor_numpy():
    code = (
        "import sys; from soops_builtin.readers.document.samples import check, sample\n"
        f"check('sobol', 9, {{**{MIXED!r}, 'g': {{'dist': 'gamma', 'a': 2}}}})\n"
        f"sample('lhs', 9, {MIXED!r}); sample('random', 9, {MIXED!r})\n"
        "print({'scipy', 'numpy'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "arguments",
    [("sobol", 4, UNIT), ("halton", 4, UNIT), ("lhs", 4, {"x": {"dist": "gamma", "a": 2}})],
)
def test_without_scipy_it_is_said_what_to_install(arguments, monkeypatch):
    for name in ("scipy", "scipy.stats", "scipy.stats.qmc"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(PluginError, match="needs scipy") as caught:
        sample(*arguments)

    assert caught.value.hint == "pip install 'soops[sampling]'"
