"""The directive ``@chebyshev``."""

from __future__ import annotations

import math

import pytest
from soops_study_tools.nodes import chebyshev


def test_the_nodes_are_the_zeros_of_the_polynomial():
    n = 7
    for x in chebyshev(n):
        assert math.cos(n * math.acos(x)) == pytest.approx(0, abs=1e-14)


def test_they_are_ascending_inside_the_interval():
    nodes = chebyshev(5, 2, 3)

    assert nodes == sorted(nodes)
    assert nodes[0] > 2 and nodes[-1] < 3
    assert nodes[2] == 2.5


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((0,), "integer above 0"),
        ((2.5,), "integer above 0"),
        ((True,), "integer above 0"),
        ((3, 1, 1), "must go upwards"),
        ((3, 2, 1), "must go upwards"),
    ],
)
def test_nonsense_is_refused(args, words):
    with pytest.raises(ValueError, match=words):
        chebyshev(*args)
