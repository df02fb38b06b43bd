"""``soops plugins``: what is installed, what it gives, what is wrong.

Only ``soops.cli`` imports it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from soops.cli.common import JsonLines, current_app
from soops.kernel.app import App
from soops.kernel.errors import ExitCode, PluginError, SoopsError, UsageError, unknown_name
from soops.kernel.plugging.discovery import PluginInfo, describe
from soops.kernel.plugging.hookspecs import REGISTRIES

__all__ = ["plugins"]

EPILOG = """\b
Examples:
  soops plugins
  soops plugins show local
  soops plugins check && echo fine
"""


@click.group(
    invoke_without_command=True,
    subcommand_metavar="[COMMAND]",
    epilog=EPILOG,
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each plugin.")
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> int:
    """Show the installed plugins, nearest first: name, version, what each gives."""
    if ctx.invoked_subcommand is not None:
        return 0
    infos = describe(current_app(ctx).loaded)
    lines = JsonLines()
    for info in infos:
        if as_json:
            lines(dataclasses.asdict(info))
        else:
            _show(info)
    return 0


@plugins.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON objects.")
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> int:
    """Show a plugin, or everything of a name that plugins give: local, regex, find, ..."""
    app = current_app(ctx)
    lines = JsonLines()
    infos = [info for info in describe(app.loaded) if name in (info.name, info.distribution)]
    for info in infos:
        if as_json:
            lines(dataclasses.asdict(info))
        else:
            _show(info)
            for spec in _specs(app):
                if spec.provider == info.name:
                    click.echo(f"  {_spec_line(spec)}")
    found = [spec for spec in _specs(app) if name in (spec.name, *getattr(spec, "aliases", ()))]
    for spec in found:
        if as_json:
            lines(_spec_object(spec))
        else:
            _show_spec(spec)
    if not infos and not found:
        known = [info.name for info in describe(app.loaded)] + [s.name for s in _specs(app)]
        raise unknown_name("plugin or name", name, known, error=UsageError)
    return 0


@plugins.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each problem.")
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> int:
    """Import everything that plugins give; exit with 4 when something is broken or clashes."""
    app = current_app(ctx)
    problems = [
        f"plugin {info.name!r} is broken: {info.problem}"
        for info in describe(app.loaded)
        if info.status == "broken"
    ]
    checked = 0
    for kind in REGISTRIES:
        try:
            registry = app.registry(kind)
        except PluginError as exc:
            problems.append(exc.message)
            continue
        for spec in registry:
            checked += 1
            problems.extend(_trouble(registry, spec))
    lines = JsonLines()
    for problem in problems:
        if as_json:
            lines({"problem": problem})
        else:
            click.echo(SoopsError(problem).lines()[0])
    many = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
    click.echo(f"{checked} names checked, {many}", err=True)
    return int(ExitCode.PLUGIN if problems else ExitCode.OK)


def _trouble(registry: Any, spec: Any) -> list[str]:
    try:
        target = registry.resolve(spec.name)
    except SoopsError as exc:
        return [exc.message]
    if spec.kind == "command":
        from soops.cli.group import OWN

        if spec.name in OWN:
            return [
                f"the command {spec.name!r} of plugin {spec.provider!r} is hidden by soops's own"
            ]
        if not isinstance(target, click.Command):
            return [f"the command {spec.name!r} of plugin {spec.provider!r} is not a click command"]
    return []


def _specs(app: App) -> list[Any]:
    """Return all specs of all kinds; a clash of names hides its kind."""
    found: list[Any] = []
    for kind in REGISTRIES:
        try:
            found.extend(app.registry(kind))
        except PluginError as exc:
            click.echo(f"warning: {exc.message}", err=True)
    return found


def _show(info: PluginInfo) -> None:
    where = f"{info.distribution} {info.version}".strip()
    click.echo(f"{info.name}  ({where})  {info.target}" + _status(info))
    for kind, names in info.gives.items():
        click.echo(f"    {kind}: {', '.join(names)}")


def _status(info: PluginInfo) -> str:
    if info.status == "ok":
        return ""
    reason = SoopsError(info.problem).lines()[0].removeprefix("error: ")
    return f"  {info.status.upper()}" + (f": {reason}" if reason else "")


def _spec_line(spec: Any) -> str:
    return f"{spec.kind} {spec.name}" + (f": {spec.summary}" if spec.summary else "")


def _show_spec(spec: Any) -> None:
    click.echo(_spec_line(spec))
    for key, value in _spec_object(spec).items():
        if key not in ("kind", "name", "summary") and value not in ("", [], None, False):
            click.echo(f"    {key}: {', '.join(value) if isinstance(value, list) else value}")
    options = getattr(spec, "options", None)
    if options is not None:
        for line in _option_lines(spec, options):
            click.echo(f"    --runner-opt {line}")


def _spec_object(spec: Any) -> dict[str, Any]:
    out: dict[str, Any] = {"kind": spec.kind}
    for item in dataclasses.fields(spec):
        value = getattr(spec, item.name)
        if isinstance(value, tuple):
            value = list(value)
        elif value is not None and not isinstance(value, str | bool):
            value = f"{value.__module__}:{value.__qualname__}"
        out[item.name] = value
    return out


def _option_lines(spec: Any, options: Any) -> list[str]:
    """Return ``name=default (type)`` for each field of the options of a runner."""
    from soops.kernel.plugging.registry import import_target

    try:
        cls = import_target(dataclasses.replace(spec, target=options))
    except SoopsError as exc:
        return [f"(not readable: {exc.message})"]
    return [
        f"{item.name}={'' if item.default is dataclasses.MISSING else item.default}"
        for item in dataclasses.fields(cls)
    ]
