"""What becomes of the values of a scraper: reduced, renamed, and defaults where they lack.

Imported by ``scoop`` and ``gather``. numpy is imported only where there is an array, so that it
is there already.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from soops.kernel.errors import StudyError, near_misses, unknown_name
from soops.kernel.values import ScoopItem

__all__ = ["REDUCTIONS", "check_shapes", "shape"]

_INDEX = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_PLACES = {"first": 0, "last": -1}


def check_shapes(items: Iterable[ScoopItem]) -> None:
    """Raise for what no file can make right: a reduction or column name that is none.

    Raises
    ------
    StudyError
        Naming where the study says it.
    """
    for item in items:
        for how in item.reduce.values():
            if str(how) not in REDUCTIONS and not _INDEX(str(how)):
                raise unknown_name("reduction", str(how), REDUCTIONS, source=item.source)
        names = list(item.rename.values())
        for name in names:
            if not isinstance(name, str) or not name:
                raise StudyError(f"{name!r} is no name of a column", source=item.source)
            if names.count(name) > 1:
                raise StudyError(f"two values are renamed {name!r}", source=item.source)


def shape(values: Mapping[Any, Any] | None, item: ScoopItem) -> dict[Any, Any]:
    """Return what an item makes of the values of its scraper.

    First ``reduce``, then ``rename``, then ``default``.

    Parameters
    ----------
    values : mapping, optional
        What the scraper gave; None: there was nothing to give.
    item : ScoopItem
        Says what becomes of them. A value that it names and that lacks is a mistake, unless
        its column has a default.

    Raises
    ------
    StudyError
        When a name is unknown, a reduction impossible, or a column given twice.
    """
    out: dict[Any, Any] = {}
    if values is not None:
        for name in (*item.reduce, *item.rename):
            if name not in values and item.rename.get(name, name) not in item.default:
                raise _unknown(name, values, item)
        for name, value in values.items():
            if name in item.reduce:
                value = _reduced(name, value, str(item.reduce[name]), item)
            column = item.rename.get(name, name)
            if column in out:
                raise StudyError(f"two values are called {column!r}", source=item.source)
            out[column] = value
    for column, default in item.default.items():
        if is_missing(out.get(column)):
            out[column] = copy.deepcopy(default)  # a step may change a list in one row
    return out


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, or a date that is none."""
    if value is None:
        return True
    if hasattr(value, "__len__") and getattr(value, "shape", None) != ():
        return False
    try:
        return bool(value != value)
    except Exception:  # a stranger's comparison
        return False


def _unknown(name: str, values: Mapping[Any, Any], item: ScoopItem) -> StudyError:
    known = [str(key) for key in values]
    near = near_misses(name, known) or f"there are {', '.join(known[:12]) or 'none'}"
    return StudyError(f"there is no value {name!r}: {near}", source=item.source)


def _reduced(name: Any, value: Any, how: str, item: ScoopItem) -> Any:
    try:
        return reduced(value, how)
    except (TypeError, ValueError, LookupError, ArithmeticError) as exc:
        raise StudyError(f"no {how!r} of {name!r}: {exc}", source=item.source) from exc


def reduced(value: Any, how: str) -> Any:
    """Return one value for a list, tuple or array; NaN for an empty one.

    What is none of these is left as it is, but ``count`` makes 1 of it and ``std`` 0.0, as of a
    list of one. ``first``, ``last``, ``count`` and an index go along the first axis; the others
    take all numbers, those in nested lists included. None counts as NaN, and one NaN makes the
    result NaN: a run that diverged is not hidden. ``std`` is that of the population, as numpy
    has it.

    Raises
    ------
    TypeError, ValueError, LookupError, ArithmeticError
        When there is no such thing of this value.
    """
    if hasattr(value, "to_numpy") and hasattr(value, "__len__"):  # a column of pandas
        value = value.to_numpy()
    if getattr(value, "shape", None) == ():
        value = value[()]
    if not isinstance(value, (list, tuple)) and not getattr(value, "ndim", 0):
        if how not in ("count", "std") or is_missing(value):
            return value
        value = [value]
    if how == "count":
        return len(value)
    if not len(value):
        return math.nan
    if how in _STATISTICS:
        return _statistic(value, how)
    place = _PLACES[how] if how in _PLACES else _index(how)
    try:
        chosen = value[place]
    except IndexError:
        raise LookupError(f"it has {len(value)} items") from None
    # A row of a table is a view that would keep all of it in memory.
    return chosen.copy() if getattr(chosen, "ndim", 0) else chosen


def _index(how: str) -> int:
    if not _INDEX(how):
        raise ValueError("there is no such reduction")
    return int(how)


def _statistic(values: Any, how: str) -> Any:
    if type(values).__name__ == "ndarray" and values.dtype.kind == "f":
        return _of_floats(values, how)
    numbers = list(_numbers([values]))
    if not numbers or any(number != number for number in numbers):
        return math.nan
    return _STATISTICS[how](numbers)


def _of_floats(values: Any, how: str) -> float:
    """Return a statistic of an array of floats, by numpy: there may be millions of them."""
    import numpy as np

    numbers = values.astype(float, copy=False).ravel()
    if not numbers.size:
        return math.nan
    with np.errstate(all="ignore"):
        if how == "std" and np.isfinite(numbers[0]) and (numbers == numbers[0]).all():
            return 0.0  # rounding the mean must not give equal numbers a deviation
        return float(np.median(numbers) if how == "median" else getattr(numbers, how)())


def _numbers(values: Iterable[Any]) -> Iterator[int | float]:
    for value in values:
        if value is None:
            yield math.nan
        elif isinstance(value, (int, float)):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _numbers(value)
        elif getattr(getattr(value, "dtype", None), "kind", "") in tuple("biufO"):
            plain = value.astype(float) if value.dtype.kind == "f" else value
            listed = plain.tolist()
            yield from _numbers(listed if isinstance(listed, list) else [listed])
        else:
            raise TypeError(f"it has {value!r:.40}, which is no number")


def _total(numbers: Sequence[int | float]) -> int | float:
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):  # too large for a float on the way, or inf - inf
        return sum(map(float, numbers))


def _mean(numbers: Sequence[int | float]) -> float:
    return _total(numbers) / len(numbers)


def _median(numbers: Sequence[int | float]) -> float:
    ordered = sorted(numbers)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(low) if low == high else (low + high) / 2


def _std(numbers: Sequence[int | float]) -> float:
    if min(numbers) == max(numbers) and math.isfinite(numbers[0]):
        return 0.0
    mean = _mean(numbers)
    distances = [number - mean for number in numbers]
    return math.sqrt(_mean([distance * distance for distance in distances]))


_STATISTICS: dict[str, Callable[[Sequence[int | float]], int | float]] = {
    "mean": _mean,
    "median": _median,
    "min": min,
    "max": max,
    "sum": _total,
    "std": _std,
}
#: The words of ``ScoopItem.reduce``; an index as text is one, too.
REDUCTIONS = ("first", "last", *_STATISTICS, "count")
