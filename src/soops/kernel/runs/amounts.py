"""What a run may take and what it needs: numbers, or expressions over its parameters.

Made by ``prepare``, evaluated by ``jobs`` for each run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.resources import amount_of, resources_of
from soops.kernel.study.expression import Expression, compile_expression
from soops.kernel.values import Formula, RunInfo

__all__ = ["Amounts"]

#: A number, or an expression and where it stands.
Amount = float | tuple[Expression, Formula]


class Amounts:
    """Timeout and resources of the runs of a study.

    Parameters
    ----------
    timeout : Amount, optional
        Seconds.
    resources : mapping
        Name to amount.
    """

    def __init__(self, timeout: Amount | None, resources: Mapping[str, Amount]) -> None:
        self._timeout = timeout
        self._resources = dict(resources)
        #: What holds for all runs; None when it depends on the parameters.
        self.constant: dict[str, Any] | None = None
        varies = any(isinstance(item, tuple) for item in (timeout, *self._resources.values()))
        if not varies:
            self.constant = self.of({})

    @classmethod
    def of_study(cls, info: RunInfo, options: RunOptions, names: Iterable[str] = ()) -> Amounts:
        """Return what a study and a person ask for; the person's word goes before.

        Raises
        ------
        StudyError
            For an expression that is wrong.
        """
        names = list(names)
        resources = {key: _compiled(item, names) for key, item in info.resources.items()}
        timeout = None if info.timeout is None else _compiled(info.timeout, names)
        return cls(timeout, {**resources, **resources_of(options.resources)})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of resources that some run may need."""
        return tuple(self._resources)

    def of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``timeout`` and ``resources`` of one run: numbers only.

        Raises
        ------
        StudyError
            When an expression gives no amount for these values.
        """
        timeout = None
        if self._timeout is not None:
            timeout = _number("timeout", self._timeout, values)
            if timeout == 0:
                raise _wrong("timeout", timeout, self._timeout, values)
        return {
            "timeout": timeout,
            "resources": {key: _number(key, item, values) for key, item in self._resources.items()},
        }


def _compiled(item: float | Formula, names: list[str]) -> Amount:
    if isinstance(item, Formula):
        return compile_expression(item.text, names, item.source), item
    return float(item)


def _number(key: str, item: Amount, values: Mapping[str, Any]) -> float:
    if not isinstance(item, tuple):
        return item
    given = item[0](values)
    value = amount_of(given) if isinstance(given, str) else given
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value < math.inf:
        raise _wrong(key, given, item, values)
    return float(value)


def _wrong(key: str, given: Any, item: Amount, values: Mapping[str, Any]) -> StudyError:
    expression, formula = item if isinstance(item, tuple) else (None, None)
    names = expression.names if expression is not None else ()
    shown = ", ".join(f"{name}={values.get(name)!r}" for name in names)
    text = expression.text if expression is not None else key
    return StudyError(
        f"{key} = {text} gives {given!r} for {shown or 'any set'}, which is no amount",
        source=formula.source if formula is not None else None,
        hint="an amount is a number above 0, or 0 for a resource that is not needed",
    )
