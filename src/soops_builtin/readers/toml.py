"""The form of TOML: text to plain values and lines; the structure is that of ``document``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace

from soops.api import Source, Study, StudyError
from soops_builtin.readers.document.read import read_document
from soops_builtin.readers.toml_lines import lines_of

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
    return read_document(_parse(text, source), source, section, lambda: lines_of(text))


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
