"""What each run of a study needs of its worker: ``--resources GPU=1,memory=4e9``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from soops.kernel.errors import UsageError

__all__ = ["amount_of", "resources_of"]

_SIZE = re.compile(r"(.*?[0-9.])\s*(?:([kKMGT])(i?)B?|B)").fullmatch
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*").fullmatch


def resources_of(given: str | Mapping[str, Any] | None) -> dict[str, float]:
    """Return amounts by name.

    Parameters
    ----------
    given : str or mapping, optional
        ``"GPU=1,memory=4e9"``, or names to amounts.

    Raises
    ------
    UsageError
        For what is no name, or no amount above zero, or for a name that comes twice.
    """
    found: dict[str, float] = {}
    for name, amount in _pairs(given):
        value = amount_of(amount)
        if not _NAME(name) or not 0 < value < math.inf:
            raise _wrong(f"{name}={amount}")
        if name in found:
            raise _wrong(f"{name}, which comes twice")
        found[name] = value
    return found


def amount_of(amount: Any) -> float:
    """Return an amount as a number: ``4``, ``"4e9"``, ``"4GB"`` or ``"4GiB"`` (bytes).

    What is none gives NaN.
    """
    if isinstance(amount, (int, float)) and not isinstance(amount, bool):
        return float(amount)
    if not isinstance(amount, str):
        return math.nan
    text, factor = amount.strip(), 1.0
    if match := _SIZE(text):
        text = match[1]
        power = " kMGT".index((match[2] or " ").replace("K", "k"))
        factor = (1024.0 if match[3] else 1000.0) ** power
    try:
        return float(text) * factor
    except ValueError:
        return math.nan


def _pairs(given: str | Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    if given is None:
        return
    if not isinstance(given, str):
        yield from ((str(name), amount) for name, amount in given.items())
        return
    for word in filter(None, (part.strip() for part in given.split(","))):
        name, is_there, amount = word.partition("=")
        if not is_there:
            raise _wrong(word)
        yield name.strip(), amount.strip()


def _wrong(what: str) -> UsageError:
    return UsageError(
        f"--resources does not understand {what}",
        hint="give names and amounts above 0, for instance --resources GPU=1,memory=4e9",
    )
