"""Study files with sections: ``[NAME]`` and lines ``key = value`` in the value language.

The lines are cut as Python's ``configparser`` cuts them (with ``ExtendedInterpolation``), but
the case of keys is kept and every position in the file stays known: the text of an option
goes to the parser as it stands, with its comments blanked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from soops.api import Source, Study, StudyError, unknown_name
from soops.parsing import GrammarError, parse_dict, parse_older

__all__ = ["read"]

#: Keys of this section go for every study of the file.
DEFAULT = "DEFAULT"
GENERATE = ".@generate"
#: How often ``${...}`` may lead to ``${...}``.
MAX_DEPTH = 10

_HEADER = re.compile(r"\[(.+)\]").fullmatch
#: A quoted text, or a comment: ``;`` after a blank, ``#`` between blanks.
_COMMENT = re.compile(
    r"""'(?:[^'\\]++|''|\\.)*'|"(?:[^"\\]++|""|\\.)*"|(?<!\S)(?:;|\#(?=\s|\Z)).*\Z"""
)
_REFERENCE = re.compile(r"\$(?:\$|\{([^{}]*)\})")


@dataclass(slots=True)
class _Option:
    """One key with its value as it stands in the file."""

    key: str
    line: int
    indent: int
    equals: int
    """Where in the first line the value begins."""
    lines: list[str]

    @property
    def value(self) -> str:
        return "\n".join([self.lines[0][self.equals :], *self.lines[1:]])

    @property
    def head(self) -> str:
        """The key and an equals sign."""
        return self.lines[0][: self.equals - 1] + "="


@dataclass(slots=True)
class _Section:
    """A section while it is read."""

    name: str
    line: int
    options: dict[str, _Option] = field(default_factory=dict)


def read(text: str, source: Source, section: str | None) -> Study:
    """Return the study of one section; without a name the first that is a study.

    Sections ``[NAME.@generate]`` are no studies: they hold the arguments of the function
    that makes values for ``NAME``.

    Raises
    ------
    StudyError
        With the line, when the file or the section is not as it should be.
    """
    path = replace(source, section=None)
    file = _File(_cut(text, path), path)
    studies = [name for name in file.sections if name != DEFAULT and not name.endswith(GENERATE)]
    if section is None and not studies:
        raise StudyError(
            "there is no study in the file", source=path, hint="begin one with a line [NAME]"
        )
    name = section if section is not None else studies[0]
    if name not in studies:
        raise unknown_name("study", name, studies, source=path)
    chosen = file.sections[name]
    own = f"{name}{GENERATE}"
    values, older = file.values(chosen, directives=True)
    others = _Arguments(file, [other for other in file.sections if other not in (name, DEFAULT)])
    return Study(
        name=name,
        source=replace(path, section=name, line=chosen.line),
        values=values,
        generate=others.get(own),
        sections=others,
        older=older,
    )


class _File:
    """The sections of a file and how they refer to each other."""

    def __init__(self, sections: dict[str, _Section], path: Source) -> None:
        self.sections = sections
        self.path = path

    def values(
        self, section: _Section, *, directives: bool
    ) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """Return what a section says, for a study with the keys of ``[DEFAULT]``.

        The second dict has the values that soops 2026.2 read otherwise, as it read them.
        """
        options = list(section.options.values())
        if directives and DEFAULT in self.sections:
            common = self.sections[DEFAULT].options
            options = [option for key, option in common.items() if key not in section.options]
            options += section.options.values()
        values: dict[Any, Any] = {}
        older: dict[Any, Any] = {}
        for option in options:
            given, otherwise = self._parse(section, option, directives)
            values.update(given)
            older = {key: value for key, value in older.items() if key not in given}
            older.update(otherwise)
        return values, older

    def _parse(
        self, section: _Section, option: _Option, directives: bool
    ) -> tuple[dict[Any, Any], dict[Any, Any]]:
        source = replace(self.path, section=section.name, line=option.line)
        value = self._interpolate(section, option, option.value, 0)
        try:
            values = parse_dict(option.head + value, source=source, directives=directives)
            # Blanks at the end of a value never counted, in files.
            older = parse_older(option.head + value.rstrip(), values) if directives else {}
            return values, older
        except GrammarError as exc:
            if value == option.value:
                raise
            # Columns are those of the text after replacement, not of the file.
            message = f"{exc.message}, after ${{...}} was replaced"
            excerpt = exc.source.excerpt if exc.source else None
            source = replace(source, excerpt=excerpt)
            raise StudyError(message, source=source, hint=exc.hint) from None

    def _interpolate(self, section: _Section, option: _Option, text: str, depth: int) -> str:
        """Replace ``${key}``, ``${section:key}`` and ``$$``; any other ``$`` is a dollar."""
        if "$" not in text:
            return text
        source = replace(self.path, section=section.name, line=option.line)
        if depth > MAX_DEPTH:
            raise StudyError(
                f"the references of {option.key!r} go in a circle or are too deep", source=source
            )

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return "$"
            where, other = self._find(section, name, source)
            return self._interpolate(where, other, other.value.strip(), depth + 1)

        return _REFERENCE.sub(replaced, text)

    def _find(self, section: _Section, name: str, source: Source) -> tuple[_Section, _Option]:
        """Return the option that ``${name}`` means, and its section."""
        hint = f"write $${{{name}}} for the text itself"
        where, key = section, name
        if ":" in name:
            other, _, key = name.partition(":")
            if other not in self.sections:
                error = unknown_name("section", other, self.sections, source=source, extra=hint)
                raise error
            where = self.sections[other]
        key = key.strip()
        places = [where, *([self.sections[DEFAULT]] if DEFAULT in self.sections else [])]
        for place in places:
            if key in place.options:
                return where, place.options[key]
        # Once the case of keys did not count.
        for place in places:
            for known, option in place.options.items():
                if known.lower() == key.lower():
                    return where, option
        known_keys = [known for place in places for known in place.options]
        raise unknown_name("key in ${...}:", key, known_keys, source=source, extra=hint)


class _Arguments(Mapping[str, Mapping[str, Any]]):
    """Sections as arguments of functions, each parsed when it is asked for.

    A mistake in the section of another study is none of this study's.
    """

    def __init__(self, file: _File, names: list[str]) -> None:
        self._file = file
        self._names = names

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        if name not in self._names:
            raise KeyError(name)
        return self._file.values(self._file.sections[name], directives=False)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


# --- lines -------------------------------------------------------------------------------


def _cut(text: str, path: Source) -> dict[str, _Section]:
    """Return the sections of a file by name."""
    sections: dict[str, _Section] = {}
    section: _Section | None = None
    option: _Option | None = None
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if not stripped or stripped[0] in "#;":
            if option is not None:
                option.lines.append("")
            continue
        if option is not None and indent > option.indent:
            option.lines.append(_without_comment(line))
            continue
        line = _without_comment(line)
        header = _HEADER(line.strip())
        if header:
            option = None
            section = _Section(header[1], number)
            _refuse_second("section", section.name, number, sections, path)
            sections[section.name] = section
            continue
        source = replace(path, section=section.name if section else None, line=number)
        option = _option(line, number, indent, source)
        if section is None:
            raise StudyError(
                f"{option.key!r} is in no section", source=source, hint="begin with a line [NAME]"
            )
        _refuse_second("key", option.key, number, section.options, source)
        section.options[option.key] = option
    return sections


def _option(line: str, number: int, indent: int, source: Source) -> _Option:
    places = [place for place in (line.find("="), line.find(":")) if place >= 0]
    if not places:
        raise StudyError(
            f"{line.strip()[:60]!r} has no '='",
            source=source,
            hint="write key = value; indent the further lines of a long value",
        )
    equals = min(places)
    key = line[:equals].strip()
    if not key:
        raise StudyError("there is no key before '='", source=source, hint="write key = value")
    return _Option(key, number, indent, equals + 1, [line])


def _refuse_second(
    what: str, name: str, number: int, known: Mapping[str, _Section | _Option], source: Source
) -> None:
    if name in known:
        raise StudyError(
            f"the {what} {name!r} is given twice, first in line {known[name].line}",
            source=replace(source, line=number),
            hint="remove one",
        )


def _without_comment(line: str) -> str:
    """Return a line with its comment blanked, so that columns stay what they are."""

    def blank(match: re.Match[str]) -> str:
        return match[0] if match[0][0] in "'\"" else " " * len(match[0])

    return _COMMENT.sub(blank, line)
