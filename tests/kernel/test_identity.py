"""Two names of a parameter set, and its values as JSON with their types."""

from __future__ import annotations

import datetime
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.study.identity import (
    dumps,
    from_jsonable,
    identity,
    loads,
    pkey,
    pkey_of_texts,
    to_jsonable,
)

quick = settings(deadline=None, max_examples=100)

TEXTS = st.text(st.characters(codec=None), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | TEXTS
    | st.binary(max_size=5)
    | st.dates()
    | st.datetimes()
    | st.times()
)
HASHABLE = st.none() | st.booleans() | st.integers() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
        | st.frozensets(HASHABLE, max_size=3)
    ),
    max_leaves=10,
)


@quick
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_values_come_back_from_json_with_their_types(values):
    text = dumps(values)
    back = loads(text)

    assert sorted(map(repr, back.items())) == sorted(map(repr, values.items())) or (
        identity(back) == identity(values)  # sets are printed in any order
    )
    assert list(back) == list(values)
    assert identity(back) == identity(values)
    text.encode("ascii")


@quick
@given(VALUES)
def test_the_json_is_plain(value):
    text = json.dumps(to_jsonable(value), allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")

    back = from_jsonable(json.loads(text))
    assert identity({"a": back}) == identity({"a": value})


def test_plain_values_stay_as_they_are():
    values = {"n": 3, "x": 0.5, "name": "žluť", "flag": True, "none": None, "list": [1, "a"]}

    assert json.loads(dumps(values)) == values


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.int64(3), 3),
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.array([1, "a"], dtype=object), [1, "a"]),
        (np.complex128(1j), 1j),
        (np.longdouble("1.5"), "1.5"),
        (np.datetime64("2020-01-01"), datetime.date(2020, 1, 1)),
    ],
)
def test_values_of_numpy_come_back_as_what_they_hold(value, wanted):
    back = from_jsonable(json.loads(json.dumps(to_jsonable(value))))

    assert repr(back) == repr(wanted)


def test_an_object_is_kept_as_its_text():
    assert from_jsonable(to_jsonable(range(3))) == "range(0, 3)"


def test_a_long_integer_comes_back():
    value = 7**20_000

    assert loads(dumps({"a": value})) == {"a": value}


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"@": "no such kind", "v": 1},
        {"@": "tuple"},
        {"@": "tuple", "v": 3},
        {"@": "dict", "v": [[1]]},
        {"@": "dict", "v": [[[1], 2]]},
        {"@": "complex", "v": ["1"]},
        {"@": "float", "v": "x"},
        {"@": "int", "v": "q"},
        {"@": "date", "v": "2020-99-99"},
        {"@": ["tuple"], "v": []},
        {"@": "set", "v": [[]]},
    ],
)
def test_a_damaged_form_is_refused(form):
    with pytest.raises(ValueError):
        from_jsonable([form])


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"a": {"@": "x"}}', "[" * 100_000])
def test_a_damaged_text_is_refused(text):
    with pytest.raises(ValueError):
        loads(text)


def test_endless_nesting_is_refused():
    value: list = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(ValueError, match="too deep"):
        from_jsonable(value)


# --- identity ----------------------------------------------------------------------------


def test_types_make_different_sets():
    values = [1, 1.0, "1", True, None, "None", (1,), [1], {"a": 1}, {1}, 1 + 0j, math.nan, "nan"]

    assert len({identity({"a": value}) for value in values}) == len(values)


def test_undefined_parameters_and_order_do_not_count():
    assert identity({"a": 1, "b": "@undefined"}) == identity({"a": 1})
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1})
    assert identity({"a": {"x": 1, "y": 2}}) == identity({"a": {"y": 2, "x": 1}})
    assert identity({"a": 1}) != identity({"b": 1})
    assert identity({"a": "@defined"}) != identity({})
    assert identity({"a": ["@undefined"]}) != identity({"a": []})


@pytest.mark.parametrize(
    ("numpy_value", "value"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float64(0.1), 0.1),
        (np.bool_(False), False),
        (np.str_("x"), "x"),
        (np.complex128(2j), 2j),
        ([np.int64(1)], [1]),
        ((np.float64(1),), (1.0,)),
        ({"k": np.int32(1)}, {"k": 1}),
        (np.array([1, 2]), [1, 2]),
    ],
)
def test_a_numpy_value_is_the_value_it_holds(numpy_value, value):
    assert identity({"a": numpy_value}) == identity({"a": value})


def test_the_identity_does_not_change_between_versions():
    """What is on disk is found again: these may never be changed."""
    values = {"--num": 100, "--x": 0.5, "name": "žluť", "t": (1, [2.0, None]), "d": {"b": True}}

    assert identity(values) == "ab8b10db3e67ff113456ae1966cf501e"
    assert identity({}) == "4f53cda18c2baa0c0354bb5f9a3ecbe5"


def test_the_order_of_a_set_does_not_count():
    """Sets of texts are printed in another order in each process."""
    code = (
        "from soops.kernel.study.identity import identity;"
        "print(identity({'a': {'x', 'y', 'z', 'w'}}))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(found) == 1


def test_numpy_is_not_imported():
    code = (
        "import sys; from soops.kernel.study.identity import *;"
        "identity({'a': 1}); loads(dumps({'a': (1, 2j)})); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


@quick
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_both_names_are_hexadecimal_and_of_fixed_length(values):
    assert len(pkey(values)) == len(identity(values)) == 32
    int(pkey(values), 16)
    int(identity(values), 16)


@settings(deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_the_key_can_be_made_of_printed_values(parameters):
    texts = {key: repr(value) for key, value in parameters.items()}

    assert pkey_of_texts(texts) == pkey(parameters)
