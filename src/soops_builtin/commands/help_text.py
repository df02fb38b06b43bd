"""What the ``--help`` of a program says of its options: argparse, click, docopt, GNU style.

Used by ``new``. Nothing is sure about such a text: what is not understood is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["HelpOption", "read_options", "read_positionals"]

#: Options that every program has, and no study wants.
_NOT_WANTED = ("--help", "-h", "--version", "-V", "--show-completion", "--install-completion")
_LINE = re.compile(r"^ {1,12}(?P<forms>-{1,2}[A-Za-z0-9][^\n]*?)(?: {2,}(?P<words>\S.*))?$")
_FORM = re.compile(r"(?P<name>--?[A-Za-z0-9][\w.-]*)(?:\[?[= ]\[?(?P<value>[^\s,\]]+)\]?)?")
_DEFAULT = re.compile(
    r"[\[(]defaults?(?: to| is)?\s*[:=]?\s*(?P<value>[^\])]+?)\s*(?:;[^\])]*)?[\])]"
)
_CHOICES = re.compile(r"[{\[](?P<choices>[^{}\[\]\s]+(?:[,|][^{}\[\]\s]+)+)[}\]]")


@dataclass
class HelpOption:
    """An option; ``value`` is the word for what it takes, None of a flag."""

    name: str
    value: str | None = None
    words: str = ""
    default: str | None = None
    choices: tuple[str, ...] = ()


def read_options(text: str) -> list[HelpOption]:
    """Return the options of a help text, in order."""
    found: dict[str, HelpOption] = {}
    for forms, words in _entries(text):
        option = _option(forms, " ".join(words.split()))
        if option is not None and option.name not in _NOT_WANTED:
            found.setdefault(option.name, option)
    return list(found.values())


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield the forms of each option and the words about it, which may go on below."""
    forms, words, indent = "", "", 0
    for line in text.expandtabs().splitlines():
        match = _LINE.match(line)
        depth = len(line) - len(line.lstrip())
        if match is not None and not (forms and depth > indent + 8):
            if forms:
                yield forms, words
            forms, words, indent = match["forms"], match["words"] or "", depth
        elif forms and line.strip() and depth > indent:
            words += f" {line.strip()}"
        elif forms:
            yield forms, words
            forms = ""
    if forms:
        yield forms, words


def _option(forms: str, words: str) -> HelpOption | None:
    choices = _CHOICES.search(forms)
    plain = _CHOICES.sub("VALUE", forms)
    parts = list(_FORM.finditer(plain.split(" / ")[0]))
    if not parts:
        return None
    name = max(
        (part["name"] for part in parts), key=lambda form: (form.startswith("--"), len(form))
    )
    value = next((part["value"] for part in parts if part["value"]), None)
    default = _DEFAULT.search(words)
    return HelpOption(
        name=name,
        value=value,
        words=_DEFAULT.sub("", words).strip().rstrip(". "),
        default=None if default is None else default["value"].strip("'\""),
        choices=tuple(re.split(r"[,|]", choices["choices"])) if choices else (),
    )


def read_positionals(text: str, options: Sequence[HelpOption]) -> list[tuple[str, bool]]:
    """Return the words that a program needs, from the first form of its usage.

    Returns
    -------
    list of (str, bool)
        The word, and whether it is to be given as it is: beside ``<name>``, others are names
        of commands.
    """
    words = _usage(text)
    takes = {option.name for option in options if option.value is not None}
    has_marks = any("<" in word for word in words)
    found: dict[str, bool] = {}
    after = ""
    for word in words:
        if word.startswith("-"):
            after = word
            continue
        if after not in takes:
            is_literal = has_marks and "<" not in word
            name = word if is_literal else re.sub(r"\W+", "_", word).strip("_").lower()
            if name and name != "options":
                found.setdefault(name, is_literal)
        after = ""
    return list(found.items())


def _usage(text: str) -> list[str]:
    """Return the words of the first form of the usage behind the name of the program."""
    match = re.search(r"^ *usage:\s*(?P<lines>\S.*(?:\n[ \t]+\S.*)*)", text, re.I | re.M)
    if match is None:
        return []
    first, *more = (line.strip() for line in match["lines"].splitlines())
    program = first.split()[0]
    for line in more:
        if line.split()[0] in (program, "or:"):
            break
        first += f" {line}"
    before = None
    while before != first:  # from the inside out
        before = first
        first = re.sub(r"\[[^\[\]]*\]|\([^()]*\)", " ", first)
    words = first.replace("...", " ").split()
    if words[1:2] == ["-m"]:
        return words[3:]
    return words[2:] if words[0].startswith("python") else words[1:]
