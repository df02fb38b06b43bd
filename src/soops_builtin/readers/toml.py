"""The form of TOML: text to plain values and lines; the structure is that of ``document``."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace

from soops.api import Source, Study, StudyError
from soops_builtin.readers.document.read import read_document
from soops_builtin.readers.toml_lines import Path, lines_of

__all__ = ["read"]

_PLACE = re.compile(r"(.*) \(at line (\d+), column (\d+)\)", re.DOTALL).fullmatch


def read(text: str, source: Source, section: str | None) -> Study:
    """Return the study of a TOML text.

    Raises
    ------
    StudyError
        With the lines, when the text is no TOML or does not say what it should.
    """
    source = replace(source, section=None)
    data = _parse(text, source)

    @functools.cache
    def lines() -> Mapping[Path, int]:
        return lines_of(text)

    def find(path: Path) -> Source:
        while path and path not in lines():
            path = path[:-1]
        return replace(source, line=lines().get(path))

    return read_document(data, source, section, find)


def _parse(text: str, source: Source) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except ValueError as exc:  # also for a number of thousands of digits
        message = str(exc)
        place = _PLACE(message)
        if place:
            message = place[1]
            source = replace(source, line=int(place[2]), column=int(place[3]))
        raise StudyError(f"this is not TOML: {message}", source=source) from exc
    except RecursionError:
        raise StudyError("this is not TOML: it is nested too deep", source=source) from None
