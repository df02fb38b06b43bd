"""Places of points by the quasi-random sequences of scipy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from soops_builtin.readers.document.distributions import scipy_stats

__all__ = ["places"]

#: Bits of a place in a sequence of Sobol.
BITS = 30
#: The places nearest to 0 and 1 that a sequence of Halton may have: distributions without
#: bounds are infinite at 0 and 1.
EDGE = 2.0**-53


def places(method: str, count: int, names: Sequence[str], seed: int) -> dict[str, list[float]]:
    """Return ``count`` places in (0, 1) of each variable.

    Which variable is which dimension follows from their names, not from their order.

    Raises
    ------
    PluginError
        When scipy cannot be imported.
    """
    qmc = scipy_stats(f"the method {method!r}").qmc
    if method == "sobol":
        engine = _engine(qmc.Sobol, seed, d=len(names), scramble=True, bits=BITS)
        # Asked at first for another number than a power of two, it warns.
        first = 1 << (count.bit_length() - 1)
        points = [engine.random(first)]
        if count > first:
            points.append(engine.random(count - first))
        # From the edge of each cell to its middle.
        columns = _columns(points, len(names), lambda part: part + 0.5**BITS / 2)
    else:
        engine = _engine(qmc.Halton, seed, d=len(names), scramble=True)
        columns = _columns(
            [engine.random(count)], len(names), lambda part: part.clip(EDGE, 1 - EDGE)
        )
    return dict(zip(sorted(names), columns, strict=True))


def _engine(make: Any, seed: int, **arguments: Any) -> Any:
    """Return a sequence with a seed, whatever this version of scipy calls it."""
    try:
        return make(rng=seed, **arguments)
    except TypeError:  # before scipy 1.15
        return make(seed=seed, **arguments)


def _columns(points: Sequence[Any], width: int, shift: Any) -> list[list[float]]:
    columns: list[list[float]] = [[] for _ in range(width)]
    for part in points:
        for column, values in zip(columns, shift(part).T, strict=True):
            column += values.tolist()
    return columns
