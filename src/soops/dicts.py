"""Functions over dicts.

Part of the script library, under the name :mod:`soops.base`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

__all__ = ["flatten_dict", "ordered_iteritems", "unflatten_dict"]


def ordered_iteritems(adict: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the items of a dict, sorted by keys; mixed keys are sorted by their texts."""
    try:
        keys = sorted(adict)
    except TypeError:
        keys = sorted(adict, key=str)
    for key in keys:
        yield key, adict[key]


def flatten_dict(adict: Mapping[Any, Any], prefix: str = "", sep: str = "__") -> dict[str, Any]:
    """Return a dict without dicts in it: ``{'a': {'b': 1}}`` becomes ``{'a__b': 1}``.

    Parameters
    ----------
    adict : mapping
        May hold dicts at any depth. Empty ones are kept as values.
    prefix : str
        Put before all keys.
    sep : str
        Between the keys of the levels.
    """
    flat: dict[str, Any] = {}
    for key, value in dict(adict).items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat.update(flatten_dict(value, name + sep, sep))
        else:
            flat[name] = value
    return flat


def unflatten_dict(adict: Mapping[str, Any], prefix: str = "", sep: str = "__") -> dict[str, Any]:
    """Return a nested dict: the inverse of :func:`flatten_dict`.

    Keys that do not begin with ``prefix`` are taken as they are.

    Raises
    ------
    ValueError
        When a key has a value and, in another key, further levels.
    """
    nested: dict[str, Any] = {}
    made = {id(nested)}
    for key, value in dict(adict).items():
        *levels, last = key.removeprefix(prefix).split(sep)
        place = nested
        for level in levels:
            if level not in place:
                place[level] = {}
                made.add(id(place[level]))
            place = place[level]
            if id(place) not in made:
                raise ValueError(f"{key!r} goes below a key that has a value")
        if last in place:
            raise ValueError(f"{key!r} has a value and goes on in another key")
        place[last] = value
    return nested
