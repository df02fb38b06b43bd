"""Validate a whole study before anything is written: text and module to a :class:`Prepared`.

Used by ``soops.study``; everything that can be wrong with a study is found here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import PluginError, StudyError, near_misses, unknown_name
from soops.kernel.plugging.interfaces import Check
from soops.kernel.plugging.usermodule import import_script
from soops.kernel.records.rundir import RunTemplate
from soops.kernel.runs.command import CommandTemplate, fields_of
from soops.kernel.runs.generate import Compute, computing, generate
from soops.kernel.runs.older import Older, older_values
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.sources import Sets
from soops.kernel.study.conf import expand, pending_keys, read_study
from soops.kernel.study.expression import Expression, compile_expression
from soops.kernel.study.identity import identity
from soops.kernel.study.space import ParameterSpace, build_axes, parse_contracts
from soops.kernel.values import (
    UNDEFINED,
    Axis,
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
    ``sets`` gives the sets where they do not come from the study.
    """

    run: StudyRun
    info: RunInfo
    space: ParameterSpace
    template: RunTemplate
    command: CommandTemplate
    check: Check
    namespace: SimpleNamespace
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
        study = read_study(app, str(path))
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
    user = _user_module(app, study, module)
    # Only now: the module may be a plugin itself.
    for kind, name in (("runner", options.runner), ("run function", options.run_function)):
        app.registry(kind).get(name, error=PluginError)
    info = _run_info(user, options)
    contracts = (
        parse_contracts(options.contracts) if options.contracts is not None else study.contracts
    )
    namespace = options.namespace(os.fspath(conf), str(user.path), contracts)
    keys = _key_order(info, study.source)
    _check_keys(study, info, keys)
    values = _values(app, study, user, info, options, namespace)
    template = _template(values, info, study.source)
    all_axes = build_axes(keys, {key: values[key] for key in keys}, contracts, study.source)
    axes, warnings = _distinct(all_axes, info.unhashed)
    space = ParameterSpace(keys, axes)
    if sets is not None and len(space) != 1:
        raise StudyError(
            "the sets come from elsewhere, but the study has lists of values, too",
            source=study.source,
            hint="give each parameter one value, which sets may replace",
        )
    compute = computing(user, options, space, axes, keys, namespace)
    run = StudyRun(
        study=replace(study, contracts=contracts),
        module=user,
        root=Path(os.path.abspath(template.root)),
        template=template.text,
        output_dir=Path(options.output_dir),
        key_order=tuple(keys),
        runner=app.registry("runner").get(options.runner).name,
        run_function=options.run_function,
        n_workers=options.n_workers,
        argv=options.argv,
        options=vars(namespace),
        progress=options.progress,
        silent=options.silent,
    )
    return Prepared(
        run=run,
        info=info,
        space=space,
        template=template,
        command=CommandTemplate(info, study.source),
        check=find_check(app, info.finished),
        namespace=namespace,
        where=_where(study, options, space, compute),
        compute=compute,
        older=older_values(app, study, all_axes, space, compute, info.unhashed)
        if sets is None
        else None,
        sets=sets,
        warnings=tuple(warnings),
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
    if info.output_key not in keys:
        raise StudyError(
            f"the command does not name the output directory: {{{info.output_key}}} is missing",
            hint=near_misses(info.output_key, keys),
        )
    keys.update(info.options)
    keys.update(name for text in info.options.values() for name in fields_of(text, source))
    return sorted(keys - {info.output_key, SCRIPT_DIR})


def _check_keys(study: Study, info: RunInfo, keys: Sequence[str]) -> None:
    known = {*keys, info.output_key}
    for key in study.values:
        if key not in known:
            raise unknown_name("parameter", str(key), known, source=study.source)
    if info.output_key not in study.values:
        raise StudyError(
            f"the study does not give the output directory {info.output_key!r}",
            source=study.source,
            hint=f"add {info.output_key}='output/%s'",
        )
    for key in keys:
        given = key in study.values or key in info.defaults or key in info.options
        if not given:
            raise StudyError(
                f"the study gives no value for {key!r}, which the command needs",
                source=study.source,
                hint=f"add {key}=... to the study, or a default to the module",
            )


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


def _distinct(axes: Sequence[Axis], unhashed: Iterable[str]) -> tuple[list[Axis], list[str]]:
    """Keep the first of the rows of an axis that make equal sets, and say what was dropped.

    Sets are equal when all their rows are: doing it by axis needs no memory of sets.
    """
    ignored = set(unhashed)
    out, warnings = [], []
    for axis in axes:
        if not axis.rows:
            warnings.append(f"{' + '.join(axis.keys)} has no values: there are no parameter sets")
        if _has_distinct_column(axis, ignored):
            out.append(axis)
            continue
        rows: dict[str, tuple[Any, ...]] = {}
        texts: dict[str, str] = {}
        for row in axis.rows:
            hashed = {
                key: value for key, value in zip(axis.keys, row, strict=True) if key not in ignored
            }
            mark = identity(hashed)
            if mark not in rows:
                rows[mark] = row
                text = repr([str(value) for value in hashed.values()])
                if text in texts and len(warnings) < 5:
                    warnings.append(
                        f"two values of {' + '.join(axis.keys)} differ in type only and make "
                        f"the same command: {', '.join(map(repr, row))}"
                    )
                texts[text] = mark
        dropped = len(axis.rows) - len(rows)
        if dropped:
            warnings.append(
                f"{dropped} repeated value{'s' * (dropped > 1)} of {' + '.join(axis.keys)} "
                "will not be run twice"
            )
        out.append(axis if not dropped else Axis(keys=axis.keys, rows=tuple(rows.values())))
    return out, warnings


def _has_distinct_column(axis: Axis, ignored: set[str]) -> bool:
    """Return whether the values of one key alone show, and cheaply, that no row is repeated."""
    for place, key in enumerate(axis.keys):
        values = [row[place] for row in axis.rows]
        if key not in ignored and set(map(type, values)) in ({int}, {str}):
            return len(set(values)) == len(values)
    return False


def _where(
    study: Study,
    options: RunOptions,
    space: ParameterSpace,
    compute: Compute | None,
) -> tuple[Expression, ...]:
    texts = [
        (text, source)
        for text, source in (
            (study.where, study.source),
            (options.where, Source(path="--where")),
        )
        if text
    ]
    if not texts or not len(space):
        return ()
    sample = space[0]
    if compute is not None:
        sample.update(compute(sample))
    return tuple(compile_expression(text, sample, source) for text, source in texts)
