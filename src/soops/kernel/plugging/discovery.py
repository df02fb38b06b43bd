"""Discover, load, describe: three steps, each a value, nothing global.

``discover`` reads entry points and imports nothing; ``load`` imports the plugin
modules into a pluggy manager and keeps what went wrong as data; ``describe`` says
what each plugin gives.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pluggy

from soops.kernel.errors import near_misses
from soops.kernel.plugging import hookspecs

if sys.version_info >= (3, 12):
    from importlib.metadata import entry_points
else:
    from importlib_metadata import entry_points

__all__ = [
    "GROUP",
    "LONE_GROUPS",
    "Failure",
    "Found",
    "Loaded",
    "PluginInfo",
    "describe",
    "discover",
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
    found = []
    for group in groups:
        for entry in entry_points(group=group):
            dist = entry.dist
            found.append(
                Found(
                    name=entry.name,
                    value=entry.value,
                    group=group,
                    distribution=dist.name if dist is not None else "",
                    version=dist.version if dist is not None else "",
                )
            )
    unique = {(item.group, item.name, item.value, item.distribution): item for item in found}
    return tuple(
        sorted(
            unique.values(),
            key=lambda item: (item.distribution == OWN_DISTRIBUTION, item.name, item.value),
        )
    )


def disabled_names(extra: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the plugins switched off by ``extra`` and by ``SOOPS_NO_PLUGINS=a,b``."""
    names = [name.strip() for name in os.environ.get("SOOPS_NO_PLUGINS", "").split(",")]
    return tuple(dict.fromkeys([*(name for name in names if name), *extra]))


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
        lone=tuple(item for item in found if item.group != GROUP and item.name not in off),
        disabled=off,
    )
    # pluggy calls the last registered first: the nearest comes last.
    for item in reversed(loaded.found):
        if item.name not in off:
            _load_one(loaded, item)
    return loaded


def register(loaded: Loaded, plugin: Any, name: str, distribution: str = "") -> bool:
    """Register one plugin object; return False and keep the failure when it does not fit."""
    if loaded.manager.has_plugin(name):
        loaded.failures.append(
            Failure(
                name=name,
                reason="another plugin has the same name",
                distribution=distribution,
            )
        )
        return False
    try:
        loaded.manager.register(plugin, name=name)
        _check_hook_names(loaded.manager, plugin)
    except Exception as exc:  # a stranger's code: anything may come
        if loaded.manager.has_plugin(name):
            loaded.manager.unregister(name=name)
        loaded.failures.append(
            Failure(name=name, reason=_reason(exc), distribution=distribution)
        )
        return False
    return True


def describe(loaded: Loaded) -> tuple[PluginInfo, ...]:
    """Say of each plugin found whether it works and what it gives."""
    failures = {failure.name: failure for failure in loaded.failures}
    infos = []
    for item in loaded.found:
        failure = failures.get(item.name)
        status = "ok"
        if item.name in loaded.disabled:
            status = "disabled"
        elif failure is not None:
            status = "broken"
        plugin = loaded.manager.get_plugin(item.name)
        infos.append(
            PluginInfo(
                name=item.name,
                distribution=item.distribution,
                version=item.version,
                target=item.value,
                status=status,
                gives=_gives(loaded, plugin) if status == "ok" else {},
                problem=failure.reason if failure is not None else "",
            )
        )
    for item in loaded.lone:
        infos.append(
            PluginInfo(
                name=item.name,
                distribution=item.distribution,
                version=item.version,
                target=item.value,
                status="ok",
                gives={LONE_GROUPS[item.group]: [item.name]},
            )
        )
    return tuple(infos)


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


def _check_hook_names(manager: pluggy.PluginManager, plugin: Any) -> None:
    """Refuse hook implementations that no specification answers to."""
    known = {name for name in vars(hookspecs) if name.startswith("soops_")}
    for caller in manager.get_hookcallers(plugin) or ():
        if not caller.has_spec():
            raise ValueError(
                f"unknown hook {caller.name!r} {near_misses(caller.name, known)}".strip()
            )


def _gives(loaded: Loaded, plugin: Any) -> dict[str, list[str]]:
    gives: dict[str, list[str]] = {}
    kinds = {hook: kind for kind, hook in hookspecs.REGISTRIES.items()}
    for caller in loaded.manager.get_hookcallers(plugin) or ():
        kind = kinds.get(caller.name)
        if kind is None:
            gives.setdefault("hooks", []).append(caller.name)
            continue
        for impl in caller.get_hookimpls():
            if impl.plugin is plugin:
                try:
                    names = [spec.name for spec in impl.function()]
                except Exception as exc:
                    names = [f"(broken: {_reason(exc)})"]
                gives.setdefault(kind, []).extend(names)
    return {kind: sorted(names) for kind, names in sorted(gives.items())}


def _reason(exc: BaseException) -> str:
    text = str(exc).strip().splitlines()
    return f"{type(exc).__name__}: {text[0]}" if text else type(exc).__name__
