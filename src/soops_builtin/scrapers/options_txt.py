"""The scraper of ``options.txt``, the file that ``soops.save_options`` writes.

The values are read as typed texts, see :mod:`soops_builtin.literal`; nothing is evaluated.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from soops_builtin.literal import read_value
from soops_builtin.scrapers.files import Paths, each_file, read_text

__all__ = ["load_options", "options_txt"]

_COMMAND_LINE = "command line"
_HEADING = re.compile(r"^(.*)\n-{3,}$", re.MULTILINE).finditer
_ENTRY = re.compile(r"^([^\s:][^:\n]*):(?: (.*))?$", re.MULTILINE).findall


def options_txt(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    split: Iterable[str] = (),
    keep: bool = False,
) -> dict[str, Any]:
    """Return the options of a run.

    Parameters
    ----------
    path : str or list of str
        An ``options.txt``.
    split : iterable of str
        Options that are dicts and become one value for each of their keys, named
        ``option__key``.
    keep : bool
        Keep the split options, too.

    Returns
    -------
    dict
        Option to value. An option of a later group of the same name as an earlier one is
        ``group__option``.
    """
    names = tuple(split)

    def read(one: str) -> dict[str, Any]:
        options = load_options(read_text(one))
        return _split(options, names, keep) if names else options

    return each_file(path, read)


def load_options(text: str) -> dict[str, Any]:
    """Return the options in a text of the form of ``save_options``.

    Groups have a heading underlined with dashes; the command line is passed over. An
    entry is ``key: value``; a line that is no entry continues the value above it.
    """
    options: dict[str, Any] = {}
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    for group, body in _groups(text):
        if group != _COMMAND_LINE:
            for key, value in _entries(body):
                name = key if key not in options else f"{group}__{key}"
                options[name] = read_value(value)
    return options


def _groups(text: str) -> Iterator[tuple[str, str]]:
    """Yield the headings and what stands below; a file without headings is one group."""
    heads = list(_HEADING(text))
    if not heads:
        yield "options", text
    for head, after in itertools.zip_longest(heads, heads[1:]):
        yield head[1].strip(), text[head.end() : after.start() if after else len(text)]


def _entries(body: str) -> list[tuple[str, str]]:
    body = body.strip("\n")
    entries = _ENTRY(body)
    if len(entries) == body.count("\n") + 1:
        return entries
    entries = []
    blank = 0
    for line in body.split("\n"):
        found = _ENTRY(line)
        if found:
            entries += found
        elif not line:
            blank += 1
            continue
        elif entries:
            key, value = entries[-1]
            entries[-1] = (key, value + "\n" * (blank + 1) + line)
        blank = 0
    return entries


def _split(options: dict[str, Any], names: tuple[str, ...], keep: bool) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in options.items():
        if name not in names or not isinstance(value, dict):
            out[name] = value
            continue
        if keep:
            out[name] = value
        out.update({f"{name}__{key}": item for key, item in value.items()})
    return out
