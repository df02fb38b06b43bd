"""Unions of products: order, filters, derived parameters, seeds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.errors import StudyError
from soops.kernel.study.blocks import SEEDS, Block, Completion, Filter, UnionSpace
from soops.kernel.study.expression import compile_expression
from soops.kernel.study.space import ParameterSpace, build_axes
from soops.kernel.values import Axis, Formula, Source

KEYS = ["a", "b"]


def space(values, contracts=()):
    keys = sorted(values)
    return ParameterSpace(keys, build_axes(keys, values, contracts, Source()))


def holds(text, negated=False, keys=KEYS):
    return Filter(expression=compile_expression(text, keys), negated=negated)


def derived(*pairs, keys=KEYS):
    known, out = list(keys), []
    for key, text in pairs:
        formula = Formula(text=text, source=Source(path="s.toml", line=3))
        out.append((key, compile_expression(text, known, formula.source), formula))
        known.append(key)
    return out


def completed(values, completion):
    keys = sorted([*values, *completion.keys])
    axes = build_axes(sorted(values), values)
    later = [Axis(keys=(key,), rows=[(None,)]) for key in completion.keys]
    return Block(ParameterSpace(keys, [*axes, *later]), completion)


def test_a_union_has_its_blocks_in_order():
    one = space({"a": [1, 2], "b": [3, 4]})
    two = ParameterSpace(["a", "b"], [Axis(keys=("b", "a"), rows=[(9, 8), (7, 6)])])
    union = UnionSpace([Block(one, where=[holds("a * b > 3")]), Block(two)])

    assert [tuple(item.values()) for item in union] == [(1, 4), (2, 3), (2, 4), (8, 9), (6, 7)]
    assert len(union) == 6, "the most that there can be"
    assert (union.is_exact, union.may_repeat) == (False, True)
    assert list(union) == list(union), "it can be gone through again"


def test_one_block_without_filters_is_as_exact_as_a_product():
    union = UnionSpace([Block(space({"a": [1, 2], "b": 3}))])

    assert (union.is_exact, union.may_repeat, len(union)) == (True, False, 2)
    assert union.sample() == {"a": 1, "b": 3}


def test_all_filters_have_to_keep_a_set_and_a_negated_one_drops_it():
    block = Block(
        space({"a": [1, 2, 3], "b": [1, 2]}), where=[holds("a > 1"), holds("b == 2", negated=True)]
    )

    assert [tuple(item.values()) for item in block] == [(2, 1), (3, 1)]


def test_the_sample_is_of_the_first_block_that_has_sets():
    union = UnionSpace([Block(space({"a": []})), Block(space({"a": [7]}))])

    assert union.sample() == {"a": 7}
    assert union.take({"a": 3})
    assert UnionSpace([Block(space({"a": []}))]).sample() is None


def test_derived_parameters_see_the_ones_before_them_and_filters_see_all():
    completion = Completion(derived(("c", "a + b"), ("d", "2 * c")))
    plain = completed({"a": [1, 2], "b": 3}, completion)
    block = Block(plain.space, completion, [holds("d > 8", keys=[*KEYS, "c", "d"])])

    assert list(block) == [{"a": 2, "b": 3, "c": 5, "d": 10}]


def test_keys_stay_in_order():
    block = completed({"b": [1], "z": 2}, Completion(derived(("a", "b"), keys=["b", "z"])))

    assert list(next(iter(block))) == ["a", "b", "z"]


def test_an_expression_without_result_names_the_set_and_the_line():
    block = completed({"a": [1, 0], "b": 3}, Completion(derived(("c", "b / a"))))
    sets = iter(block)
    assert next(sets)["c"] == 3.0
    # As the hint says; a filter over what is derived comes too late for that.
    left_out = Block(block.space, block.complete, [holds("c > 0", keys=[*KEYS, "c"]), holds("a")])
    assert [item["c"] for item in left_out] == [3.0]

    with pytest.raises(StudyError) as caught:
        next(sets)

    assert caught.value.message == "c = b / a has no result for b=3, a=0"
    assert caught.value.source.line == 3


@settings(deadline=None, max_examples=50)
@given(st.integers(), st.text(max_size=5), st.floats(allow_nan=False))
def test_the_seed_is_that_of_the_set_whatever_its_order_and_its_unhashed_keys(a, b, c):
    complete = Completion(seed="s", unhashed=["c"])
    seed = complete({"a": a, "b": b, "c": c, "s": None})["s"]

    assert type(seed) is int
    assert 0 <= seed < SEEDS
    assert complete({"b": b, "s": 17, "a": a, "c": None})["s"] == seed


def test_seeds_of_many_sets_differ_and_are_the_same_tomorrow():
    complete = Completion(seed="s")
    seeds = [complete({"a": a, "s": None})["s"] for a in range(1000)]

    assert len(set(seeds)) == 1000
    assert seeds[:2] == [363229144, 1692825495]
