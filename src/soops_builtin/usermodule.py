"""The adapter of scripts: ``get_run_info``, ``get_scoop_info``, ``get_plugin_info``."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from soops.api import RunInfo, ScoopInfo, ScoopItem, Source, StepCall, StudyError, UserModule

__all__ = ["adapt"]

_ENTRIES = ("get_run_info", "get_scoop_info", "get_plugin_info")


def adapt(module: ModuleType, path: Path) -> UserModule | None:
    """Return what the module offers, or None when it defines none of the three functions."""
    found = {name: getattr(module, name) for name in _ENTRIES if callable(vars(module).get(name))}
    if not found:
        return None
    source = Source(path=str(path))
    given = {name: _call(function, name, source) for name, function in found.items()}
    run, scoop, steps = _ENTRIES
    return UserModule(
        name=module.__name__,
        path=path,
        run_info=_run_info(given[run], path, source) if run in given else None,
        scoop_info=_scoop_info(given[scoop], source) if scoop in given else None,
        steps=_steps(given[steps], source) if steps in given else (),
        functions={
            name: value
            for name, value in vars(module).items()
            if callable(value) and not name.startswith("_")
        },
    )


def _call(function: Callable[[], Any], name: str, source: Source) -> Any:
    try:
        return function()
    except Exception as exc:
        raise StudyError(f"{name}() raised {type(exc).__name__}: {exc}", source=source) from exc


def _run_info(given: Any, path: Path, source: Source) -> RunInfo:
    if not isinstance(given, (tuple, list)) or len(given) != 4:
        what = f"{len(given)} items" if isinstance(given, (tuple, list)) else repr(given)
        raise StudyError(
            f"get_run_info() must return 4 items, not {what}",
            source=source,
            hint="return run_cmd, opt_args, output_dir_key, is_finished",
        )
    command, options, output_key, finished = given
    if isinstance(command, (list, tuple)) and all(isinstance(word, str) for word in command):
        command = tuple(command)
    elif not isinstance(command, str):
        raise StudyError(
            f"run_cmd must be a text or a list of texts, not {command!r}", source=source
        )
    if not isinstance(output_key, str):
        raise StudyError(f"output_dir_key must be a text, not {output_key!r}", source=source)
    templates, defaults, unhashed = _options(options, source)
    return RunInfo(
        command=command,
        options=templates,
        output_key=output_key,
        finished=finished,
        defaults=defaults,
        unhashed=unhashed,
        base=os.path.normpath(os.path.dirname(str(path))) if os.path.dirname(str(path)) else ".",
    )


def _options(given: Any, source: Source) -> tuple[dict[str, str], dict[str, Any], tuple[str, ...]]:
    """Return templates, defaults and unhashed keys of any form that ``opt_args`` may have."""
    defaults: Mapping[str, Any] = {}
    unhashed: Sequence[str] = ()
    options = given
    if isinstance(given, tuple):
        if not 1 <= len(given) <= 3:
            raise StudyError(
                f"opt_args must be a dict, a list, or a tuple of up to 3 items, not {len(given)}",
                source=source,
                hint="return (opt_args, defaults, nonhash_pars)",
            )
        options = given[0]
        defaults = given[1] if len(given) > 1 else {}
        unhashed = given[2] if len(given) > 2 else ()
    if isinstance(options, list):
        options = {text.split("=")[0].strip(): text for text in options}
    if not isinstance(options, Mapping) or not all(
        isinstance(text, str) for text in options.values()
    ):
        raise StudyError(
            f"opt_args must map keys to templates, not {options!r}",
            source=source,
            hint="write {'--num': '--num={--num}'} or ['--num={--num}']",
        )
    return dict(options), dict(defaults or {}), tuple(unhashed or ())


def _scoop_info(given: Any, source: Source) -> ScoopInfo:
    if not isinstance(given, (list, tuple)):
        raise StudyError(f"get_scoop_info() must return a list, not {given!r}", source=source)
    items = []
    for place, item in enumerate(given):
        if (
            not isinstance(item, (list, tuple))
            or len(item) not in (2, 3)
            or not isinstance(item[0], str)
            or not (callable(item[1]) or isinstance(item[1], str))
        ):
            raise StudyError(
                f"item {place} of get_scoop_info() is not (file, function): {item!r}",
                source=source,
                hint="write ('options.txt', fun) or ('options.txt', fun, True)",
            )
        items.append(
            ScoopItem(
                pattern=item[0],
                scraper=item[1],
                is_parameters=len(item) == 3 and bool(item[2]),
            )
        )
    return ScoopInfo(items=tuple(items))


def _steps(given: Any, source: Source) -> tuple[StepCall, ...]:
    if not isinstance(given, (list, tuple)) or not all(
        callable(item) or isinstance(item, str) for item in given
    ):
        raise StudyError(
            f"get_plugin_info() must return a list of functions, not {given!r}", source=source
        )
    return tuple(StepCall(name=_step_name(item), target=item) for item in given)


def _step_name(step: Any) -> str:
    if isinstance(step, str):
        return step
    if isinstance(step, functools.partial):
        return _step_name(step.func)
    return str(getattr(step, "__name__", type(step).__name__))
