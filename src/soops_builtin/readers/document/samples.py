"""Samples of a parameter space: so many points, each with a value of every variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from soops.api import near_misses
from soops_builtin.readers.document import designs
from soops_builtin.readers.document.distributions import SampleError, Transform, transform_of

__all__ = ["METHODS", "MOST", "SampleError", "check", "sample"]

#: The methods; the last two need scipy.
METHODS = ("random", "lhs", "sobol", "halton")
#: Points of a sample at most.
MOST = 10_000_000
#: Variables of a sequence of Sobol at most.
SOBOL_MOST = 21201


def sample(
    method: str,
    count: int,
    variables: Mapping[str, Mapping[str, Any]],
    *,
    seed: int = 0,
    base: int | None = None,
) -> dict[str, list[Any]]:
    """Return ``count`` values of each variable.

    The same arguments give the same values, in any process. Samples grow: the first values of
    a larger one, with the same seed and variables, are those of the smaller one.

    Parameters
    ----------
    method : str
        ``random``: each value for itself. A variable that is added changes no other.

        ``lhs``: Latin hypercube. With ``base * 2**k`` points each of so many equal parts of each
        variable has one point; a smaller count takes the beginning of the next such design. A
        variable that is added changes no other.

        ``sobol``, ``halton``: the scrambled sequences of ``scipy.stats.qmc``, the same as long
        as the version of scipy is. A variable that is added changes the others.
    count : int
        Points, 1 to 10 million.
    variables : mapping
        Parameter to one of

        - ``{low, high}``, with ``scale="log"`` for equal shares of each power of ten, and
          ``integer=True`` for whole numbers, the bounds included if they are whole;
        - ``{choices}``, a list, with ``weights``, a list of as many numbers;
        - ``{normal: [mean, sd]}``, ``{lognormal: [mu, sigma]}`` (those of the logarithm),
          ``{exponential: [scale]}``, ``{triangular: [low, mode, high]}``;
        - ``{dist: NAME}`` and its arguments: a distribution of ``scipy.stats``.

        All but choices may have ``round``, a number of decimal digits.
    seed : int
        0 or more.
    base : int, optional
        Of ``lhs`` only; the odd part of ``count`` by default: 100 and 200 have the base 25, so
        that the first half of 200 points are the 100.

    Returns
    -------
    dict
        Variable to a list of plain Python values.

    Raises
    ------
    SampleError
        When an argument is wrong.
    PluginError
        When scipy is needed and cannot be imported.
    """
    transforms = _transforms(method, count, variables, seed, base)
    if method in ("sobol", "halton"):
        from soops_builtin.readers.document import sequences  # it uses scipy

        places = sequences.places(method, count, list(variables), seed)
        return {name: transform(places.pop(name)) for name, transform in transforms.items()}
    if method == "lhs":
        number = odd_part(count) if base is None else base
        return {
            name: transform(designs.lhs(name, count, seed, number))
            for name, transform in transforms.items()
        }
    return {
        name: transform(designs.random(name, count, seed)) for name, transform in transforms.items()
    }


def check(
    method: str,
    count: int,
    variables: Mapping[str, Mapping[str, Any]],
    seed: int = 0,
    base: int | None = None,
) -> None:
    """Find what is wrong with the arguments of :func:`sample`, without scipy.

    What only scipy knows, the distributions named by ``dist`` and their arguments, is looked at
    by :func:`sample`.

    Raises
    ------
    SampleError
        Its ``key`` is the variable that is wrong, or None.
    """
    _transforms(method, count, variables, seed, base)


def odd_part(count: int) -> int:
    """Return what is left of a number when it was halved as often as possible."""
    return count // (count & -count)


def _transforms(
    method: Any, count: Any, variables: Any, seed: Any, base: Any
) -> dict[str, Transform]:
    if method not in METHODS:
        known = near_misses(str(method), METHODS) or f"known: {', '.join(METHODS)}"
        raise SampleError(f"there is no method {method!r}; {known}")
    _require_whole("count", count, 1, MOST)
    _require_whole("seed", seed, 0)
    if base is not None:
        if method != "lhs":
            raise SampleError(f"base is for the method 'lhs', not for {method!r}")
        _require_whole("base", base, 1, MOST)
    if not isinstance(variables, Mapping) or not variables:
        raise SampleError("there are no variables")
    if method == "sobol" and len(variables) > SOBOL_MOST:
        raise SampleError(f"'sobol' has {SOBOL_MOST} variables at most, not {len(variables)}")
    for name in variables:
        if not isinstance(name, str) or not name:
            raise SampleError(f"{name!r} is no name of a variable")
    return {name: transform_of(name, variable) for name, variable in variables.items()}


def _require_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    if type(value) is not int:
        raise SampleError(f"{name}={value!r} is no whole number")
    if value < least or (most is not None and value > most):
        bounds = f"{least} or more" if most is None else f"{least} to {most}"
        raise SampleError(f"{name}={value} must be {bounds}")
