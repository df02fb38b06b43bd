"""Studies as TOML: parameters, and if wanted the program, its scrapers and its steps.

A table or key that is not known is refused with its line. The keys are described in
``docs/value-language.md``.
"""

from __future__ import annotations

import os
import re
import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from soops.api import (
    Directive,
    RunInfo,
    ScoopInfo,
    ScoopItem,
    Source,
    StepCall,
    Study,
    StudyError,
    UserModule,
    near_misses,
    unknown_name,
)
from soops.parsing import GrammarError, parse_text
from soops_builtin.readers.toml_tables import Table, table_of

__all__ = ["read"]

#: A directive in ``[defaults]`` may only be one of these: defaults are not expanded.
PLAIN_DIRECTIVES = ("defined", "undefined")
_ABOUT_THE_STUDY = ("name", "output_dir", "output_key", "lockstep", "where")
_ABOUT_THE_PROGRAM = ("finished", "unhashed", "cwd", "env", "timeout", "accept_exit")
SCRIPT_DIR = "script_dir"
_NAME = re.compile(r"[\w.-]+").fullmatch
_PLACE = re.compile(r"(.*) \(at line (\d+), column (\d+)\)", re.DOTALL).fullmatch


def read(text: str, source: Source, section: str | None) -> Study:
    """Return the study of a TOML text.

    Raises
    ------
    StudyError
        With the line, when the text is no TOML or does not say what it should.
    """
    root = _parse(text, replace(source, section=None))
    root.only("study", "options", "defaults", "parameters", "scoop", "step")
    study = root.table("study", required=True)
    study.only(*_ABOUT_THE_STUDY, "command", *_ABOUT_THE_PROGRAM)
    name = study.take("name", "a text") or Path(source.path).stem
    if section not in (None, name):
        raise unknown_name("study", str(section), [name], source=study.source("name"))
    output_key = study.take("output_key", "a text", "output_dir")
    template = study.take("output_dir", "a text")
    lockstep = study.take("lockstep", "a list of lists of texts", [])
    where = study.take("where", "a text")
    parameters = root.table("parameters")
    values = {key: _value(parameters, (key,), item) for key, item in parameters.items()}
    if output_key in values:
        raise StudyError(
            f"{output_key!r} is the output directory, not a parameter",
            source=parameters.source(output_key),
            hint="give it as output_dir of [study]",
        )
    run_info = _run_info(root, study, output_key, source, values)
    if run_info is not None:
        _check_lockstep(study, lockstep, run_info, values)
    scoop_info, steps = _scoop_info(root), _steps(root)
    module = None
    if run_info or scoop_info or steps:
        module = UserModule(
            name=name,
            path=Path(source.path),
            run_info=run_info,
            scoop_info=scoop_info,
            steps=steps,
        )
    return Study(
        name=name,
        source=replace(source, section=None),
        values=values if template is None else {**values, output_key: template},
        contracts=tuple(tuple(group) for group in lockstep),
        where=where,
        module=module,
    )


def _parse(text: str, source: Source) -> Table:
    try:
        data = tomllib.loads(text)
    except ValueError as exc:  # also for a number of thousands of digits
        message = str(exc)
        place = _PLACE(message)
        if place:
            message = place[1]
            source = replace(source, line=int(place[2]), column=int(place[3]))
        raise StudyError(f"this is not TOML: {message}", source=source) from exc
    except RecursionError:
        raise StudyError("this is not TOML: it is nested too deep", source=source) from None
    return table_of(data, text, source)


# --- parameters --------------------------------------------------------------------------


def _value(table: Table, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a value of TOML with the texts that are directives read as such."""
    if isinstance(value, str):
        return _text(value, table.source(*path)) if value.startswith("@") else value
    if isinstance(value, list):
        return [_value(table, (*path, place), item) for place, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _value(table, (*path, key), item) for key, item in value.items()}
    return value


def _text(text: str, source: Source) -> Directive | str:
    """Return the directive that a text is, or the text; the column of it is not known."""
    try:
        found = parse_text(text, source)
    except GrammarError as exc:
        exc.source = replace(source, excerpt=text)
        raise
    return replace(found, source=source) if isinstance(found, Directive) else found


def _default(table: Table, key: str, value: Any) -> Any:
    found = _value(table, (key,), value)
    if isinstance(found, Directive):
        if found.name in PLAIN_DIRECTIVES and not found.called:
            return found.text
        raise StudyError(
            f"{found.text} cannot be a default",
            source=table.source(key),
            hint="give it as a parameter",
        )
    return found


# --- the program -------------------------------------------------------------------------


def _run_info(
    root: Table, study: Table, output_key: str, source: Source, values: Mapping[str, Any]
) -> RunInfo | None:
    options, defaults = root.table("options"), root.table("defaults")
    command = study.take("command", "a text or a list of texts")
    if command is None:
        for table, keys in ((study, _ABOUT_THE_PROGRAM), (options, options), (defaults, defaults)):
            for key in keys:
                if key in table:
                    raise StudyError(
                        f"{key!r} is about the program, but there is no command",
                        source=table.source(key),
                        hint="add command = [...] to [study]",
                    )
        return None
    words = [command] if isinstance(command, str) else command
    if not words or not words[0].strip():
        raise StudyError("the command is empty", source=study.source("command"))
    timeout = study.take("timeout", "a positive number")
    info = RunInfo(
        command=command if isinstance(command, str) else tuple(command),
        options={key: options.take(key, "a text") for key in options},
        output_key=output_key,
        finished=study.take("finished", "a text", "exit:0"),
        defaults={key: _default(defaults, key, item) for key, item in defaults.items()},
        unhashed=tuple(study.take("unhashed", "a list of texts", [])),
        base=os.path.normpath(Path(source.path).parent),
        cwd=study.take("cwd", "a text"),
        env=study.take("env", "a table of texts", {}),
        timeout=None if timeout is None else float(timeout),
        accept_exit=tuple(study.take("accept_exit", "a list of integers", [0])),
    )
    _check_names(root, study, info, values)
    return info


def _check_names(root: Table, study: Table, info: RunInfo, values: Mapping[str, Any]) -> None:
    """Refuse placeholders without a value and parameters without a use."""
    options = root.table("options")
    own = {info.output_key, SCRIPT_DIR}
    known = {*values, *info.defaults, *info.options, *own}
    used = set(info.options)
    if isinstance(info.command, str):
        used |= _check_fields(info.command, known, study, "command")
    else:
        for place, word in enumerate(info.command):
            used |= _check_fields(word, known, study, "command", place)
    for key, template in info.options.items():
        used |= _check_fields(template, known, options, key)
    for title, names in (("parameters", values), ("defaults", info.defaults)):
        for name in names:
            if name not in used:
                raise StudyError(
                    f"neither the command nor an option uses {name!r}",
                    source=root.table(title).source(name),
                    hint=near_misses(name, used - own)
                    or f"put {{{name}}} into the command, or add it to [options]",
                )
    for place, name in enumerate(info.unhashed):
        if name not in known - own:
            source = study.source("unhashed", place)
            raise unknown_name("parameter", name, known - own, source=source)


def _check_fields(template: str, known: set[str], table: Table, *keys: str | int) -> set[str]:
    """Return the placeholders of a template, all of which must be known."""
    braces = "write {{ and }} for braces that are not placeholders"
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError as exc:
        raise StudyError(
            f"the braces of {template[:60]!r} do not balance: {exc}",
            source=table.source(*keys),
            hint=braces,
        ) from None
    for name in sorted(fields - known):
        hint = near_misses(name, known) or f"give {name!r} in [parameters] or [defaults]"
        raise StudyError(
            f"the placeholder {{{name}}} has no value",
            source=table.source(*keys),
            hint=hint if _NAME(name) else braces,
        )
    return fields


def _check_lockstep(
    study: Table, groups: Iterable[list[str]], info: RunInfo, values: Mapping[str, Any]
) -> None:
    known = {*values, *info.defaults, *info.options}
    for place, group in enumerate(groups):
        if len(group) < 2:
            raise StudyError(
                "keys in lockstep are two or more",
                source=study.source("lockstep", place),
                hint='write lockstep = [["a", "b"]]',
            )
        for name in group:
            if name not in known:
                source = study.source("lockstep", place)
                raise unknown_name("parameter", name, known, source=source)


# --- what comes after the runs -----------------------------------------------------------


def _scoop_info(root: Table) -> ScoopInfo | None:
    items = []
    for table in root.tables("scoop"):
        table.only("file", "scraper", "options", "is_parameters", "optional")
        items.append(
            ScoopItem(
                pattern=table.take("file", "a text", required=True),
                scraper=table.take("scraper", "a text", required=True),
                options=table.take("options", "a table", {}),
                is_parameters=table.take("is_parameters", "true or false", False),
                optional=table.take("optional", "true or false", False),
            )
        )
    return ScoopInfo(items=tuple(items)) if items else None


def _steps(root: Table) -> tuple[StepCall, ...]:
    steps = []
    for table in root.tables("step"):
        table.only("name", "kwargs")
        name = table.take("name", "a text", required=True)
        steps.append(StepCall(name=name, target=name, kwargs=table.take("kwargs", "a table", {})))
    return tuple(steps)
