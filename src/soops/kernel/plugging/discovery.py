"""Discover, load, describe: three steps, each a value, nothing global.

``discover`` reads entry points and imports nothing; ``load`` imports the plugin
modules into a pluggy manager and keeps what went wrong as data; ``describe`` says
what each plugin gives.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any

import pluggy

from soops.kernel.errors import PluginError, near_misses
from soops.kernel.plugging import hookspecs
from soops.kernel.plugging.installed import Entry, read_entries
from soops.kernel.values.frozen import dataclass

__all__ = [
    "GROUP",
    "LONE_GROUPS",
    "Failure",
    "Found",
    "Loaded",
    "PluginInfo",
    "describe",
    "discover",
    "is_disabled",
    "load",
]

GROUP = "soops"
#: Entry-point groups whose entries are specs by themselves, and the kind of these.
LONE_GROUPS = {"soops.scrapers": "scraper", "soops.runners": "runner"}
#: The distribution whose plugins come last, so that any other is nearer to the user.
OWN_DISTRIBUTION = "soops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry point that names a plugin. ``group`` tells a plugin from a lone spec."""

    name: str
    value: str
    group: str = GROUP
    distribution: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A plugin that could not be used, and why."""

    name: str
    reason: str
    distribution: str = ""

    def __str__(self) -> str:
        where = f" ({self.distribution})" if self.distribution else ""
        return f"plugin {self.name!r}{where} is not usable: {self.reason}"


@dataclass(slots=True, kw_only=True)
class Loaded:
    """The plugins of one application: a pluggy manager and what could not join it."""

    manager: pluggy.PluginManager
    found: tuple[Found, ...] = ()
    lone: tuple[Found, ...] = ()
    disabled: tuple[str, ...] = ()
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """What ``soops plugins`` shows of one plugin."""

    name: str
    distribution: str
    version: str
    target: str
    status: str
    """``"ok"``, ``"disabled"`` or ``"broken"``."""
    gives: dict[str, list[str]]
    """Kind to names; hooks that are no registries stand under ``"events"``."""
    problem: str = ""


def discover(groups: Iterable[str] = (GROUP, *LONE_GROUPS)) -> tuple[Found, ...]:
    """Return the plugins that are installed, nearest first; nothing is imported."""
    wanted = tuple(groups)
    entries = read_entries(wanted)
    if entries is None:
        entries = _by_library(wanted)
    unique = dict.fromkeys(
        Found(
            name=entry.name,
            value=entry.value,
            group=entry.group,
            distribution=entry.distribution,
            version=entry.version,
        )
        for group in wanted
        for entry in entries
        if entry.group == group
    )
    return tuple(
        sorted(
            unique,
            key=lambda item: (item.distribution == OWN_DISTRIBUTION, item.name, item.value),
        )
    )


def _by_library(groups: Iterable[str]) -> list[Entry]:
    """Return entry points wherever they are: in archives, or behind an import hook."""
    if sys.version_info >= (3, 12):
        from importlib.metadata import distributions, entry_points
    else:
        from importlib_metadata import distributions, entry_points

    try:
        everything = entry_points()  # once: each call reads those of every distribution
    except Exception as exc:
        raise _unreadable(distributions(), exc) from exc
    return [
        Entry(
            group,
            entry.name,
            entry.value,
            (entry.dist.name or "") if entry.dist else "",
            (entry.dist.version or "") if entry.dist else "",
        )
        for group in groups
        for entry in everything.select(group=group)
    ]


def _unreadable(everything: Iterable[Any], exc: Exception) -> PluginError:
    """Return the error that says which distribution has entry points that cannot be read."""
    name = "an installed distribution"
    for distribution in everything:
        try:
            list(distribution.entry_points)
        except Exception:
            name = repr(distribution.name)
            break
    return PluginError(
        f"the entry points of {name} cannot be read: {_reason(exc)}",
        hint="install it again, or remove it",
    )


def disabled_names(extra: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the plugins switched off by ``extra`` and by ``SOOPS_NO_PLUGINS=a,b``."""
    names = [name.strip() for name in os.environ.get("SOOPS_NO_PLUGINS", "").split(",")]
    return tuple(dict.fromkeys([*(name for name in names if name), *extra]))


def is_disabled(item: Found, disabled: Iterable[str]) -> bool:
    """Tell whether a plugin is switched off, by its own name or its distribution's."""
    return any(name in (item.name, item.distribution) for name in disabled)


def load(found: Sequence[Found], disabled: Iterable[str] = ()) -> Loaded:
    """Import the plugins and register them, the farthest first.

    A plugin that cannot be imported or registered becomes a :class:`Failure`.
    """
    manager = pluggy.PluginManager("soops")
    manager.add_hookspecs(hookspecs)
    off = tuple(disabled)
    loaded = Loaded(
        manager=manager,
        found=tuple(item for item in found if item.group == GROUP),
        lone=tuple(item for item in found if item.group != GROUP),
        disabled=off,
    )
    # pluggy calls the last registered first: the nearest comes last.
    for item in reversed(loaded.found):
        if not is_disabled(item, off):
            _load_one(loaded, item)
    return loaded


def register(loaded: Loaded, plugin: Any, name: str, distribution: str = "") -> bool:
    """Register one plugin object; return False and keep the failure when it does not fit."""
    try:
        if loaded.manager.has_plugin(name):
            raise ValueError(f"{_owner(loaded, name, distribution)} has the same name")
        _check_hooks(loaded.manager, plugin)
        loaded.manager.register(plugin, name=name)
    except Exception as exc:  # a stranger's code: anything may come
        loaded.failures.append(Failure(name=name, reason=_reason(exc), distribution=distribution))
        return False
    return True


def describe(loaded: Loaded) -> tuple[PluginInfo, ...]:
    """Say of each plugin found whether it works and what it gives."""
    infos = []
    for item in (*loaded.found, *loaded.lone):
        status, gives, problem = "ok", dict[str, list[str]](), ""
        if is_disabled(item, loaded.disabled):
            status = "disabled"
        elif item.group != GROUP:
            gives = {LONE_GROUPS[item.group]: [item.name]}
        else:
            problem = _problem_of(loaded, item)
            if not problem:
                gives, problem = _gives(loaded, loaded.manager.get_plugin(item.name))
            status = "broken" if problem else "ok"
        infos.append(
            PluginInfo(
                name=item.name,
                distribution=item.distribution,
                version=item.version,
                target=item.value,
                status=status,
                gives=gives,
                problem=problem,
            )
        )
    return tuple(infos)


def _problem_of(loaded: Loaded, item: Found) -> str:
    for failure in loaded.failures:
        if failure.name == item.name and failure.distribution == item.distribution:
            return failure.reason
    return ""


def _owner(loaded: Loaded, name: str, distribution: str) -> str:
    """Say whose plugin of this name is registered already."""
    owners = [
        item.distribution
        for item in loaded.found
        if item.name == name and item.distribution != distribution
    ]
    return f"the plugin of {owners[-1]!r}" if owners else "another plugin"


def _load_one(loaded: Loaded, item: Found) -> None:
    module_name, _, attribute = item.value.partition(":")
    try:
        plugin: Any = importlib.import_module(module_name.strip())
        for part in filter(None, attribute.strip().split(".")):
            plugin = getattr(plugin, part)
    except (Exception, SystemExit) as exc:
        loaded.failures.append(
            Failure(name=item.name, reason=_reason(exc), distribution=item.distribution)
        )
        return
    register(loaded, plugin, item.name, item.distribution)


def _check_hooks(manager: pluggy.PluginManager, plugin: Any) -> None:
    """Refuse hook implementations that do not fit their specification, in words of ours."""
    known = [name for name in vars(hookspecs) if name.startswith("soops_")]
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            continue
        hook = options.get("specname") or attribute
        if hook not in known:
            raise ValueError(f"unknown hook {hook!r} {near_misses(hook, known)}".strip())
        # The nearest is asked first, and everyone is asked: no way around either.
        for mark in ("wrapper", "hookwrapper", "tryfirst", "trylast"):
            if options.get(mark):
                raise ValueError(f"{hook} is marked {mark}, which soops does not allow")
        takes = inspect.signature(getattr(hookspecs, hook)).parameters
        for argument in inspect.signature(getattr(plugin, attribute)).parameters.values():
            needed = argument.default is argument.empty
            named = argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
            if needed and named and argument.name not in takes:
                raise ValueError(
                    f"{hook} has no argument {argument.name!r}; "
                    f"it takes {', '.join(takes) or 'none'}"
                )


def _gives(loaded: Loaded, plugin: Any) -> tuple[dict[str, list[str]], str]:
    """Return what a plugin gives, kind to names, and what is wrong with it."""
    gives: dict[str, list[str]] = {}
    problem = ""
    kinds = {hook: kind for kind, hook in hookspecs.REGISTRIES.items()}
    for caller in loaded.manager.get_hookcallers(plugin) or ():
        kind = kinds.get(caller.name)
        if kind is None:
            gives.setdefault("hooks", []).append(caller.name)
            continue
        for impl in caller.get_hookimpls():
            if impl.plugin is plugin:
                try:
                    given: Any = impl.function()
                    names = [spec.name for spec in given]
                except Exception as exc:
                    problem = f"{caller.name} raised {_reason(exc)}"
                else:
                    gives.setdefault(kind, []).extend(names)
    return {kind: sorted(names) for kind, names in sorted(gives.items())}, problem


def _reason(exc: BaseException) -> str:
    text = str(exc).strip().splitlines()
    return f"{type(exc).__name__}: {text[0]}" if text else type(exc).__name__
