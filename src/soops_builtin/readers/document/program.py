"""The program of a study file: command, options, files, limits."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soops.api import Directive, Formula, RunInfo, Source, amount_of
from soops_builtin.readers.document import schema
from soops_builtin.readers.document.furnish import Furnish, read_furnish
from soops_builtin.readers.document.tables import Table
from soops_builtin.readers.document.values import value_of

__all__ = ["Program", "read_program"]

#: A directive in ``[defaults]`` may only be one of these: defaults are not expanded.
PLAIN_DIRECTIVES = ("defined", "undefined")
#: The variable that names what is preloaded.
PRELOAD = "SOOPS_PRELOAD"


@dataclass(frozen=True)
class Program:
    """How a study file has its program run, and with which options of the pass."""

    info: RunInfo
    options: Mapping[str, Any]
    command: str | tuple[str, ...]
    """As the file has it, without the lines of ``setup``."""
    furnish: Furnish | None
    is_whole: bool
    """Whether all its files are right: what uses the parameters is known then."""


def read_program(root: Table, study: Table, source: Source) -> Program | None:
    """Return the program of a file; None when it has none. Mistakes are noted."""
    if "command" not in study:
        return None
    command = study.get("command")
    words = [command] if isinstance(command, str) else command
    if words is not None and (not words or not words[0].strip()):
        study.wrong("the command is empty", "command", hint='write command = ["program"]')
    if not words or not words[0].strip():
        command = ["true"]  # so that the rest is looked at
    options = root.table(schema.OPTIONS)
    defaults = root.table(schema.DEFAULTS)
    before = study.mistakes.count
    furnish = read_furnish(study, Path(source.path).parent)
    is_whole = study.mistakes.count == before
    plain = command if isinstance(command, str) else tuple(command)
    info = RunInfo(
        command=_with_setup(study, plain),
        options=options.own(),
        output_key=study.get("output_key", "output_dir"),
        finished=_finished(study),
        defaults=_defaults(defaults),
        unhashed=tuple(study.get("unhashed", [])),
        base=os.path.normpath(Path(source.path).parent),
        cwd=study.get("cwd"),
        env=_environment(study),
        timeout=_amount(study, "timeout", study.get("timeout")),
        accept_exit=tuple(study.get("accept_exit", [0])),
        resources=_resources(study),
        furnish=furnish,
    )
    run_function = {"run_function": "preload"} if study.get("preload") else {}
    return Program(
        info=info, options=run_function, command=plain, furnish=furnish, is_whole=is_whole
    )


def _environment(study: Table) -> dict[str, str]:
    named = study.get("preload")
    modules = {PRELOAD: ",".join(named)} if isinstance(named, list) else {}
    return {**study.get("env", {}), **modules}


def _with_setup(study: Table, command: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Return the command behind the lines of the shell that make it ready."""
    given = study.get("setup")
    if not given:
        return command
    lines = [given] if isinstance(given, str) else given
    for place, line in enumerate(lines):
        try:
            shlex.split(line, comments=True)
        except ValueError:
            study.wrong("a quotation mark of the setup is not closed", "setup", place)
    text = "\n".join(lines).replace("{", "{{").replace("}", "}}")
    if isinstance(command, str):
        return f"{text}\n{command}"
    return ("bash", "-c", f'{text}\nexec "$@"', "bash", *command)


def _defaults(table: Table) -> dict[str, Any]:
    found = {}
    for key, item in table.own().items():
        with table.mistakes.noting(table.source(key)):
            value = value_of(table, (key,), item)
            if isinstance(value, Directive):
                if value.name not in PLAIN_DIRECTIVES or value.called:
                    table.wrong(
                        f"{value.text} cannot be a default", key, hint="give it as a parameter"
                    )
                value = value.text
            found[key] = value
    return found


def _finished(study: Table) -> Any:
    given = study.get("finished", "exit:0")
    parts = given if isinstance(given, list) else [given]
    for place, part in enumerate(parts):
        keys: tuple[str | int, ...] = ("finished", place) if part is not given else ("finished",)
        if isinstance(part, str):
            if part.startswith("exit:") and isinstance(given, list):
                study.wrong("an exit code is a check by itself", *keys, hint="write it alone")
            continue
        if set(part) != {"file", "regex"} or not all(isinstance(v, str) for v in part.values()):
            hint = 'write { file = "log.txt", regex = "^done" }'
            study.wrong("a check of a text has a file and a regex", *keys, hint=hint)
            continue
        try:
            re.compile(part["regex"])
        except re.error as exc:
            study.wrong(f"the regex {part['regex']!r} is wrong: {exc}", *keys, "regex")
    return given


def _resources(study: Table) -> dict[str, float | Formula]:
    found = {}
    for key, given in study.get("resources", {}).items():
        amount = _amount(study, "resources", given, key)
        if amount is not None:
            found[key] = amount
    return found


def _amount(study: Table, key: str, given: Any, *inner: str) -> float | Formula | None:
    """Return a number, or the expression that a text is; sizes such as ``4GB`` are numbers."""
    if given is None:
        return None
    number = amount_of(given)
    if math.isnan(number):
        return Formula(text=given, source=study.source(key, *inner))
    if math.isinf(number) or number < 0 or (key == "timeout" and number == 0):
        study.wrong(f"{given!r} is no amount", key, *inner, hint="write a number above 0")
        return None
    return number
