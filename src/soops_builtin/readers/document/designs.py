"""Places of points in (0, 1), one variable at a time, by the standard library alone.

Each number comes from a keyed hash of the seed, the name of the variable and an index. So no
number depends on another variable, on how many points there are, or on the process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

__all__ = ["lhs", "random"]

#: Bits of a place in a Latin hypercube: so few that a float in the middle of a cell stays in it
#: whatever a product is rounded to, and so many that the smallest parts still have a million cells.
BITS = 44


def random(name: str, count: int, seed: int) -> list[float]:
    """Return independent places, none of them 0 or 1."""
    word = _words(name, seed, "random")
    # 52 bits and a half are a float exactly.
    return [((word(index) >> 12) + 0.5) * 2.0**-52 for index in range(count)]


def lhs(name: str, count: int, seed: int, base: int) -> list[float]:
    """Return the first places of a Latin hypercube that grows by doubling.

    Of ``base`` equal parts each has one place. To double them, each part is halved, and the
    half that is empty gets a place; the order of the new ones is drawn anew for each variable.

    Notes
    -----
    A place is a whole number of cells, ``base * 2**depth`` in all, so that the part of any design
    that it is in is a shift, and exact.
    """
    depth = BITS - base.bit_length()
    inside = _words(name, seed, "place")
    parts = list(range(base))
    places: list[int] = []
    for level in range(depth + 1):
        shift = depth - level
        parts.sort(key=_words(name, seed, f"order {level}"))
        mask = (1 << shift) - 1
        begin = len(places)
        places += [
            (part << shift) | (inside(begin + number) & mask) for number, part in enumerate(parts)
        ]
        if len(places) >= count:
            break
        parts = [(place >> (shift - 1)) ^ 1 for place in places]
    total = base << depth
    return [(place + 0.5) / total for place in places[:count]]


def _words(name: str, seed: int, purpose: str) -> Callable[[int], int]:
    """Return a function of an index to 64 bits."""
    key = hashlib.sha256(str(seed).encode()).digest()
    start = hashlib.blake2b(digest_size=8, key=key)
    for text in (purpose, name):
        data = text.encode("utf-8", "surrogatepass")
        start.update(len(data).to_bytes(8, "little") + data)

    def word(index: int) -> int:
        state = start.copy()
        state.update(index.to_bytes(8, "little"))
        return int.from_bytes(state.digest(), "little")

    return word
