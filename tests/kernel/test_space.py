"""Axes and their products: order, lockstep, indexing, filters - and no list of sets."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.errors import StudyError
from soops.kernel.study.space import ParameterSpace, build_axes, parse_contracts
from soops.kernel.values import Source

quick = settings(deadline=None, max_examples=100)


def space(values, contracts=()):
    keys = sorted(values)
    return ParameterSpace(keys, build_axes(keys, values, contracts, Source()))


def rows(values, contracts=()):
    return [tuple(item.values()) for item in space(values, contracts)]


# --- order -------------------------------------------------------------------------------


def test_the_last_key_changes_fastest():
    assert rows({"a": [1, 2], "b": 3, "c": [5, 6]}) == [(1, 3, 5), (1, 3, 6), (2, 3, 5), (2, 3, 6)]


@pytest.mark.parametrize(
    ("contract", "wanted"),
    [
        (("a", "c"), [(1, 3, 5), (1, 4, 5), (2, 3, 6), (2, 4, 6)]),
        (("c", "a"), [(1, 3, 5), (2, 3, 6), (1, 4, 5), (2, 4, 6)]),
    ],
)
def test_keys_in_lockstep_stand_where_the_first_named_one_does(contract, wanted):
    assert rows({"a": [1, 2], "b": [3, 4], "c": [5, 6]}, [contract]) == wanted


def test_a_list_is_an_axis_and_anything_else_one_value():
    values = {"dict": {"x": 1}, "list": [[1, 2], (3,)], "text": "ab", "tuple": (1, 2)}

    assert rows(values) == [({"x": 1}, [1, 2], "ab", (1, 2)), ({"x": 1}, (3,), "ab", (1, 2))]


def test_an_empty_list_makes_an_empty_space():
    assert rows({"a": [], "b": [1, 2]}) == []
    assert len(space({"a": [], "b": [1, 2]})) == 0


def test_a_space_without_keys_has_one_set():
    assert rows({}) == [()]


@quick
@given(st.lists(st.integers(0, 4), max_size=5), st.randoms(use_true_random=False))
def test_sets_are_those_of_the_product(sizes, random):
    values = {f"k{i}": [f"{i}-{j}" for j in range(size)] for i, size in enumerate(sizes)}
    made = space(values)
    wanted = [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]

    assert list(made) == wanted
    assert len(made) == len(wanted)
    for index in random.sample(range(len(wanted)), min(len(wanted), 5)):
        assert made[index] == wanted[index]
        assert made[index - len(wanted)] == wanted[index]
        indices = made.value_indices(index)
        assert {key: values[key][i] for key, i in zip(values, indices, strict=True)} == made[index]


@quick
@given(st.permutations("abcd"), st.integers(1, 3), st.integers(1, 3))
def test_lockstep_is_the_product_without_the_sets_that_do_not_fit(order, n, m):
    group, (free, other) = order[:2], order[2:]
    values = {key: [f"{key}{i}" for i in range(n)] for key in group}
    values |= {free: [f"{free}{i}" for i in range(m)], other: "one"}
    made = space(values, [group])

    assert len(made) == n * m
    found = {tuple(item.values()) for item in made}
    assert found == {
        row
        for row in itertools.product(
            *(v if isinstance(v, list) else [v] for _, v in sorted(values.items()))
        )
        if row["abcd".index(group[0])][1:] == row["abcd".index(group[1])][1:]
    }
    for index in range(len(made)):
        indices = dict(zip("abcd", made.value_indices(index), strict=True))
        assert indices[group[0]] == indices[group[1]]


def test_an_index_beyond_the_end_is_an_index_error():
    made = space({"a": [1, 2]})

    for index in (2, -3):
        with pytest.raises(IndexError, match=f"set {index} of 2"):
            made[index]
        with pytest.raises(IndexError):
            made.value_indices(index)


# --- size --------------------------------------------------------------------------------


def test_a_large_space_takes_no_memory():
    made = space({f"k{i}": list(range(100)) for i in range(6)})
    tracemalloc.start()
    try:
        assert len(made) == 10**12
        assert made[10**12 - 1] == dict.fromkeys(made.key_order, 99)
        assert made.value_indices(123456) == (0, 0, 0, 12, 34, 56)
        for item in itertools.islice(made, 10_000):
            assert item["k0"] == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 100_000


def test_a_space_without_end_is_refused():
    with pytest.raises(StudyError, match="parameter sets"):
        space({f"k{i}": list(range(1000)) for i in range(10)})


# --- mistakes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contracts", "message", "hint"),
    [
        ([("a", "bb")], "unknown parameter in a contract: 'bb'", "did you mean 'b'?"),
        ([("a", "c")], "different numbers of values: a has 2, c has 3", "same number"),
        ([("a", "d")], "different numbers of values: a has 2, d has 1", "same number"),
        ([("a", "b"), ("b", "e")], "name 'b' twice", "join all keys"),
        ([("a", "a")], "name 'a' twice", "join all keys"),
    ],
)
def test_a_wrong_contract_is_named(contracts, message, hint):
    values = {"a": [1, 2], "b": [3, 4], "c": [5, 6, 7], "d": 8, "e": [9, 0]}

    with pytest.raises(StudyError) as caught:
        build_axes(sorted(values), values, contracts, Source(path="s.cfg"))

    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.source.path == "s.cfg"


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("--a + --b", (("--a", "--b"),)),
        ("a+b+c, d + e", (("a", "b", "c"), ("d", "e"))),
        ("a + b,", (("a", "b"),)),
        ("", ()),
    ],
)
def test_contracts_are_read(text, groups):
    assert parse_contracts(text) == groups


@pytest.mark.parametrize("text", ["a", "a +", "+ b", "a + b, c", "a ++ b"])
def test_a_contract_joins_keys(text):
    with pytest.raises(StudyError, match="does not join keys"):
        parse_contracts(text)
