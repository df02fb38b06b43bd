"""What the modules share that give scripts the commands as functions.

Each of ``run_parametric``, ``scoop_outputs``, ``print_info``, ``find_studies`` and ``show_jobs``
has ``parse_args(args) -> Namespace`` and a function that takes the namespace. The options are
those of the command, told once, in the command; here is only the way there. Those five import
this module, nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from soops.kernel.app import App

__all__ = ["call", "create_app", "fields_of", "parse"]


def parse(program: str, args: Sequence[str] | None) -> dict[str, Any]:
    """Return what a command line gives to the parameters of a command.

    Parameters
    ----------
    program : str
        ``"soops-NAME"``.
    args : sequence of str, optional
        The words after it; None: those of this process.

    Raises
    ------
    SystemExit
        As argparse does it: 2 when the line is wrong, 0 after ``--help``.
    """
    from soops.cli import parse_arguments

    return parse_arguments(program, args)


def call(program: str, options: Namespace, values: Mapping[str, Any]) -> Any:
    """Call a command with values of its parameters; the others have their defaults."""
    from soops.cli.group import call as call_command

    return call_command(program, values, _disabled(options))


def create_app(options: Namespace) -> App:
    """Return the plugins, but for those that the namespace disables.

    Raises
    ------
    UsageError
        When one of those is not there.
    """
    from soops.cli.common import Session

    return Session(tuple(_disabled(options))).app


def fields_of(options: Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Return those of some fields that a namespace has; a script may have made it itself."""
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def _disabled(options: Namespace) -> Sequence[str]:
    disabled: Sequence[str] = getattr(options, "disabled_plugins", ())
    return disabled
