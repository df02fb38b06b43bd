"""Names in a study file: placeholders without a value, parameters without a use, expressions.

What uses a parameter: command, options, templates, paths of inputs, and the expressions of
timeout, resources and derived parameters.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import replace

from soops.api import (
    Formula,
    Source,
    compile_expression,
    expression_names,
    near_misses,
    short_name,
    unknown_name,
)
from soops_builtin.readers.document import schema
from soops_builtin.readers.document.program import Program
from soops_builtin.readers.document.space import REPLICATE, SEED, SpaceText
from soops_builtin.readers.document.tables import Table

__all__ = ["check_names"]

SCRIPT_DIR = "script_dir"
_NAME = re.compile(r"[\w.-]+").fullmatch
_BRACES = "write {{ and }} for braces that are not placeholders"


def check_names(root: Table, study: Table, space: SpaceText, program: Program) -> Program:
    """Note names that nothing gives, and parameters that nothing uses.

    Returns
    -------
    Program
        The same with ``uses``: what is used elsewhere than in command and options.
    """
    info = program.info
    own = {info.output_key, SCRIPT_DIR}
    before = study.mistakes.count
    wanted = _fields_of_command(study, root.table(schema.OPTIONS), program)
    if space.seed is None and study.get("repeat") and SEED in {name for name, _, _ in wanted}:
        given = {*space.keys, *info.defaults}
        if SEED not in given:
            space.seed = SEED
    known = {*space.keys, *info.defaults, *info.options}
    used = set(root.table(schema.OPTIONS))
    for name, table, keys in wanted:
        used.add(name)
        if name not in known | own:
            hint = near_misses(name, known | own) or f"give {name!r} in [parameters] or [defaults]"
            table.wrong(
                f"the placeholder {{{name}}} has no value",
                *keys,
                hint=hint if _NAME(name) else _BRACES,
            )
    elsewhere = _names_of_files(study, program, known | own)
    elsewhere |= _names_of_expressions(root, study, space, program, known)
    used |= elsewhere
    # Of a mistyped name the use is missing; that is not told again.
    if program.is_whole and study.mistakes.count == before:
        _refuse_unused(root, space, program, used, own)
    _refuse_unknown(root, study, space, program)
    if space.seed:
        elsewhere.add(space.seed)
    if REPLICATE in space.values:
        elsewhere.add(REPLICATE)
    # A program may write to its standard output only, which is in the run directory.
    uses = (*sorted(elsewhere - own), info.output_key)
    return replace(program, info=replace(info, uses=uses))


_Wanted = list[tuple[str, Table, tuple[str | int, ...]]]


def _fields_of_command(study: Table, options: Table, program: Program) -> _Wanted:
    wanted: _Wanted = []
    command = program.command
    if isinstance(command, str):
        wanted += _fields(command, study, "command")
    else:
        for place, word in enumerate(command):
            wanted += _fields(word, study, "command", place)
    for key, template in program.info.options.items():
        wanted += _fields(template, options, key)
    return wanted


def _fields(template: str, table: Table, *keys: str | int) -> _Wanted:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as exc:
        text = f"the braces of {template[:60]!r} do not balance: {exc}"
        table.wrong(text, *keys, hint=_BRACES)
        return []
    return [(name, table, keys) for name in sorted(set(names))]


def _names_of_files(study: Table, program: Program, known: set[str]) -> set[str]:
    """Return the parameters that inputs and templates use."""
    used: set[str] = set()
    if program.furnish is None:
        return used
    for item in program.furnish.inputs:
        for text in (item.file, item.to):
            for name, _, _ in _fields(text, study, "inputs"):
                used.add(name)
                if name not in known:
                    study.mistakes.take(unknown_name("parameter", name, known, source=item.source))
    by_short = {short_name(name): name for name in known}
    for template in program.furnish.templates:
        for name, line in template.variables.items():
            if name in by_short:
                used.add(by_short[name])
                continue
            place = Source(path=template.path, line=line)
            study.mistakes.take(
                unknown_name("variable of a template:", name, by_short, source=place)
            )
    return used


def _names_of_expressions(
    root: Table, study: Table, space: SpaceText, program: Program, known: set[str]
) -> set[str]:
    """Return the parameters that expressions use which make something of a run."""
    info = program.info
    amounts = [
        item for item in (info.timeout, *info.resources.values()) if isinstance(item, Formula)
    ]
    used: set[str] = set()
    for formula in amounts:
        used |= _compile(formula, known, study)
    derived = root.table(schema.DERIVED)
    for formula in space.derived.values():
        used |= _compile(formula, known - ({space.seed} if space.seed else set()), derived)
    filters = [formula for block in space.blocks for formula in block.where]
    if space.where is not None:
        filters.append(Formula(text=space.where, source=study.source("where")))
    for formula in dict.fromkeys(filters):
        _compile(formula, known, study)
    return used


def _compile(formula: Formula, known: Iterable[str], table: Table) -> set[str]:
    """Return the parameters of an expression, which is looked at as it will be for the sets."""
    with table.mistakes.noting(formula.source):
        return set(compile_expression(formula.text, known, formula.source).names)
    return set(expression_names(formula.text, known))


def _refuse_unused(
    root: Table,
    space: SpaceText,
    program: Program,
    used: set[str],
    own: set[str],
) -> None:
    info = program.info
    defaults, derived = root.table(schema.DEFAULTS), root.table(schema.DERIVED)
    tables = {
        **dict.fromkeys(info.defaults, defaults),
        **dict.fromkeys(space.derived, derived),
        **space.named,
    }
    for name, table in tables.items():
        if name in used or (name == REPLICATE and table.section is schema.STUDY):
            continue
        table.wrong(
            f"neither the command nor an option uses {name!r}",
            name,
            hint=near_misses(name, used - own)
            or f"put {{{name}}} into the command, or add it to [options]",
        )


def _refuse_unknown(root: Table, study: Table, space: SpaceText, program: Program) -> None:
    info = program.info
    known = {*space.keys, *info.defaults, *info.options}
    for place, name in enumerate(info.unhashed):
        if name not in known:
            source = study.source("unhashed", place)
            study.mistakes.take(unknown_name("parameter", name, known, source=source))
    for table in (study, *root.tables(schema.BLOCK)):
        for place, group in enumerate(table.get("lockstep", [])):
            for name in group:
                if name not in known:
                    source = table.source("lockstep", place)
                    study.mistakes.take(unknown_name("parameter", name, known, source=source))
