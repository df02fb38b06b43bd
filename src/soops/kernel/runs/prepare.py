"""Validate a whole study before anything is written: text and module to a :class:`Prepared`.

Used by ``soops.study``; everything that can be wrong with a study is found here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import PluginError, StudyError, UsageError, near_misses
from soops.kernel.plugging.interfaces import Check
from soops.kernel.plugging.usermodule import import_script
from soops.kernel.records.rundir import RunTemplate
from soops.kernel.runs.amounts import Amounts
from soops.kernel.runs.command import CommandTemplate, fields_of
from soops.kernel.runs.generate import Compute, computing, generate
from soops.kernel.runs.older import Older, older_values
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.runner_options import check_runner
from soops.kernel.runs.sources import Sets
from soops.kernel.runs.spaces import Built, Space, build_space, check_keys
from soops.kernel.study.conf import expand, pending_keys, read_study
from soops.kernel.study.expression import Expression, compile_expression
from soops.kernel.study.space import ParameterSpace, parse_contracts
from soops.kernel.values import (
    UNDEFINED,
    Formula,
    RunInfo,
    Source,
    Study,
    StudyRun,
    UserModule,
)
from soops.kernel.values.frozen import dataclass

__all__ = ["Prepared", "load_module", "prepare"]

SCRIPT_DIR = "script_dir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A study that is known to be right, ready to be planned.

    ``compute`` maps the values of a set to the values that it changes or adds; ``older`` maps
    the index of a set to the values that soops 2026.2 read for it, where it read others.
    ``sets`` gives the sets where they do not come from the study. ``options`` are those of the
    person, and of the study where the person said nothing.
    """

    run: StudyRun
    info: RunInfo
    space: Space
    template: RunTemplate
    command: CommandTemplate
    check: Check
    namespace: SimpleNamespace
    amounts: Amounts
    options: RunOptions
    where: tuple[Expression, ...] = ()
    compute: Compute | None = None
    older: Older | None = None
    sets: Sets | None = None
    warnings: tuple[str, ...] = ()


def load_module(app: App, path: str | os.PathLike[str]) -> UserModule:
    """Return what a script, or a study file that describes its program, offers.

    Raises
    ------
    StudyError
        When it cannot be read or imported.
    """
    where = Path(path)
    readers = {suffix for spec in app.registry("reader") for suffix in spec.suffixes}
    if where.suffix in readers and where.suffix != ".py":
        study = _read_only(app, str(path))
        if study.module is None:
            raise StudyError(
                f"{str(path)!r} does not describe a program",
                hint="give the Python module of the study, or add a command to the study file",
            )
        return study.module
    module = import_script(where)
    plugin_name = f"module:{module.__name__}"
    if not app.loaded.manager.has_plugin(plugin_name) and _has_hooks(module):
        app.add(module, plugin_name)
    adapted = app.adapt(module, where)
    return adapted or UserModule(name=module.__name__, path=where)


def _read_only(app: App, path: str) -> Study:
    """Return a study for who does not run it: files that its runs need may be gone."""
    try:
        return read_study(app, path)
    except StudyError as exc:
        every = (exc, *exc.others)
        if isinstance(exc.partial, Study) and all(getattr(e, "only_to_run", 0) for e in every):
            return exc.partial
        raise


def prepare(
    app: App,
    conf: str | os.PathLike[str],
    module: str | os.PathLike[str] | UserModule | None,
    options: RunOptions,
    sets: Sets | None = None,
) -> Prepared:
    """Read, expand and check everything; write nothing.

    Parameters
    ----------
    app : App
        The plugins.
    conf : str or path
        A study file or its text in the dict-like language.
    module : str, path or UserModule, optional
        The user's module; None when the study file describes the program.
    options : RunOptions
        What the person asked for.
    sets : iterable of mappings, optional
        Where the sets come from, if not from the study: then it has one value for each
        parameter.
    """
    study = read_study(app, os.fspath(conf), section=options.section, overrides=options.overrides)
    options = options.with_defaults(study.options, study.source)
    user = _user_module(app, study, module)
    # Only now: the module may be a plugin itself.
    app.registry("run function").get(options.run_function, error=PluginError)
    runner = app.registry("runner").get(options.runner, error=PluginError).name
    options = replace(options, runner=runner)
    info = _run_info(user, options)
    contracts = (
        parse_contracts(options.contracts) if options.contracts is not None else study.contracts
    )
    namespace = options.namespace(os.fspath(conf), str(user.path), contracts)
    keys = _key_order(info, study.source)
    check_keys(study, info, keys)
    values = _values(app, study, user, info, options, namespace)
    template = _template(values, info, study.source)
    filters = _filters(study, options)
    built = build_space(app, study, info, keys, values, contracts, filters)
    space = built.space
    if sets is not None and len(space) != 1:
        raise StudyError(
            "the sets come from elsewhere, but the study has lists of values, too",
            source=study.source,
            hint="give each parameter one value, which sets may replace",
        )
    compute = _compute(user, options, built, keys, namespace, study.source)
    amounts = Amounts.of_study(info, options, keys)
    _check_runner(app, options, amounts, study.source)
    return Prepared(
        run=_study_run(
            replace(study, contracts=contracts), user, template, keys, options, namespace
        ),
        info=info,
        space=space,
        template=template,
        command=CommandTemplate(info, study.source),
        check=find_check(app, info.finished),
        namespace=namespace,
        where=_where(filters, space, compute),
        compute=compute,
        older=older_values(app, study, built.all_axes, space, compute, info.unhashed)
        if sets is None and isinstance(space, ParameterSpace)
        else None,
        sets=sets,
        amounts=amounts,
        options=options,
        warnings=built.warnings,
    )


def _check_runner(app: App, options: RunOptions, amounts: Amounts, source: Source) -> None:
    try:
        check_runner(app, options, amounts.names)
    except UsageError as exc:
        if not options.given & {"runner", "runner_options", "resources", "survive"}:
            exc.source = source  # the study says so, not the person
        raise


def _compute(
    user: UserModule,
    options: RunOptions,
    built: Built,
    keys: Sequence[str],
    namespace: SimpleNamespace,
    source: Source,
) -> Compute | None:
    if isinstance(built.space, ParameterSpace):
        return computing(user, options, built.space, built.axes, keys, namespace)
    if options.compute is None:
        return None
    raise StudyError(
        "a study with blocks or derived parameters has no computing class",
        source=source,
        hint="write what it computes below [derived]",
    )


def _study_run(
    study: Study,
    user: UserModule,
    template: RunTemplate,
    keys: Sequence[str],
    options: RunOptions,
    namespace: SimpleNamespace,
) -> StudyRun:
    return StudyRun(
        study=study,
        module=user,
        root=Path(os.path.abspath(template.root)),
        template=template.text,
        output_dir=Path(options.output_dir),
        key_order=tuple(keys),
        runner=options.runner,
        run_function=options.run_function,
        n_workers=options.n_workers,
        argv=options.argv,
        options=vars(namespace),
        progress=options.progress,
        silent=options.silent,
    )


def find_check(app: App, finished: Any) -> Check:
    """Return the nearest check that understands ``finished``."""
    registry = app.registry("check")
    for spec in registry:
        check: Check | None = registry.resolve(spec.name)(finished)
        if check is not None:
            return check
    raise StudyError(
        f"no check understands finished = {finished!r}",
        hint="give a file name, a function (pars, options), or 'exit:0'; "
        f"known checks: {', '.join(registry.names()) or 'none'}",
    )


def _has_hooks(module: Any) -> bool:
    return any(hasattr(value, "soops_impl") for value in vars(module).values())


def _user_module(
    app: App, study: Study, module: str | os.PathLike[str] | UserModule | None
) -> UserModule:
    if isinstance(module, UserModule):
        return module
    if module is not None:
        return load_module(app, module)
    if study.module is None:
        raise StudyError(
            "no module was given and the study does not describe a program",
            source=study.source,
            hint="give the module after the study, or use a TOML study with a command",
        )
    return study.module


def _run_info(user: UserModule, options: RunOptions) -> RunInfo:
    info = user.run_info
    if info is None:
        raise StudyError(
            f"there is no get_run_info() in {str(user.path)!r}",
            hint="define it: it returns (run_cmd, opt_args, output_dir_key, is_finished)",
        )
    if options.timeout is not None:
        info = replace(info, timeout=options.timeout)
    if options.accept_exit is not None:
        info = replace(info, accept_exit=tuple(options.accept_exit))
    return info


def _key_order(info: RunInfo, source: Source) -> list[str]:
    words = (info.command,) if isinstance(info.command, str) else info.command
    keys = {name for word in words for name in fields_of(word, source)}
    if info.output_key not in {*keys, *info.uses}:
        raise StudyError(
            f"the command does not name the output directory: {{{info.output_key}}} is missing",
            hint=near_misses(info.output_key, keys),
        )
    keys.update(info.options)
    keys.update(name for text in info.options.values() for name in fields_of(text, source))
    keys.update(info.uses)
    return sorted(keys - {info.output_key, SCRIPT_DIR})


def _values(
    app: App,
    study: Study,
    user: UserModule,
    info: RunInfo,
    options: RunOptions,
    namespace: SimpleNamespace,
) -> dict[str, Any]:
    """Return a value or a list of values for every key, directives resolved."""
    keys = pending_keys(app, study)
    generated: dict[str, Any] = {}
    arguments = options.generate if options.generate is not None else study.generate
    if keys and arguments is None:
        raise StudyError(
            f"the values of {keys[0]!r} are to be generated, but nothing says how",
            source=study.source,
            hint="pass --generate-pars='function=NAME, ...'",
        )
    if keys:
        conf = expand(app, study, generated=dict.fromkeys(keys, "@generate"))
        generated = generate(study, user, arguments, keys, conf, namespace)
    given = expand(app, study, generated=generated)
    optional = {key: info.defaults.get(key, UNDEFINED) for key in info.options}
    return {**info.defaults, **optional, **given}


def _template(values: Mapping[str, Any], info: RunInfo, source: Source) -> RunTemplate:
    text = values[info.output_key]
    if not isinstance(text, str):
        raise StudyError(
            f"{info.output_key} must be one text with %s, not {text!r}",
            source=source,
            hint=f"write {info.output_key}='output/%s'",
        )
    return RunTemplate(text, source=source)


def _filters(study: Study, options: RunOptions) -> list[Formula]:
    """Return what the study as a whole and the person ask of each set."""
    given = ((study.where, study.source), (options.where, Source(path="--where")))
    return [Formula(text=text, source=source) for text, source in given if text]


def _where(
    filters: Sequence[Formula], space: Space, compute: Compute | None
) -> tuple[Expression, ...]:
    """Return the filters that are left to the plan: those of blocks are in the space."""
    sample = space.sample() if filters and isinstance(space, ParameterSpace) else None
    if sample is None:
        return ()
    if compute is not None:
        sample.update(compute(sample))
    return tuple(compile_expression(item.text, sample, item.source) for item in filters)
