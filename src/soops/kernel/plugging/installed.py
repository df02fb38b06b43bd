"""Entry points of what is installed in plain directories, read without the library for it.

Only ``discovery`` uses it. Importing the library takes a fifth of the start of a command, and
nearly all of its work is for archives and finders of other kinds. Wherever it could matter
that this is not the library, :func:`read_entries` says None, and the library is asked.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterator
from typing import NamedTuple

__all__ = ["Entry", "read_entries"]

#: Finders that look for distributions in the directories of ``sys.path``, and nowhere else.
_KNOWN_FINDERS = ("_frozen_importlib_external", "importlib_metadata")
_SUFFIXES = (".dist-info", ".egg-info")
_SEPARATORS = re.compile("[-_.]+")


class Entry(NamedTuple):
    """An entry point, and the distribution that has it."""

    group: str
    name: str
    value: str
    distribution: str
    version: str


class _OddError(Exception):
    """Something that the library may see in another way."""


def read_entries(groups: Collection[str]) -> list[Entry] | None:
    """Return the entry points of some groups, in the order of ``sys.path``.

    Of distributions of one name the first counts.

    Parameters
    ----------
    groups : collection of str
        Names of groups.

    Returns
    -------
    list of Entry, or None
        None when only the library can tell: something on the path is no directory, an import
        hook finds distributions, a file is not written as it should be.
    """
    if any(
        hasattr(finder, "find_distributions") and _module_of(finder) not in _KNOWN_FINDERS
        for finder in sys.meta_path
    ):
        return None
    found: list[Entry] = []
    seen: set[str] = set()
    try:
        for directory in dict.fromkeys(sys.path):
            for name in _distributions(directory):
                stem = name.rpartition(".")[0].partition("-")[0]
                normal = _SEPARATORS.sub("_", stem).lower()
                if normal not in seen:
                    seen.add(normal)
                    found += _entries(os.path.join(directory, name), groups)
    except (_OddError, OSError, UnicodeError):
        return None
    return found


def _module_of(finder: object) -> str:
    kind = finder if isinstance(finder, type) else type(finder)
    return kind.__module__


def _distributions(directory: str) -> list[str]:
    """Return the names of the directories that describe distributions."""
    if directory.endswith(".egg"):
        raise _OddError
    try:
        names = os.listdir(directory or ".")
    except NotADirectoryError as exc:
        raise _OddError from exc  # an archive
    except OSError:
        return []
    return [name for name in names if name.lower().endswith(_SUFFIXES)]


def _entries(info: str, groups: Collection[str]) -> Iterator[Entry]:
    text = _read(info, "entry_points.txt")
    if not any(group in text for group in groups):
        return
    named: tuple[str, str] | None = None
    group = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            if not line.endswith("]"):
                raise _OddError
            group = line.strip("[]")
            continue
        if group not in groups or line.startswith("#"):
            continue
        name, equals, value = map(str.strip, line.partition("="))
        if not (name and equals and value):
            raise _OddError
        named = named or _name_and_version(info)
        yield Entry(group, name, value, *named)


def _name_and_version(info: str) -> tuple[str, str]:
    """Return what a distribution calls itself, without a parser of mail for the two lines."""
    text = _read(info, "METADATA") or _read(info, "PKG-INFO")
    lines = text.partition("\n\n")[0].splitlines()
    fields = dict(line.split(": ", 1) for line in lines if line.startswith(("Name: ", "Version: ")))
    if len(fields) != 2:
        raise _OddError
    return fields["Name"].strip(), fields["Version"].strip()


def _read(info: str, name: str) -> str:
    """Return the text of a file of a distribution, empty when there is none."""
    try:
        with open(os.path.join(info, name), encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""
