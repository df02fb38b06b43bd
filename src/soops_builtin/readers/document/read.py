"""A study file, whatever its form, to a ``Study``: all its mistakes are told in one go.

``read_document`` is what the readers of the forms call.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from soops.api import Source, Study, StudyError, UserModule, unknown_name
from soops_builtin.readers.document import schema
from soops_builtin.readers.document.names import check_names
from soops_builtin.readers.document.program import read_program
from soops_builtin.readers.document.results import read_results, read_scoop, read_steps
from soops_builtin.readers.document.space import read_space
from soops_builtin.readers.document.tables import Find, Mistakes, Path, Table

__all__ = ["read_document"]

#: The keys of ``[study]`` that mean something without a program.
WITHOUT_PROGRAM = {
    *("name", "output_dir", "output_key", "lockstep", "where", "exclude", "rows", "repeat", "seed")
}


def read_document(
    data: Any, source: Source, section: str | None, lines: Callable[[], Mapping[Path, int]]
) -> Study:
    """Return the study of a file.

    Parameters
    ----------
    data : mapping
        What the file holds, as plain values.
    source : Source
        The file.
    section : str, optional
        The name that the study must have.
    lines : callable
        Gives the line of each key and item, by its path; asked when there is a mistake.

    Raises
    ------
    StudyError
        Telling every mistake, with its line.
    """
    lines = functools.cache(lines)

    def find(path: Path) -> Source:
        while path and path not in lines():
            path = path[:-1]
        return replace(source, line=lines().get(path))

    mistakes = Mistakes()
    root = _root(data, find, mistakes)
    study = root.table(schema.STUDY)
    if "study" not in root and not root.has_strangers:
        mistakes.add(
            "there is no table [study]", replace(source, line=None), "begin it with [study]"
        )
    name = study.get("name") or pathlib.Path(source.path).stem
    if section not in (None, name):
        mistakes.take(unknown_name("study", str(section), [name], source=study.source("name")))
    space = read_space(root, study, pathlib.Path(source.path).parent)
    program = read_program(root, study, source)
    # What a mistyped name would have given is missing; that it is missing is not told again.
    if program is None:
        if not (root.has_strangers or study.has_strangers):
            _refuse_program(root, study)
    elif not root.has_strangers:
        program = check_names(root, study, space, program)
    scoop, steps = read_scoop(root), read_steps(root)
    results = read_results(root)
    module = None
    if program or scoop or steps:
        module = UserModule(
            name=name,
            path=pathlib.Path(source.path),
            run_info=program.info if program else None,
            scoop_info=scoop,
            steps=steps,
            results=results,
        )
    found = Study(
        name=name,
        source=replace(source, section=None),
        values=space.values,
        contracts=space.contracts,
        where=space.where,
        blocks=space.blocks,
        derived=space.derived,
        seed=space.seed,
        options={**dict(root.table(schema.RUN)), **(program.options if program else {})},
        module=module,
    )
    mistakes.tell(found)
    return found


def _root(data: Any, find: Find, mistakes: Mistakes) -> Table:
    if not isinstance(data, Mapping):
        raise StudyError(
            "a study file is a table of tables", source=find(()), hint="begin it with study"
        )
    keys = tuple(
        schema.Key(
            item.name, "a list of texts or tables" if item.many else "a table", "", _head(item)
        )
        for item in schema.FILE
    )
    return Table(data, schema.Section("", "", keys), (), find, mistakes)


def _head(section: schema.Section) -> str:
    return f"[[{section.name}]]" if section.many else f"[{section.name}]"


def _refuse_program(root: Table, study: Table) -> None:
    """Note keys that are about a program where there is none."""
    others = [
        (study, [key for key in study if key not in WITHOUT_PROGRAM]),
        *((root.table(item), list(root.table(item))) for item in (schema.OPTIONS, schema.DEFAULTS)),
    ]
    known = {key.name for key in schema.STUDY.keys}
    for table, keys in others:
        for key in keys:
            if table is not study or key in known:
                table.wrong(
                    f"{key!r} is about the program, but there is no command",
                    key,
                    hint="add command = [...] to [study]",
                )
