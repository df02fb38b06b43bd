"""What a variable of a sample says, and the function from places in (0, 1) to its values."""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from soops.api import PluginError, near_misses

__all__ = ["SampleError", "Transform", "scipy_stats", "transform_of"]

#: Places in (0, 1) to values.
Transform = Callable[[Sequence[float]], list[Any]]
#: Standard deviations to which places come that are nearest to 0 and 1.
FARTHEST = 8.3
#: The largest difference, or scale, whose multiples are still numbers.
LARGEST = 1e300
#: The keys of each kind of variable, besides ``round``; ``dist`` has arguments of its own.
_KEYS = {
    "low": ("low", "high", "scale", "integer"),
    "choices": ("choices", "weights"),
    "normal": ("normal",),
    "lognormal": ("lognormal",),
    "exponential": ("exponential",),
    "triangular": ("triangular",),
    "dist": ("dist",),
}


class SampleError(ValueError):
    """A sample that cannot be drawn.

    Parameters
    ----------
    what : str
        What is wrong.
    key : str, optional
        The variable that is wrong; None when it is another argument.
    """

    def __init__(self, what: str, key: str | None = None) -> None:
        super().__init__(what if key is None else f"{key}: {what}")
        self.what = what
        self.key = key


def transform_of(key: str, variable: Any) -> Transform:
    """Return the function from places to values of a variable.

    Raises
    ------
    SampleError
        When the variable is wrong. The function raises it, too, for what only scipy knows.
    """
    if not isinstance(variable, Mapping):
        raise SampleError(
            f"{variable!r} is no table, for instance {{low = 0.0, high = 1.0}}", key=key
        )
    kind = _kind(key, variable)
    digits = variable.get("round")
    if digits is not None and (type(digits) is not int or abs(digits) > 323):
        raise SampleError(f"round={digits!r} is no number of digits", key=key)
    if kind == "choices":
        return _choices(key, variable)
    if kind == "low":
        return _rounded(_range(key, variable, digits), digits)
    if kind == "dist":
        return _rounded(_dist(key, variable), digits)
    return _rounded(_NAMED[kind](key, variable[kind], digits), digits)


def _kind(key: str, variable: Mapping[str, Any]) -> str:
    """Return the key that says what kind a variable is; all its keys belong to it."""
    if "dist" in variable:
        return "dist"
    kinds = [kind for kind, keys in _KEYS.items() if not variable.keys().isdisjoint(keys)]
    if len(kinds) > 1:
        given = [name for kind in kinds for name in _KEYS[kind] if name in variable]
        raise SampleError(f"{' and '.join(map(repr, given))} exclude each other", key=key)
    known = [*_KEYS[kinds[0]], "round"] if kinds else [*itertools.chain(*_KEYS.values()), "round"]
    for name in variable:
        if name not in known:
            hint = near_misses(str(name), known)
            raise SampleError(f"unknown key {name!r}" + (f"; {hint}" if hint else ""), key=key)
    if not kinds:
        raise SampleError(f"it needs low and high, or one of {', '.join(list(_KEYS)[1:])}", key=key)
    if "round" in variable and kinds == ["choices"]:
        raise SampleError("choices are as they are; they take no round", key=key)
    return kinds[0]


# --- ranges and choices


def _range(key: str, variable: Mapping[str, Any], digits: int | None) -> Transform:
    for name in ("low", "high"):
        if name not in variable:
            raise SampleError(f"it needs {name}, too", key=key)
    low, high = (_number(key, name, variable[name]) for name in ("low", "high"))
    scale, whole = variable.get("scale", "linear"), variable.get("integer", False)
    if scale not in ("linear", "log"):
        hint = near_misses(str(scale), ("linear", "log")) or "it is 'linear' or 'log'"
        raise SampleError(f"there is no scale {scale!r}; {hint}", key=key)
    if not isinstance(whole, bool):
        raise SampleError(f"integer={whole!r} is neither true nor false", key=key)
    if low >= high:
        raise SampleError(f"low={low} is not below high={high}", key=key)
    if scale == "log" and low <= 0:
        raise SampleError(f"low={low} is not above 0, as scale='log' needs", key=key)
    if float(high) - float(low) > LARGEST:
        raise SampleError("low and high are too far from each other", key=key)
    if not whole:
        _require_digits(key, digits, low=low, high=high)
        return _float_range(float(low), float(high), scale)
    first, last = math.ceil(low), math.floor(high)
    if first > last:
        raise SampleError("there is no whole number from low to high", key=key)
    _require_digits(key, digits, low=first, high=last)
    return _whole_range(first, last, scale)


def _float_range(low: float, high: float, scale: str) -> Transform:
    if scale == "log":
        begin, step = math.log(low), math.log(high) - math.log(low)
        return lambda us: [min(max(math.exp(begin + u * step), low), high) for u in us]
    return lambda us: [min(max(low + u * (high - low), low), high) for u in us]


def _whole_range(first: int, last: int, scale: str) -> Transform:
    if scale == "log":
        # The share of a number is that of the range up to the next one.
        begin, step = math.log(first), math.log(last + 1) - math.log(first)
        return lambda us: [min(max(int(math.exp(begin + u * step)), first), last) for u in us]
    size = last + 1 - first
    return lambda us: [first + min(int(u * size), size - 1) for u in us]


def _choices(key: str, variable: Mapping[str, Any]) -> Transform:
    if "choices" not in variable:
        raise SampleError("it needs choices, too", key=key)
    choices = variable["choices"]
    if not isinstance(choices, (list, tuple)) or not choices:
        raise SampleError(f"choices={choices!r} is no list of values", key=key)
    if "weights" not in variable:
        last = len(choices) - 1
        return lambda us: [choices[min(int(u * len(choices)), last)] for u in us]
    weights = variable["weights"]
    if not isinstance(weights, (list, tuple)) or len(weights) != len(choices):
        raise SampleError(f"weights is no list of {len(choices)} numbers, as choices are", key=key)
    numbers = [float(_number(key, "weights", weight)) for weight in weights]
    if min(numbers) < 0 or not 0 < sum(numbers) < math.inf:
        raise SampleError("weights must be 0 or more, and one of them more", key=key)
    wanted = [(choice, weight) for choice, weight in zip(choices, numbers, strict=True) if weight]
    ends = list(itertools.accumulate(weight for _, weight in wanted))
    return lambda us: [
        wanted[min(bisect.bisect_right(ends, u * ends[-1]), len(wanted) - 1)][0] for u in us
    ]


# --- distributions of the standard library


def _normal(key: str, given: Any, digits: int | None) -> Transform:
    mean, sd = _numbers(key, "normal", given, "mean", "sd")
    _require_positive(key, "sd", sd)
    if math.isinf(abs(mean) + FARTHEST * sd):
        raise SampleError("mean and sd are too large", key=key)
    inverse = statistics.NormalDist(mean, sd).inv_cdf
    return lambda us: [inverse(u) for u in us]


def _lognormal(key: str, given: Any, digits: int | None) -> Transform:
    mu, sigma = _numbers(key, "lognormal", given, "mu", "sigma")
    _require_positive(key, "sigma", sigma)
    if mu + FARTHEST * sigma > 709:
        raise SampleError("mu and sigma are those of the logarithm: they are too large", key=key)
    inverse = statistics.NormalDist(mu, sigma).inv_cdf
    return lambda us: [math.exp(inverse(u)) for u in us]


def _exponential(key: str, given: Any, digits: int | None) -> Transform:
    (scale,) = _numbers(key, "exponential", given, "scale")
    _require_positive(key, "scale", scale)
    if scale > LARGEST:
        raise SampleError(f"scale={scale} is too large", key=key)
    return lambda us: [-scale * math.log1p(-u) for u in us]


def _triangular(key: str, given: Any, digits: int | None) -> Transform:
    low, mode, high = _numbers(key, "triangular", given, "low", "mode", "high")
    if not low <= mode <= high or low == high:
        raise SampleError(f"triangular={given!r} is not low <= mode <= high, low < high", key=key)
    size = high - low
    if size > LARGEST:
        raise SampleError("low and high are too far from each other", key=key)
    _require_digits(key, digits, low=low, high=high)
    rising = (mode - low) / size

    def value(u: float) -> float:
        if u < rising:
            found = low + size * math.sqrt(u * rising)
        else:
            found = high - size * math.sqrt((1 - u) * (1 - rising))
        return min(max(found, low), high)

    return lambda us: [value(u) for u in us]


_NAMED = {
    "normal": _normal,
    "lognormal": _lognormal,
    "exponential": _exponential,
    "triangular": _triangular,
}


# --- distributions of scipy


def scipy_stats(what: str) -> Any:
    """Return the module ``scipy.stats``.

    Raises
    ------
    PluginError
        When it cannot be imported; ``what`` needs it.
    """
    try:
        import scipy.stats
    except ImportError as exc:
        raise PluginError(
            f"{what} of a sample needs scipy, which cannot be imported: {exc}",
            hint="pip install 'soops[sampling]'",
        ) from exc
    return scipy.stats


def _dist(key: str, variable: Mapping[str, Any]) -> Transform:
    name = variable["dist"]
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise SampleError(f"dist={name!r} is no name of a distribution", key=key)
    arguments = {
        str(argument): float(_number(key, str(argument), value))
        for argument, value in variable.items()
        if argument not in ("dist", "round")
    }
    return lambda us: _by_scipy(key, name, arguments, us)


def _by_scipy(key: str, name: str, arguments: dict[str, float], us: Sequence[float]) -> list[Any]:
    stats = scipy_stats(f"the distribution {name!r}")
    kinds = (stats.rv_continuous, stats.rv_discrete)
    dist = vars(stats).get(name)
    if not isinstance(dist, kinds):
        known = [word for word, thing in vars(stats).items() if isinstance(thing, kinds)]
        hint = near_misses(name, known) or "see the documentation of scipy.stats"
        raise SampleError(f"scipy.stats has no distribution {name!r}; {hint}", key=key)
    counts = isinstance(dist, stats.rv_discrete)
    shapes = [word.strip() for word in (dist.shapes or "").split(",") if word.strip()]
    known = [*shapes, "loc"] if counts else [*shapes, "loc", "scale"]
    for argument in arguments:
        if argument not in known:
            hint = near_misses(argument, known) or f"it has {', '.join(known)}"
            raise SampleError(f"{name} has no argument {argument!r}; {hint}", key=key)
    missing = [word for word in shapes if word not in arguments]
    if missing:
        raise SampleError(f"{name} needs {', '.join(missing)}, too", key=key)
    import numpy as np

    with np.errstate(all="ignore"):
        values = dist.ppf(np.asarray(us), **arguments)
    if not np.isfinite(values).all():
        raise SampleError(f"{name} has no finite values with these arguments", key=key)
    return [int(value) for value in values] if counts else [float(value) for value in values]


# --- what they have in common


def _rounded(transform: Transform, digits: int | None) -> Transform:
    if digits is None:
        return transform
    return lambda us: [round(value, digits) for value in transform(us)]


def _require_digits(key: str, digits: int | None, **bounds: float) -> None:
    """Refuse bounds that rounded values would leave."""
    for name, bound in bounds.items():
        if digits is not None and round(bound, digits) != bound:
            raise SampleError(f"round={digits} would change {name}={bound}", key=key)


def _require_positive(key: str, name: str, value: float) -> None:
    if value <= 0:
        raise SampleError(f"{name}={value} is not above 0", key=key)


def _numbers(key: str, what: str, given: Any, *names: str) -> list[float]:
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        raise SampleError(f"{what}={given!r} is not [{', '.join(names)}]", key=key)
    return [float(_number(key, name, one)) for name, one in zip(names, given, strict=True)]


def _number(key: str, name: str, value: Any) -> int | float:
    """Return a number, if it is one that is finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SampleError(f"{name}={value!r} is no number", key=key)
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    if not finite:
        raise SampleError(f"{name}={value!r} is no finite number", key=key)
    return value
