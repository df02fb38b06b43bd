"""Amounts of resources, as a command line or a study file has them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soops.kernel.errors import UsageError
from soops.kernel.runs.resources import amount_of, resources_of


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (4, 4.0),
        ("4", 4.0),
        (" .5 ", 0.5),
        ("+4e9", 4e9),
        ("4GB", 4e9),
        ("4 GB", 4e9),
        ("1.5GiB", 1.5 * 2**30),
        ("2k", 2000.0),
        ("2KiB", 2048.0),
        ("3M", 3e6),
        ("7 B", 7.0),
        ("-1", -1.0),
    ],
)
def test_numbers_and_sizes(given, wanted):
    assert amount_of(given) == wanted


@pytest.mark.parametrize(
    "given", ["", "GB", "four", "4 iB", "4GBs", "n * 2", True, None, [4], "1 2M"]
)
def test_what_is_no_amount(given):
    assert math.isnan(amount_of(given))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read_as_python_does(number):
    assert amount_of(repr(number)) == number


def test_pairs_of_the_command_line():
    assert resources_of("GPU=.5, memory=2GB") == {"GPU": 0.5, "memory": 2e9}


@pytest.mark.parametrize(
    "given", ["GPU=0", "GPU=-1", "GPU=nan", "GPU", "GPU=1,GPU=2", "=1", {"a": "x"}]
)
def test_pairs_that_are_none(given):
    with pytest.raises(UsageError, match="--resources does not understand"):
        resources_of(given)
