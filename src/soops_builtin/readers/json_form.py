"""The form of JSON: text to plain values and lines; the structure is that of ``document``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from soops.api import Source, Study, StudyError
from soops_builtin.readers.document.read import read_document
from soops_builtin.readers.document.tables import Path

__all__ = ["lines_of", "read"]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:\n]|[^\s\[\]{},:"]+')


def read(text: str, source: Source, section: str | None) -> Study:
    """Return the study of a JSON text. A member ``$schema`` names the schema for editors.

    Raises
    ------
    StudyError
        With the lines, when the text is no JSON or does not say what it should.
    """
    source = replace(source, section=None)
    data = _parse(text, source)
    if isinstance(data, dict):
        data.pop("$schema", None)
    return read_document(data, source, section, lambda: lines_of(text))


def _parse(text: str, source: Source) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            keys = [key for key, _ in items]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise StudyError(f"the key {twice!r} is given twice", source=source)
        return found

    def constant(word: str) -> Any:
        raise ValueError(f"{word} is no value of JSON")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as exc:
        where = replace(source, line=exc.lineno, column=exc.colno)
        raise StudyError(f"this is not JSON: {exc.msg}", source=where) from exc
    except ValueError as exc:
        raise StudyError(f"this is not JSON: {exc}", source=source) from exc
    except RecursionError:
        raise StudyError("this is not JSON: it is nested too deep", source=source) from None


def lines_of(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, of every key and item of a text that is valid JSON."""
    lines: dict[Path, int] = {(): 1}
    line = 1
    #: Open brackets: the path inside, and whether a key is awaited.
    stack: list[tuple[str, Path]] = []
    path: Path = ()
    awaits_key = False
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "\n":
            line += 1
        elif token in "{[":
            lines.setdefault(path, line)
            stack.append((token, path))
            awaits_key = token == "{"
            path = path if awaits_key else (*path, 0)
        elif token in "}]":
            _, path = stack.pop()
        elif token == ",":
            kind, outer = stack[-1]
            awaits_key = kind == "{"
            path = outer if awaits_key else (*outer, int(path[-1]) + 1)
        elif token == ":":
            awaits_key = False
        elif awaits_key:
            path = (*stack[-1][1], json.loads(token))
            lines.setdefault(path, line)
        else:
            lines.setdefault(path, line)
    return lines
