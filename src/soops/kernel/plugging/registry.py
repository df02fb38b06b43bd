"""Collect the specs of one kind, check their names, resolve their targets.

The registry is the only importer of targets.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from soops.kernel.errors import PluginError, SoopsError, StudyError, unknown_name
from soops.kernel.plugging import hookspecs, specs
from soops.kernel.plugging.discovery import LONE_GROUPS, Failure, Loaded, is_disabled
from soops.kernel.values import Source

__all__ = ["Registry", "collect", "import_target"]

S = TypeVar("S", bound=specs.Spec)

SPEC_TYPES: Mapping[str, type[specs.Spec]] = {
    cls.kind: cls
    for cls in (
        specs.ReaderSpec,
        specs.DirectiveSpec,
        specs.RunFunctionSpec,
        specs.RunnerSpec,
        specs.CheckSpec,
        specs.ScraperSpec,
        specs.StoreSpec,
        specs.StepSpec,
        specs.CommandSpec,
    )
}


class Registry(Generic[S]):
    """The specs of one kind by name, nearest first.

    Parameters
    ----------
    kind : str
        What messages call it: ``"runner"``, ``"scraper"``, ...
    entries : mapping
        Name, aliases included, to spec.
    failures : list of Failure
        Plugins that could not be used; named when a name is missed.
    """

    def __init__(self, kind: str, entries: Mapping[str, S], failures: list[Failure]) -> None:
        self.kind = kind
        self._entries = dict(entries)
        self._failures = failures
        self._targets: dict[str, Any] = {}

    def __iter__(self) -> Iterator[S]:
        seen = set()
        for spec in self._entries.values():
            if spec.name not in seen:
                seen.add(spec.name)
                yield spec

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """Return all names, aliases included, sorted."""
        return sorted(self._entries)

    def get(
        self,
        name: str,
        *,
        source: Source | None = None,
        error: type[SoopsError] = StudyError,
    ) -> S:
        """Return the spec of a name.

        Raises
        ------
        SoopsError
            When nothing answers to it, with near misses and the plugins that are broken.
        """
        try:
            return self._entries[name]
        except KeyError:
            extra = "; ".join(str(failure) for failure in self._failures[:2])
            raise unknown_name(
                self.kind, name, self._entries, source=source, error=error, extra=extra
            ) from None

    def resolve(
        self,
        name: str,
        *,
        source: Source | None = None,
        error: type[SoopsError] = StudyError,
    ) -> Any:
        """Return the object that a name stands for, imported at the first call."""
        spec = self.get(name, source=source, error=error)
        if spec.name not in self._targets:
            self._targets[spec.name] = import_target(spec)
        return self._targets[spec.name]


def collect(loaded: Loaded, kind: str) -> Registry[Any]:
    """Ask all plugins for one kind of specs.

    Raises
    ------
    PluginError
        When two plugins give the same name.
    """
    hook_name = hookspecs.REGISTRIES[kind]
    expected = SPEC_TYPES[kind]
    entries: dict[str, specs.Spec] = {}
    caller = getattr(loaded.manager.hook, hook_name)
    # get_hookimpls lists the first registered (the farthest) first.
    for impl in reversed(caller.get_hookimpls()):
        try:
            given = list(impl.function())
            for spec in given:
                if not isinstance(spec, expected):
                    raise TypeError(f"{hook_name} gave {spec!r}, not a {expected.__name__}")
        except Exception as exc:  # a stranger's code: anything may come
            failure = Failure(name=impl.plugin_name, reason=f"{type(exc).__name__}: {exc}")
            if failure not in loaded.failures:
                loaded.failures.append(failure)
            continue
        for spec in given:
            _add(entries, dataclasses.replace(spec, provider=impl.plugin_name))
    for item in loaded.lone:
        if LONE_GROUPS[item.group] == kind and not is_disabled(item, loaded.disabled):
            provider = item.distribution or item.name
            spec = expected(name=item.name, target=item.value, provider=provider)
            _add(entries, spec)
    return Registry(kind, entries, loaded.failures)


def import_target(spec: specs.Spec) -> Any:
    """Return what ``spec.target`` names.

    Raises
    ------
    PluginError
        When it cannot be imported; the message names the plugin.
    """
    if not isinstance(spec.target, str):
        return spec.target
    module_name, _, attribute = spec.target.partition(":")
    try:
        target: Any = importlib.import_module(module_name.strip())
        for part in filter(None, attribute.strip().split(".")):
            target = getattr(target, part)
    except (Exception, SystemExit) as exc:
        raise PluginError(
            f"{spec.kind} {spec.name!r} of plugin {spec.provider!r} cannot be loaded: "
            f"{type(exc).__name__}: {exc}",
            hint=f"{spec.target!r} should name an importable object; "
            f"is everything that the plugin needs installed?",
        ) from exc
    return target


def _add(entries: dict[str, specs.Spec], spec: specs.Spec) -> None:
    for name in (spec.name, *getattr(spec, "aliases", ())):
        other = entries.get(name)
        if other is not None:
            raise PluginError(
                f"{spec.kind} {name!r} is given by two plugins: "
                f"{other.provider!r} and {spec.provider!r}",
                hint=f"uninstall one, or pass --disable-plugin {spec.provider}",
            )
        entries[name] = spec
