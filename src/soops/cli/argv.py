"""The one pass over the words of a command line before click sees them.

Command lines written for soops 2026.2 were read by argparse. This pass turns what click
would misread into what click reads the same way: ``-c='a + b'``, ``-o=dir``, unique
abbreviations, a study text that begins with dashes, and an option that takes all the words
that follow it. It knows option tables only, not what the options mean; the cli and its tests
import it.

The result is canonical: every option in its long form with its value attached, then ``--``
and the positional words. Passing it through again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

import click

from soops.kernel.errors import UsageError, near_misses
from soops.kernel.values.frozen import dataclass

__all__ = ["ANCESTOR", "Opt", "Table", "disabled_plugins", "prepare", "table_of"]

#: Long names that soops 2026.2 had, command by command: they win over names of ours when an
#: abbreviation could mean both.
ANCESTOR: Mapping[str, tuple[str, ...]] = {
    "run": (
        "--help",
        "--dry-run",
        "--recompute",
        "--n-workers",
        "--cluster-kwargs",
        "--runner",
        "--run-function",
        "--timeout",
        "--generate-pars",
        "--contract",
        "--compute-pars",
        "--study",
        "--conf",
        "--silent",
        "--shell",
        "--output-dir",
    ),
    "scoop": (
        "--help",
        "--sort",
        "--filter",
        "--no-plugins",
        "--use-plugins",
        "--omit-plugins",
        "--plugin-mod",
        "--plugin-args",
        "--results",
        "--no-csv",
        "--reuse",
        "--update",
        "--write",
        "--write-after-plugins",
        "--shell",
        "--debug",
        "--output-dir",
    ),
    "info": ("--help", "--explain", "--shell"),
    "find": ("--help", "--query", "--engine", "--mode", "--key", "--shell"),
    "jobs": ("--help", "--verbose", "--shell"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opt:
    """What the pass has to know of an option.

    Attributes
    ----------
    name : str
        The form that is handed on: the long one where there is one.
    nargs : int
        How many values it takes; 0 for a flag.
    greedy : bool
        Whether it takes all the words up to the next option.
    free : bool
        Whether its value may be any text, blanks included.
    """

    name: str
    nargs: int = 1
    greedy: bool = False
    free: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The options of a command by every form they have.

    Attributes
    ----------
    options : mapping
        ``"-c"``, ``"--contract"``, ... to :class:`Opt`.
    first : tuple of str
        Long names that win when an abbreviation could mean several.
    positionals : int
        How many positional words the command needs.
    """

    options: Mapping[str, Opt]
    first: tuple[str, ...] = ()
    positionals: int = 0


@dataclass(slots=True)
class _Pass:
    """The words of one command line on their way through."""

    table: Table
    words: list[str]
    options: list[str] = field(default_factory=list)
    positionals: list[str] = field(default_factory=list)
    groups: list[tuple[str, list[str]]] = field(default_factory=list)
    """What greedy options took, in order: the option and its words."""


def prepare(args: Sequence[str], table: Table) -> list[str]:
    """Return the command line in its canonical form.

    Parameters
    ----------
    args : sequence of str
        The words after the name of the command.
    table : Table
        Its options.

    Raises
    ------
    UsageError
        For an unknown or ambiguous option and for an option without its value.
    """
    line = _Pass(table=table, words=list(args))
    while line.words:
        word = line.words.pop(0)
        if word == "--":
            line.positionals.extend(line.words)
            break
        found = _option(word, table)
        if found is None:
            line.positionals.append(word)
        else:
            _take(line, *found)
    _give_back(line)
    line.options.extend(f"{name}={word}" for name, words in line.groups for word in words)
    return [*line.options, "--", *line.positionals] if line.positionals else line.options


def disabled_plugins(args: Sequence[str]) -> list[str]:
    """Return the values of ``--disable-plugin`` wherever they stand.

    They are needed before the command is known, as a plugin may give the command.
    """
    names = []
    words = iter(args)
    for word in words:
        if word == "--":
            break
        option, equals, value = word.partition("=")
        if option.startswith("--disable") and "--disable-plugin".startswith(option):
            names.append(value if equals else next(words, ""))
    return [name for name in names if name]


def _option(word: str, table: Table) -> tuple[Opt, str | None, str] | None:
    """Return the option a word begins with, its attached value and its name as written.

    None for a positional word.
    """
    if len(word) < 2 or not word.startswith("-"):
        return None
    if word in table.options:
        return table.options[word], None, word
    if word.startswith("--"):
        found = _long(word, table)
    else:
        found = _short(word, table)
    if found is not None:
        return found
    if _has_blank(word) or _is_number(word):
        return None
    raise _unknown(word, table)


def _long(word: str, table: Table) -> tuple[Opt, str | None, str] | None:
    name, equals, text = word.partition("=")
    value = text if equals else None
    # A study text may begin with a parameter that is called like an option.
    maybe_conf = bool(table.first) and _is_like_a_study(text)
    full = name if name in table.options else _abbreviated(name, table, maybe_conf)
    if full is None:
        return None
    option = table.options[full]
    return None if maybe_conf and not (option.nargs and option.free) else (option, value, full)


def _abbreviated(name: str, table: Table, maybe_conf: bool) -> str | None:
    """Return the one long name that begins like this; names of soops 2026.2 go first."""
    for names in (table.first, () if maybe_conf else table.options):
        matches = [full for full in names if full.startswith(name) and full in table.options]
        if len(matches) > 1:
            if maybe_conf:
                return None
            raise UsageError(
                f"the option {name!r} is ambiguous", hint="it could be " + " or ".join(matches)
            )
        if matches and len(name) > 2:
            return matches[0]
    return None


def _short(word: str, table: Table) -> tuple[Opt, str | None, str] | None:
    first = table.options.get(word[:2])
    if first is None:
        return None
    rest = word[2:]
    if first.nargs == 0:
        # A bundle of flags; only letters that are options themselves belong to it.
        return (first, rest, word[:2]) if "-" + rest[0] in table.options else None
    value = rest.removeprefix("=")
    is_conf = bool(table.first) and _is_like_a_study(value) and not first.free
    return None if is_conf else (first, value, word[:2])


def _take(line: _Pass, option: Opt, value: str | None, written: str) -> None:
    """Move an option and its values to the options of the line."""
    if option.nargs == 0:
        if value is not None and written.startswith("--"):
            raise UsageError(f"the option {written} takes no value, not {value!r}")
        line.options.append(option.name)
        if value:
            line.words.insert(0, "-" + value)
        return
    values = [value] if value is not None else [_next(line, written)]
    if option.greedy:
        while value is None and line.words and _is_value(line.words[0], line.table):
            values.append(line.words.pop(0))
        line.groups.append((option.name, values))
        return
    values.extend(_next(line, written) for _ in range(option.nargs - 1))
    if option.nargs == 1 and option.name.startswith("--"):
        line.options.append(f"{option.name}={values[0]}")
    else:
        line.options.extend([option.name, *values])


def _next(line: _Pass, written: str) -> str:
    word = line.words[0] if line.words else None
    if word is None or word == "--" or word in line.table.options:
        hint = f"write {written}={word} if that is its value" if word else "give its value"
        raise UsageError(f"the option {written} needs a value", hint=hint)
    return line.words.pop(0)


def _is_value(word: str, table: Table) -> bool:
    return word != "--" and _option(word, table) is None


def _give_back(line: _Pass) -> None:
    """Let a greedy option that took everything leave the words the command cannot do without."""
    words = line.groups[-1][1] if line.groups else []
    while len(line.positionals) < line.table.positionals and len(words) > 1:
        line.positionals.insert(0, words.pop())


def _unknown(word: str, table: Table) -> UsageError:
    name = word.partition("=")[0]
    hints = [near_misses(name, table.options) or "--help lists the options"]
    if table.first and table.positionals and "=" in word:
        hints.append("a study text that begins with dashes needs a blank in it, or -- before it")
    return UsageError(f"no such option: {name}", hint="; ".join(hints))


def _has_blank(text: str) -> bool:
    return any(char.isspace() for char in text.strip())


def _is_like_a_study(text: str) -> bool:
    """Tell whether a study may end so: a blank, and the output directory as a further pair."""
    return _has_blank(text) and ("=" in text or ":" in text)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def table_of(command: click.Command) -> Table:
    """Return the table of a click command."""
    options: dict[str, Opt] = {}
    positionals = 0
    for param in command.params:
        if isinstance(param, click.Argument):
            positionals += abs(param.nargs) if param.required else 0
        elif isinstance(param, click.Option):
            _add(options, param)
    for form in command.context_settings.get("help_option_names", ("--help",)):
        options.setdefault(form, Opt(name="--help", nargs=0))
    return Table(
        options=options, first=ANCESTOR.get(command.name or "", ()), positionals=positionals
    )


def _add(options: dict[str, Opt], param: click.Option) -> None:
    closed = (click.types.IntParamType, click.types.FloatParamType, click.Choice)
    for forms in (param.opts, param.secondary_opts):
        long = [form for form in forms if form.startswith("--")]
        for form in forms:
            options[form] = Opt(
                name=(long or forms)[0],
                nargs=0 if param.is_flag or param.count else param.nargs,
                # The metavar says so in the help too: "-e, --explain DIR..."
                greedy=param.multiple and (param.metavar or "").endswith("..."),
                free=getattr(param.type, "free", not isinstance(param.type, closed)),
            )
