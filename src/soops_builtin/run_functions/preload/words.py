"""A command as the words of a Python call, or the reason why it is none that can be preloaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["NotPreloaded", "PythonCall", "python_call", "split"]

_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*t?", re.DOTALL)
#: What a shell reads as more than a letter, outside of quotes.
_ACTIVE = frozenset("|&;<>()$`*?[]{}!\n")
#: What a backslash protects within double quotes.
_PROTECTED = frozenset('$`"\\')
#: Options without a value, and those after which Python never reads the directory of the hook.
_FLAGS, _UNFIT = frozenset("bBdOPqRsux"), frozenset("EhiISvV?")
#: What shows, or measures, how the interpreter and its imports are loaded.
_SHOWING = ("importtime", "presite", "perf", "showrefcount", "tracemalloc")
_VARIABLES = (
    *("PYTHONINSPECT", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME", "PYTHONTRACEMALLOC"),
    *("PYTHONMALLOCSTATS", "PYTHONDUMPREFS", "PYTHONPERFSUPPORT", "PYTHON_PRESITE"),
)


class NotPreloaded(Exception):
    """Why a run is started afresh; the text goes into its record."""


@dataclass(frozen=True)
class PythonCall:
    """A command that calls Python.

    Attributes
    ----------
    head : tuple of str
        The interpreter, its options and what it runs: equal for all runs of a study.
    options : tuple of str
        The options alone.
    kind : str
        ``script``, ``-m`` or ``-c``.
    what : str
        The path of the script, the name of the module, or the code.
    arguments : tuple of str
        The rest.
    """

    head: tuple[str, ...]
    options: tuple[str, ...]
    kind: str
    what: str
    arguments: tuple[str, ...]


def python_call(command: str | Sequence[str], env: Mapping[bytes, bytes]) -> PythonCall:
    """Understand a command.

    Raises
    ------
    NotPreloaded
        When it is not a plain call of Python.
    """
    words = split(command) if isinstance(command, str) else list(command)
    if not words or not _PYTHON.fullmatch(words[0]):
        raise NotPreloaded("the command does not call Python")
    for name in _VARIABLES:
        if env.get(name.encode()):
            raise NotPreloaded(f"{name} is set")
    place = 1
    while place < len(words):
        word = words[place]
        if not word.startswith("-") or word == "-":
            break
        kind, value, used = _option(words, place)
        if kind:
            return _call(words, place, kind, value, used)
        place += used
    if place == len(words) or words[place] in ("-", ""):
        raise NotPreloaded("the command names no script")
    return _call(words, place, "script", words[place], 1)


def _call(words: list[str], place: int, kind: str, what: str, used: int) -> PythonCall:
    end = place + used
    # An option may share its word with -c or -m: python -Oc CODE.
    last = words[place].partition(kind[-1])[0] if kind != "script" else ""
    options = (*words[1:place], *([last] if len(last) > 1 else []))
    return PythonCall(tuple(words[:end]), options, kind, what, tuple(words[end:]))


def _option(words: list[str], place: int) -> tuple[str, str, int]:
    """Return ``-c`` or ``-m`` with its value, or nothing, and how many words it takes."""
    word = words[place]
    if word == "--check-hash-based-pycs" and place + 1 < len(words):
        return "", "", 2
    if word.startswith("--"):
        raise NotPreloaded(f"the option {word} of Python")
    for position, letter in enumerate(word[1:], 1):
        if letter in "cmWX":
            value, used = word[position + 1 :], 1
            if not value:
                if place + 1 == len(words):
                    raise NotPreloaded(f"the option -{letter} of Python has no value")
                value, used = words[place + 1], 2
            if letter == "X" and value.startswith(_SHOWING):
                raise NotPreloaded(f"the option -X {value} of Python")
            return (f"-{letter}", value, used) if letter in "cm" else ("", "", used)
        if letter not in _FLAGS:
            what = "" if letter in _UNFIT else "unknown "
            raise NotPreloaded(f"the {what}option -{letter} of Python")
    return "", "", 1


def split(text: str) -> list[str]:
    """Return the words of a shell text that is no more than words and quotes.

    Raises
    ------
    NotPreloaded
        When a shell would do more with it than to take off the quotes.
    """
    words: list[str] = []
    word: list[str] | None = None
    place = 0
    while place < len(text):
        char = text[place]
        place += 1
        if char in " \t":
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        if char in _ACTIVE or (word is None and char in "#~"):
            raise NotPreloaded(f"the command has shell syntax ({char!r})")
        word = [] if word is None else word
        if char in "'\"\\":
            place = _quoted(text, place, char, word)
        else:
            if char == "=" and not words:
                raise NotPreloaded("the command sets a variable")
            word.append(char)
    return words if word is None else [*words, "".join(word)]


def _quoted(text: str, place: int, quote: str, word: list[str]) -> int:
    """Add to a word what is quoted from ``place`` on; return the place after it."""
    while place < len(text):
        char = text[place]
        place += 1
        if quote == "\\":
            if char != "\n":
                word.append(char)
            return place
        if char == quote:
            return place
        if quote == '"' and char in "$`":
            raise NotPreloaded(f"the command has shell syntax ({char!r})")
        if quote == '"' and char == "\\":
            after = text[place : place + 1]
            if after in _PROTECTED and after:
                char, place = after, place + 1
            elif after == "\n":
                place += 1
                continue
        word.append(char)
    raise NotPreloaded("the command has an open quote")
