"""The directive ``@chebyshev``."""

from __future__ import annotations

import math

__all__ = ["chebyshev"]


def chebyshev(n: int, a: float = -1.0, b: float = 1.0) -> list[float]:
    """Return the Chebyshev nodes of an interval, ascending.

    A smooth response sampled there is interpolated well by a polynomial, which is what a
    parameter study of an expensive program often wants.

    Parameters
    ----------
    n : int
        How many.
    a, b : float
        The interval; its ends are not among the nodes.

    Returns
    -------
    list of float
        ``(a + b) / 2 + (b - a) / 2 * sin(pi * (2 k + 1 - n) / (2 n))`` for ``k = 0 ... n - 1``,
        exactly symmetric.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"the number of nodes must be an integer above 0, not {n!r}")
    if not a < b:
        raise ValueError(f"the interval must go upwards, not from {a} to {b}")
    middle, half = (a + b) / 2, (b - a) / 2
    return [middle + half * math.sin(math.pi * (2 * k + 1 - n) / (2 * n)) for k in range(n)]
