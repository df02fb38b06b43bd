"""Values that the user's module makes: generating functions and computing classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from soops.kernel.errors import StudyError, unknown_name
from soops.kernel.runs.options import RunOptions
from soops.kernel.study.grammar import parse_dict
from soops.kernel.study.space import ParameterSpace
from soops.kernel.values import Axis, Source, Study, UserModule

__all__ = ["computing", "generate"]

Compute = Callable[[dict[str, Any]], Mapping[str, Any]]


def generate(
    study: Study,
    user: UserModule,
    arguments: Any,
    keys: Sequence[str],
    conf: dict[str, Any],
    namespace: SimpleNamespace,
) -> dict[str, Any]:
    """Call the generating function for ``keys``; its result has a value for each of them.

    Raises
    ------
    StudyError
        When there is no such function, it raises, or it answers for other keys.
    """
    from soops.base import Struct  # what the functions of scripts expect

    args = _arguments(arguments, study, "--generate-pars")
    function = _function(user, args.pop("function", None), "function", "--generate-pars")
    try:
        result = dict(function(Struct(args), list(keys), conf, namespace))
    except Exception as exc:
        raise _user_error(user, function, exc) from exc
    if set(result) != set(keys):
        raise StudyError(
            f"{function.__name__}() gave values for {sorted(result)}, not for {sorted(keys)}",
            source=Source(path=str(user.path)),
            hint="it must return a list of values for each '@generate' key",
        )
    return {
        key: list(value) if isinstance(value, (list, range)) or hasattr(value, "tolist") else value
        for key, value in result.items()
    }


def computing(
    user: UserModule,
    options: RunOptions,
    space: ParameterSpace,
    axes: Sequence[Axis],
    keys: Sequence[str],
    namespace: SimpleNamespace,
) -> Compute | None:
    """Return what computes further parameters of a set, or None when nothing is asked."""
    if options.compute is None:
        return None
    args = _arguments(options.compute, None, "--compute-pars")
    factory = _function(user, args.pop("class", None), "class", "--compute-pars")
    for key in args:
        if key not in keys:
            raise unknown_name("parameter", str(key), keys, source=Source(path="--compute-pars"))
    columns = {
        key: [row[place] for row in axis.rows]
        for axis in axes
        for place, key in enumerate(axis.keys)
    }
    sequences = [
        [(number, key, value) for number, value in enumerate(columns[key])] for key in keys
    ]
    try:
        instance = factory(args, sequences, list(keys), namespace)
    except Exception as exc:
        raise _user_error(user, factory, exc) from exc

    def compute(values: dict[str, Any]) -> Mapping[str, Any]:
        try:
            result = instance(dict(values))
        except Exception as exc:
            raise _user_error(user, factory, exc) from exc
        if not isinstance(result, Mapping):
            raise StudyError(
                f"{factory.__name__} gave {type(result).__name__}, not a dict",
                source=Source(path=str(user.path)),
            )
        return result

    if len(space):
        compute(space[0])
    return compute


def _arguments(text: Any, study: Study | None, what: str) -> dict[str, Any]:
    if isinstance(text, Mapping):
        return dict(text)
    source = Source(path=what)
    if "=" not in text and ":" not in text:
        sections = study.sections if study is not None else {}
        if text not in sections:
            raise unknown_name("section", text, sections, source=source)
        return dict(sections[text])
    return parse_dict(text, source=source, directives=False)


def _function(user: UserModule, name: Any, word: str, option: str) -> Any:
    if name is None:
        raise StudyError(
            f"{option} does not name a {word}",
            source=Source(path=option),
            hint=f"begin with {word}=NAME",
        )
    if not isinstance(name, str) or name not in user.functions:
        raise unknown_name(word, str(name), user.functions, source=Source(path=str(user.path)))
    return user.functions[name]


def _user_error(user: UserModule, function: Any, exc: Exception) -> StudyError:
    name = getattr(function, "__name__", str(function))
    return StudyError(
        f"{name}() raised {type(exc).__name__}: {exc}", source=Source(path=str(user.path))
    )
