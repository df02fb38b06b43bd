"""Parameter sets that come from outside, one by one; who gives them may be told what came out.

A source is an iterable of dicts, parameter to value. It may have two methods besides:
``tell(values, record)`` is called when a run has ended, or was found finished, and
``waits()`` says that it wants to be told before it gives the next set. So an adaptive study
needs no loop of its own. Used by ``prepare``, ``plan``, ``drive`` and ``soops.study``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from soops.kernel.errors import StudyError, unknown_name

if TYPE_CHECKING:
    from soops.kernel.runs.spaces import Space
    from soops.kernel.values import RunRecord

__all__ = ["Sets", "tell", "values_of", "waits"]

Sets = Iterable[Mapping[str, Any]]


def values_of(sets: Sets, space: Space) -> Iterator[dict[str, Any]]:
    """Yield the values of each set, those that it does not have as the study has them.

    Raises
    ------
    StudyError
        When the source raises, or gives what is no set of this study.
    """
    base = space.sample() or {}
    try:
        iterator = iter(sets)
    except Exception as exc:
        raise _broken(exc) from exc
    while True:
        try:
            given = next(iterator)
        except StopIteration:
            return
        except Exception as exc:
            raise _broken(exc) from exc
        if not isinstance(given, Mapping):
            raise StudyError(
                f"the source of sets gave a {type(given).__name__}, not a dict",
                hint="a set maps parameters to values: {'--num': 10}",
            )
        for key in given:
            if key not in base:
                raise unknown_name("parameter", str(key), map(str, base))
        values = {**base, **given}
        if space.take(values):
            yield values


def waits(sets: Sets | None) -> bool:
    """Return whether a source wants to be told something before it gives the next set.

    Raises
    ------
    StudyError
        When the source raises.
    """
    ask = getattr(sets, "waits", None)
    if ask is None:
        return False
    try:
        return bool(ask())
    except Exception as exc:
        raise _broken(exc) from exc


def tell(sets: Sets | None, values: Mapping[str, Any], record: RunRecord | None) -> None:
    """Tell a source, if it listens, how the run of a set ended; None: nobody knows.

    Raises
    ------
    StudyError
        When the source raises.
    """
    listen = getattr(sets, "tell", None)
    if listen is None:
        return
    try:
        listen(values, record)
    except Exception as exc:
        raise _broken(exc) from exc


def _broken(exc: Exception) -> StudyError:
    return StudyError(f"the source of sets raised {type(exc).__name__}: {exc}")
