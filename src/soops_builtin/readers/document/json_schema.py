"""The structure of a study file as JSON Schema, for editors that complete and check."""

from __future__ import annotations

from typing import Any

from soops_builtin.readers.document.kinds import KINDS
from soops_builtin.readers.document.schema import FILE, SAMPLE, Section

__all__ = ["json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of a study file."""
    return {
        "$schema": DIALECT,
        "title": "soops study",
        "description": "A study: program, space, results and steps.",
        "type": "object",
        "properties": {
            "$schema": {"type": "string"},
            **{section.name: _of_file(section) for section in FILE},
        },
        "required": ["study"],
        "additionalProperties": False,
    }


def _of_file(section: Section) -> dict[str, Any]:
    table = _table(section)
    if not section.many:
        return table
    return {"type": "array", "items": table, "description": table.pop("description")}


def _table(section: Section) -> dict[str, Any]:
    rest: Any = dict(KINDS[section.free].schema) if section.free else False
    properties = {}
    for key in section.keys:
        found: dict[str, Any] = {"description": key.words, **KINDS[key.kind].schema}
        if key.name == SAMPLE.name:
            found = _table(SAMPLE)
        properties[key.name] = found
    return {
        "description": section.words,
        "type": "object",
        "properties": properties,
        "additionalProperties": rest,
    }
