"""What the commands share: the session, parameter types, JSON Lines.

Only ``soops.cli`` imports it.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

from soops._version import __version__
from soops.cli import argv
from soops.kernel.errors import UsageError, near_misses

__all__ = [
    "FreeWords",
    "Integers",
    "JsonLines",
    "KeyValue",
    "Section",
    "SectionedCommand",
    "Session",
    "Words",
    "adopt",
    "command_line",
    "current_app",
    "mute_stdout",
    "words_for",
]

HELP = ["-h", "--help"]

F = TypeVar("F", bound=Callable[..., Any] | click.Command)


class Session:
    """One command line: the plugins it does without, and the others when they are needed.

    Parameters
    ----------
    disabled : iterable of str
        The values of ``--disable-plugin``.
    command_line : tuple of str, optional
        The program and its words as they were typed; None: those of this process.
    """

    def __init__(
        self, disabled: tuple[str, ...] = (), command_line: tuple[str, ...] | None = None
    ) -> None:
        self.disabled = disabled
        self.command_line = tuple(sys.argv) if command_line is None else command_line

    @cached_property
    def app(self) -> App:
        """The plugins and their registries.

        Raises
        ------
        UsageError
            When a plugin to be disabled is not there.
        """
        from soops.kernel.app import App

        app = App.create(self.disabled)
        found = [*app.loaded.found, *app.loaded.lone]
        names = {item.name for item in found} | {item.distribution for item in found}
        for name in self.disabled:
            if name not in names:
                raise UsageError(
                    f"there is no plugin {name!r} to disable",
                    hint=near_misses(name, names) or "soops plugins lists them",
                )
        return app


def current_app(ctx: click.Context) -> App:
    """Return the plugins of the running command."""
    session = ctx.find_object(Session)
    if session is not None:
        return session.app
    from soops.kernel.app import App

    return ctx.find_object(App) or Session().app


def command_line(ctx: click.Context) -> tuple[str, ...]:
    """Return the words of the running command as they were typed."""
    return (ctx.find_object(Session) or Session()).command_line


def adopt(command: click.Command, name: str, *, version: bool = False) -> click.Command:
    """Return a command with what all commands have: ``-h`` and ``--disable-plugin``.

    The command that is given, which may be a plugin's, is left as it is.

    Parameters
    ----------
    command : click.Command
        Any command, or a group, whose commands get the same.
    name : str
        What it is called here.
    version : bool
        Whether ``--version`` is added.
    """
    adopted = copy.copy(command)
    adopted.name = name
    adopted.context_settings = {"help_option_names": HELP, **command.context_settings}
    adopted.params = list(command.params)
    forms = {form for param in command.params for form in param.opts}
    if "--disable-plugin" not in forms:
        adopted.params.append(
            click.Option(
                ["--disable-plugin"],
                multiple=True,
                metavar="NAME",
                expose_value=False,
                help="Do without this plugin; may be repeated.",
            )
        )
    if version and "--version" not in forms:
        click.version_option(__version__, prog_name="soops")(adopted)
    if isinstance(adopted, click.Group):
        inner = adopted.commands.items()
        adopted.commands = {word: adopt(subcommand, word) for word, subcommand in inner}
    return adopted


def words_for(command: click.Command, args: list[str]) -> list[str]:
    """Return the words of a command line as click is to see them."""
    raw = command.context_settings.get("ignore_unknown_options")
    if isinstance(command, click.Group) or raw:
        return args
    return argv.prepare(args, argv.table_of(command))


class Section:
    """Makes options that stand below one heading in the help.

    Parameters
    ----------
    title : str
        The heading.
    """

    def __init__(self, title: str) -> None:
        self.title = title

    def __call__(self, *forms: str, **settings: Any) -> Callable[[F], F]:
        """Return the decorator that adds an option."""
        return click.option(*forms, cls=SectionedOption, section=self.title, **settings)


class SectionedOption(click.Option):
    """An option that knows its heading."""

    def __init__(self, *args: Any, section: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help has its options below headings, in the order they are written."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list for each heading, the rest last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            row = param.get_help_record(ctx)
            if row is not None and isinstance(param, click.Option):
                sections.setdefault(getattr(param, "section", "Other"), []).append(row)
        for title in sorted(sections, key=lambda title: title == "Other"):
            with formatter.section(title):
                formatter.write_dl(sections[title])


if TYPE_CHECKING:
    from soops.kernel.app import App

    _Texts = click.ParamType[tuple[str, ...]]
    _Numbers = click.ParamType[tuple[int, ...]]
    _Pair = click.ParamType[tuple[str, str]]
else:  # older versions of click know no type arguments
    _Texts = _Numbers = _Pair = click.ParamType


class Words(_Texts):
    """``a,b,c`` to a tuple of words."""

    name = "a,b,..."
    free = False

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split at commas; blanks around words do not count."""
        if isinstance(value, tuple):
            return value
        return tuple(word.strip() for word in value.split(",") if word.strip())


class FreeWords(Words):
    """Words that may have signs in them which a study has, too: ``exit:3``."""

    free = True


class Integers(_Numbers):
    """``0,3`` to a tuple of integers."""

    name = "n,m,..."
    free = False

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Split at commas."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(word) for word in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of integers like 0,3", param, ctx)


class KeyValue(_Pair):
    """``key=value`` to a pair."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split at the first equals sign."""
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"{value!r} is not of the form key=value", param, ctx)
        return key.strip(), text


class JsonLines:
    """One JSON object a line on standard output.

    The text is ASCII, so that any encoding will do. A reader that went away is not an error
    of the work that is reported: later lines are dropped.
    """

    def __init__(self) -> None:
        self.closed = False

    def __call__(self, obj: Mapping[str, Any]) -> None:
        """Print one object at once."""
        import json

        if self.closed:
            return
        try:
            sys.stdout.write(json.dumps(obj) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            self.closed = True
            mute_stdout()


def mute_stdout() -> None:
    """Let what is still buffered for a reader that went away go nowhere."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass  # no file behind it: nothing will be flushed
