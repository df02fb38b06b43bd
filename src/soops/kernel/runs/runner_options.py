"""The runner of a study, and its options: ``--runner-opt key=value`` texts to its dataclass."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import RunnerError, SoopsError, UsageError, unknown_name
from soops.kernel.plugging.interfaces import Runner, RunnerSetup
from soops.kernel.plugging.registry import import_target
from soops.kernel.plugging.specs import RunnerSpec
from soops.kernel.runs.options import RunOptions
from soops.kernel.study.grammar import parse_dict
from soops.kernel.values import Source

__all__ = ["check_runner", "make_runner", "runner_options"]

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def check_runner(app: App, options: RunOptions, needs: Sequence[str] = ()) -> None:
    """Refuse what the runner that the options name cannot do; nothing is started.

    ``needs`` are the names of the resources that runs may need.

    Raises
    ------
    UsageError
        For an option that it does not have, resources that it does not mind, survival.
    """
    spec: RunnerSpec = app.registry("runner").get(options.runner)
    if options.survive and not spec.detachable:
        raise UsageError(
            f"with the runner {options.runner!r} runs cannot outlive their driver",
            hint="leave --survive out, or choose --runner local",
        )
    if needs and not spec.resources:
        raise UsageError(
            f"the runner {options.runner!r} minds no resources, but got {', '.join(needs)}",
            hint="leave them out, or choose another runner: soops plugins shows them",
        )
    runner_options(app, options.runner, options.runner_options)


def make_runner(
    app: App,
    options: RunOptions,
    root: Path,
    say: Callable[[str], None],
    *,
    needs: Sequence[str] = (),
    furnished: bool = False,
    adaptive: bool = False,
) -> Runner:
    """Return the runner that the options name, made with what they say of it.

    Parameters
    ----------
    needs : sequence of str
        The names of the resources that runs may need.
    furnished : bool
        Whether run directories have files of their own before a run begins.
    adaptive : bool
        Whether the source of the sets is told how they end.

    Raises
    ------
    SoopsError
        When it refuses an option, or cannot be started.
    """
    check_runner(app, options, needs)
    given = options.cluster_kwargs
    cluster = (
        parse_dict(given, free_word=False, source=Source(path="--cluster-kwargs"), directives=False)
        if isinstance(given, str)
        else dict(given or {})
    )
    setup = RunnerSetup(
        n_workers=options.n_workers,
        options=runner_options(app, options.runner, options.runner_options),
        cluster_kwargs=cluster,
        root=root,
        say=say,
        survive=options.survive,
        detach=options.detach,
        furnished=furnished,
        adaptive=adaptive,
    )
    try:
        runner: Runner = app.resolve("runner", options.runner)(setup)
    except SoopsError:
        raise
    except Exception as exc:
        raise RunnerError(
            f"the runner {options.runner!r} could not be started: {type(exc).__name__}: {exc}",
            hint="see its options: soops plugins show NAME",
        ) from exc
    if options.detach and not hasattr(runner, "leave"):
        runner.close()
        raise UsageError(
            f"the runner {options.runner!r} has no queue that works on without this command",
            hint="leave --detach out, or choose a runner of a batch system",
        )
    return runner


def runner_options(app: App, runner: str, given: Mapping[str, Any]) -> Any:
    """Return an instance of the runner's options dataclass, or None when it has none.

    Parameters
    ----------
    app : App
        Its registry of runners.
    runner : str
        The name of the runner.
    given : mapping
        Option name to text, or to a value of the right type.

    Raises
    ------
    UsageError
        For an option that the runner does not have, or a text that is no value of it.
    """
    spec: RunnerSpec = app.registry("runner").get(runner)
    source = Source(path="--runner-opt")
    if spec.options is None:
        if given:
            raise UsageError(
                f"the runner {runner!r} takes no options, but got {', '.join(given)}",
                source=source,
            )
        return None
    options = import_target(dataclasses.replace(spec, target=spec.options))
    hints = typing.get_type_hints(options)
    known = [item.name for item in dataclasses.fields(options)]
    values = {}
    for name, text in given.items():
        if name not in known:
            raise unknown_name(
                f"option of the runner {runner!r}", name, known, source=source, error=UsageError
            )
        values[name] = _convert(name, text, hints[name], source)
    try:
        return options(**values)
    except (TypeError, ValueError) as exc:
        raise UsageError(
            f"the runner {runner!r} refuses its options: {exc}", source=source
        ) from exc


def _convert(name: str, text: Any, hint: Any, source: Source) -> Any:
    if not isinstance(text, str):
        return text
    kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
    if typing.get_origin(hint) in (tuple, list):
        return typing.get_origin(hint)(part.strip() for part in text.split(",") if part.strip())
    for kind in kinds:
        try:
            if kind is bool:
                return _bool(text)
            if kind in (int, float):
                return kind(text)
        except ValueError:
            continue
        return text
    wanted = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise UsageError(f"{name}={text!r} is not of type {wanted}", source=source)


def _bool(text: str) -> bool:
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(text)
