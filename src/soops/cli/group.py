"""The command ``soops`` and the way from a console script to its command.

``run``, ``scoop`` and ``plugins`` are the kernel's; all others come from plugins and are
imported when they are called. Only ``soops.cli`` imports this module.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from soops.cli import argv
from soops.cli.common import Session, adopt, current_app, words_for
from soops.kernel.errors import SoopsError, UsageError, unknown_name

__all__ = ["Soops", "call", "command", "invoke", "parse"]

#: The kernel's own commands: where each is, and a line of words for the help.
OWN = {
    "run": ("soops.cli.run:run", "run a program over a parameter space"),
    "scoop": ("soops.cli.scoop:scoop", "gather the outputs into one table"),
    "plugins": ("soops.cli.plugins:plugins", "show and check the installed plugins"),
}


class Soops(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the kernel's commands and those of plugins."""
        return [*OWN, *(spec.name for spec in _specs(ctx) if spec.name not in OWN)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of this name."""
        if cmd_name in OWN or cmd_name in current_app(ctx).registry("command"):
            return command(ctx, cmd_name)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of a line, and its words as click is to see them."""
        name, rest = args[0], args[1:]
        found = self.get_command(ctx, name)
        if found is None:
            raise unknown_name("command", name, self.list_commands(ctx), error=UsageError)
        return name, found, words_for(found, rest)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from their specs; nothing is imported for it."""
        rows = [(name, words) for name, (_, words) in OWN.items()]
        try:
            specs = _specs(ctx)
        except SoopsError as exc:
            specs = []
            rows.append(("...", f"not shown: {exc.message} (soops plugins check)"))
        rows.extend((spec.name, spec.summary) for spec in specs if spec.name not in OWN)
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _specs(ctx: click.Context) -> list[Any]:
    return sorted(current_app(ctx).registry("command"), key=lambda spec: str(spec.name))


def command(ctx: click.Context, name: str) -> click.Command:
    """Return the click command of a name, with what all commands have.

    Raises
    ------
    PluginError
        When the plugin that should give it is absent or its command is not one of click's.
    """
    found: Any
    if name in OWN:
        module, _, attribute = OWN[name][0].partition(":")
        found = getattr(importlib.import_module(module), attribute)
    else:
        from soops.kernel.errors import PluginError

        app = current_app(ctx)
        found = app.resolve("command", name, error=PluginError)
        if not isinstance(found, click.Command):
            provider = app.registry("command").get(name).provider
            raise PluginError(
                f"the command {name!r} of plugin {provider!r} is not a click command",
                hint="its target should name a function decorated with @click.command()",
            )
        # What @click.pass_obj gives to the command of a plugin.
        ctx.obj = app
    return adopt(found, name)


@click.group(
    cls=Soops,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    epilog="\b\nEach command has its own --help. The scripts soops-run, soops-scoop,\n"
    "soops-info, soops-find and soops-jobs are the same commands.",
)
@click.pass_context
def _soops(ctx: click.Context) -> None:
    """Run a program over a parameter space and gather its outputs into one table."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


soops = adopt(_soops, "soops", version=True)


def invoke(program: str, args: list[str]) -> int:
    """Run a command line; errors are exceptions.

    Parameters
    ----------
    program : str
        ``"soops"``, or ``"soops-NAME"`` for one command.
    args : list of str
        The words that follow it.
    """
    target, root = _target(program, args)
    code = _complete(target, program, root.obj)
    if code is not None:
        return code
    with target.make_context(program, words_for(target, args), obj=root.obj) as ctx:
        result = target.invoke(ctx)
    return result if isinstance(result, int) else 0


def parse(program: str, args: list[str]) -> dict[str, Any]:
    """Return the values of the parameters of a command line; errors are exceptions.

    The value of ``--disable-plugin`` is that of ``disabled_plugins``.
    """
    target, root = _target(program, args)
    with target.make_context(program, words_for(target, args), obj=root.obj) as ctx:
        return {**ctx.params, "disabled_plugins": list(argv.disabled_plugins(args))}


def call(program: str, values: Mapping[str, Any], disabled: Sequence[str] = ()) -> Any:
    """Call a command with values of its parameters; those that are absent have their defaults.

    Returns
    -------
    object
        What the function of the command returns.
    """
    target, root = _target(program, [f"--disable-plugin={name}" for name in disabled])
    with click.Context(target, info_name=program, obj=root.obj) as ctx:
        return ctx.invoke(target, **values)


def _target(program: str, args: list[str]) -> tuple[click.Command, click.Context]:
    """Return the command of a program, and the context that knows the session."""
    session = Session(tuple(argv.disabled_plugins(args)), (program, *args))
    root = click.Context(soops, info_name="soops", obj=session)
    if program == "soops":
        return soops, root
    name = program.removeprefix("soops-")
    return adopt(command(root, name), name, version=True), root


def _complete(target: click.Command, program: str, obj: object) -> int | None:
    """Answer the shell that wants to complete a line; None when none does."""
    variable = f"_{program}_COMPLETE".replace("-", "_").upper()
    instruction = os.environ.get(variable)
    if not instruction:
        return None
    from click.shell_completion import shell_complete

    return shell_complete(target, {"obj": obj}, program, variable, instruction)
