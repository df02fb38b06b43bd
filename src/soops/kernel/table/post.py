"""A table -> post-processing: the steps, one after the other, and what they share.

A heavy leaf (pandas): imported after a table is there. A step that raises is reported,
and the next one runs.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np  # noqa: TID253 (a heavy leaf)

from soops.kernel.errors import SoopsError, UsageError, unknown_name
from soops.kernel.values import StepCall
from soops.kernel.values.frozen import dataclass

__all__ = [
    "StepsResult",
    "check_arguments",
    "get_uniques",
    "init_plugin_data",
    "run_steps",
    "select_steps",
]

log = logging.getLogger("soops")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsResult:
    """What the steps made.

    ``failures`` has ``(name, "Type: text")`` for each step that raised.
    """

    data: Any
    failures: tuple[tuple[str, str], ...] = ()


def get_uniques(df: Any, columns: Iterable[Any]) -> dict[Any, list[Any]]:
    """Return the different values of columns, sorted; missing ones last.

    Values that cannot be compared are ordered by their text. Arrays, lists and dicts
    are values like any others.
    """
    uniques = {}
    for name in columns:
        seen: dict[Any, Any] = {}
        for value in df[name].tolist():
            seen.setdefault(_key(value), value)
        uniques[name] = _sorted(list(seen.values()))
    return uniques


def init_plugin_data(df: Any, par_keys: Iterable[Any], output_dir: str, store_filename: str) -> Any:
    """Return the ``data`` that steps hand from one to the next.

    Returns
    -------
    Struct
        ``par_keys``: the set of columns that are input parameters; ``par_uniques``: their
        different values; ``multi_par_keys``, ``multi_par_uniques``: of those with more
        than one; ``output_dir`` and ``store_filename`` as given.
    """
    from soops.base import Struct

    keys = sorted((key for key in par_keys if key in df.columns), key=str)
    uniques = get_uniques(df, keys)
    several = [key for key in keys if len(uniques[key]) > 1]
    return Struct(
        par_keys=set(keys),
        multi_par_keys=several,
        par_uniques=uniques,
        multi_par_uniques={key: uniques[key] for key in several},
        output_dir=output_dir,
        store_filename=store_filename,
    )


def select_steps(
    steps: Sequence[StepCall],
    *,
    use: Sequence[str] = (),
    omit: Iterable[str] = (),
    registered: Iterable[str] = (),
) -> tuple[StepCall, ...]:
    """Return the steps to run.

    Parameters
    ----------
    steps : sequence of StepCall
        Those of the module.
    use : sequence of str
        Run these, in this order; a name may be that of a registered step.
    omit : iterable of str
        Leave these out; unknown names are of no consequence.
    registered : iterable of str
        Names of registered steps.

    Raises
    ------
    UsageError
        When a name in ``use`` is unknown.
    """
    left_out = set(omit)
    if not use:
        return tuple(step for step in steps if step.name not in left_out)
    by_name = {name: [StepCall(name=name, target=name)] for name in registered}
    by_name.update({step.name: [] for step in steps})
    for step in steps:  # a study file may have several of one name
        by_name[step.name].append(step)
    for name in use:
        if name not in by_name:
            raise unknown_name("step", name, by_name, error=UsageError)
    return tuple(step for name in use if name not in left_out for step in by_name[name])


def run_steps(
    steps: Sequence[StepCall],
    df: Any,
    data: Any,
    arguments: Mapping[str, Mapping[str, Any]],
    resolve: Callable[[str], Callable[..., Any]],
    say: Say,
    *,
    debug: bool = False,
) -> StepsResult:
    """Call the steps in order as ``step(df, data=data, **arguments)``.

    Parameters
    ----------
    steps : sequence of StepCall
        What to call.
    df : pandas.DataFrame
        The table; steps may change it in place.
    data : Struct
        Handed on from step to step; a step that returns None keeps it.
    arguments : mapping
        Step name to keyword arguments, over those of the step itself.
    resolve : callable
        ``resolve(name)`` returns a registered step.
    say : callable
        Shows a line.
    debug : bool
        Let exceptions pass.
    """
    _warn_of_unused(steps, arguments, say)
    failures = []
    for step in steps:
        say(f"running {step.name}()...")
        kwargs = {**step.kwargs, **arguments.get(step.name, {})}
        try:
            function = resolve(step.target) if isinstance(step.target, str) else step.target
            given = function(df, data=data, **kwargs)
        except (Exception, SystemExit) as exc:
            if debug:
                raise
            failures.append((step.name, _report(step.name, exc, say)))
            continue
        say("...done")
        data = _next_data(step.name, data, given)
    return StepsResult(data=data, failures=tuple(failures))


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise when the arguments of a step are no keyword arguments.

    Raises
    ------
    UsageError
        See above.
    """
    for name, kwargs in arguments.items():
        if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
            raise UsageError(
                f"the arguments of the step {name!r} are not key=value pairs: {kwargs!r}",
                hint=f"write --plugin-args={name}={{key=value}}",
            )


def _warn_of_unused(steps: Sequence[StepCall], arguments: Mapping[str, Any], say: Say) -> None:
    unused = set(arguments) - {step.name for step in steps}
    if unused:
        names = ", ".join(repr(name) for name in sorted(unused))
        say(f"WARNING: unused plugin arguments: {{{names}}}")


def _report(name: str, exc: BaseException, say: Say) -> str:
    """Show where a step raised: the author of the step needs to see the lines."""
    text = f"{type(exc).__name__}: {exc}"
    say(f"...failed with {text}")
    if isinstance(exc, SoopsError):  # a mistake of the user: the text says it all
        return text
    trace = exc.__traceback__.tb_next if exc.__traceback__ is not None else None
    lines = traceback.format_exception(type(exc), exc, trace or exc.__traceback__)
    log.error("the step %r raised %s\n%s", name, text, "".join(lines).rstrip())
    return text


def _next_data(name: str, data: Any, given: Any) -> Any:
    if given is None:
        return data
    if hasattr(given, "keys"):
        return given
    log.warning("the step %r returned a %s; its data are kept", name, type(given).__name__)
    return data


def _key(value: Any) -> Any:
    """Return something hashable that tells different values apart."""
    if isinstance(value, float) and value != value:
        return "nan", None
    if isinstance(value, np.ndarray):
        return "ndarray", value.shape, repr(value.tolist())
    try:
        hash(value)
    except TypeError:
        return type(value).__name__, repr(value)
    return "value", value


def _sorted(values: list[Any]) -> list[Any]:
    present = [value for value in values if not _is_missing(value)]
    missing = [value for value in values if _is_missing(value)]
    try:
        return [*sorted(present), *missing]
    except (TypeError, ValueError):
        return [*sorted(present, key=str), *missing]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)
