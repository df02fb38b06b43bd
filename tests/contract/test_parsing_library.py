"""``soops.parsing`` as scripts of soops 2026.2 use it."""

from __future__ import annotations

import inspect

import pytest

from soops.parsing import (
    GrammarError,
    extract_floats,
    extract_ints,
    extract_values,
    parse_as_dict,
    parse_as_list,
)


def test_the_signatures_are_those_of_2026_2():
    assert list(inspect.signature(parse_as_dict).parameters) == [
        "string",
        "allow_tuple",
        "free_word",
        "defaults",
    ]
    assert list(inspect.signature(parse_as_list).parameters) == ["string", "free_word"]
    assert list(inspect.signature(extract_values).parameters) == ["tokens", "delete", "dtype"]


@pytest.mark.parametrize(
    ("string", "defaults", "wanted"),
    [
        (None, None, {}),
        (None, "a=1", {"a": 1}),
        ("a=1", None, {"a": 1}),
        ("a=1, b=2", "a=5, c=6", {"a": 1, "c": 6, "b": 2}),
        ({"a": 2}, {"a": 1, "b": 3}, {"a": 2, "b": 3}),
    ],
)
def test_dicts_and_their_defaults(string, defaults, wanted):
    found = parse_as_dict(string, defaults=defaults)

    assert list(found.items()) == list(wanted.items())


def test_a_dict_is_copied_and_defaults_are_left_alone():
    given, defaults = {"a": 1}, {"b": 2}

    found = parse_as_dict(given, defaults=defaults)
    found["c"] = 3

    assert (given, defaults) == ({"a": 1}, {"b": 2})


def test_a_tuple_is_returned_when_it_is_allowed():
    assert parse_as_dict("(1, 'a')", allow_tuple=True) == (1, "a")
    assert parse_as_dict("a=1", allow_tuple=True) == {"a": 1}
    assert parse_as_dict("(1, 2)=3", allow_tuple=True) == {(1, 2): 3}
    for text in ("(1, 2)", "1, 2"):
        with pytest.raises(GrammarError):
            parse_as_dict(text)


@pytest.mark.parametrize("given", [5, b"a=1", object()])
def test_other_types_are_refused(given):
    with pytest.raises(TypeError, match="a text or a dict is needed"):
        parse_as_dict(given)
    with pytest.raises(TypeError, match="a text or a list is needed"):
        parse_as_list(given)


@pytest.mark.parametrize(
    ("tokens", "wanted"),
    [
        (["1", "2.5"], [1.0, 2.5]),
        (["[1.5", "2]"], [1.5, 2.0]),
        (["[1,", "2,", "3]"], [1.0, 2.0, 3.0]),
        (["[1,2]"], [1.0, 2.0]),
        (["[", "1.", "2.]"], [1.0, 2.0]),
        ("[1. 2.5]", [1.0, 2.5]),
        (iter(["1"]), [1.0]),
        ([], []),
    ],
)
def test_numbers_of_a_line(tokens, wanted):
    assert extract_floats(tokens) == wanted


def test_other_numbers_of_a_line():
    assert extract_ints(["[1,", "(2)"], delete="[]()") == [1, 2]
    assert extract_values(["1j"], dtype=complex) == [1j]
    for function, tokens in ((extract_ints, ["2.5"]), (extract_floats, ["a"])):
        with pytest.raises(ValueError):
            function(tokens)
