"""Templates and values to the command of a run.

A string template is the author's shell text and stays as it is, byte for byte; only
the *values* put into it are escaped for the quotes they stand in. A tuple of templates
is an argument list and never meets a shell. Templates are compiled once per study.
"""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Callable, Mapping
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.values import UNDEFINED, RunInfo, Source
from soops.kernel.values.frozen import dataclass

__all__ = ["CommandTemplate", "fields_of"]

_DOUBLE = re.compile(r'([\\"$`])')

Segments = list[str | tuple[str, str, Callable[[str], str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """An option of the program, compiled."""

    key: str
    segments: Segments
    is_flag: bool


def fields_of(template: str, source: Source | None = None) -> list[str]:
    """Return the names of the ``{fields}`` of a template, in order.

    Raises
    ------
    StudyError
        When the braces do not balance.
    """
    return [name for _, name, _ in _parse(template, source) if name is not None]


class CommandTemplate:
    """The compiled command of a study.

    Parameters
    ----------
    info : RunInfo
        Its ``command`` and ``options`` are compiled.
    source : Source, optional
        For error messages.
    """

    def __init__(self, info: RunInfo, source: Source | None = None) -> None:
        self.uses_shell = isinstance(info.command, str)
        paths = (info.output_key, "script_dir")
        if isinstance(info.command, str):
            self._words = [_compile_shell(info.command.strip(), paths, source)]
        else:
            self._words = [_compile_plain(word, str, source) for word in info.command]
        escape = _escape_double if self.uses_shell else str
        self._options = [
            _Option(
                key=key,
                segments=_compile_plain(template.strip(), escape, source),
                is_flag=not fields_of(template, source),
            )
            for key, template in info.options.items()
        ]

    def build(self, values: Mapping[str, Any]) -> str | tuple[str, ...]:
        """Return the command for one set of values, output directory included.

        A string for a shell, a tuple for an argument list. An option whose value is
        ``'@undefined'`` is left out, a flag also when it is False or None. A word of
        an argument list that names an undefined parameter is left out.
        """
        parts = []
        for option in self._options:
            value = values[option.key]
            if _is_off(option, value):
                continue
            parts.append(_fill(option.segments, values))
        if self.uses_shell:
            command = _fill(self._words[0], values)
            return "".join([command, *(f' "{part}"' for part in parts)])
        words = [
            _fill(word, values)
            for word in self._words
            if not any(isinstance(item, tuple) and _is_undefined(values[item[0]]) for item in word)
        ]
        return tuple(words + parts)


def _is_off(option: _Option, value: Any) -> bool:
    if _is_undefined(value):
        return True
    return option.is_flag and (value is False or value is None)


def _is_undefined(value: Any) -> bool:
    # The type is asked first: comparing an array with a string is not a bool.
    return isinstance(value, str) and value == UNDEFINED


def _fill(segments: Segments, values: Mapping[str, Any]) -> str:
    parts = []
    for item in segments:
        if isinstance(item, str):
            parts.append(item)
        else:
            name, spec, escape = item
            value = values[name]
            parts.append(escape(format(value, spec) if spec else str(value)))
    return "".join(parts)


def _parse(template: str, source: Source | None) -> list[tuple[str, str | None, str]]:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as exc:
        raise StudyError(
            f"the command template {template!r} has unbalanced braces: {exc}",
            source=source,
            hint="write {{ and }} for braces that are not fields",
        ) from None
    return [
        (literal, name, (spec or "") if name is not None else "")
        for literal, name, spec, _ in parsed
    ]


def _compile_plain(template: str, escape: Callable[[str], str], source: Source | None) -> Segments:
    segments: Segments = []
    for literal, name, spec in _parse(template, source):
        if literal:
            segments.append(literal)
        if name is not None:
            segments.append((name, spec, escape))
    return segments


def _compile_shell(template: str, paths: tuple[str, ...], source: Source | None) -> Segments:
    """Compile shell text; the fields that are paths are escaped for where they stand."""
    segments: Segments = []
    state = ""
    for literal, name, spec in _parse(template, source):
        if literal:
            segments.append(literal)
            state = _quote_state(literal, state)
        if name is not None:
            escape = _ESCAPES[state] if name in paths else str
            segments.append((name, spec, escape))
    return segments


def _quote_state(text: str, state: str) -> str:
    """Return the quote that is open after ``text``: '', ' or a double one."""
    position = 0
    while position < len(text):
        char = text[position]
        if state == "'":
            if char == "'":
                state = ""
        elif char == "\\":
            position += 1
        elif state == '"':
            if char == '"':
                state = ""
        elif char in "'\"":
            state = char
        position += 1
    return state


def _escape_double(text: str) -> str:
    return _DOUBLE.sub(r"\\\1", text)


def _escape_single(text: str) -> str:
    return text.replace("'", "'\"'\"'")


_ESCAPES: dict[str, Callable[[str], str]] = {
    "": shlex.quote,
    '"': _escape_double,
    "'": _escape_single,
}
