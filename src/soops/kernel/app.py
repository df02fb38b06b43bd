"""One application: the plugins that take part, handed around instead of globals."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from soops.kernel.errors import PluginError, SoopsError, StudyError
from soops.kernel.plugging import discovery, registry
from soops.kernel.plugging.discovery import Found, Loaded
from soops.kernel.values import Source

if TYPE_CHECKING:
    from soops.kernel.values import UserModule

__all__ = ["App"]

log = logging.getLogger("soops")


class App:
    """The plugins of one command or one call, and the registries made from them.

    Parameters
    ----------
    loaded : Loaded
        What :func:`soops.kernel.plugging.discovery.load` gave.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._registries: dict[str, registry.Registry[Any]] = {}
        self._muted: set[tuple[str, str]] = set()
        self._impls: dict[str, list[Any]] = {}  # without those that are muted

    @classmethod
    def create(cls, disabled: Iterable[str] = (), found: Sequence[Found] | None = None) -> App:
        """Discover and load the installed plugins; a broken one is one line in the log."""
        where = discovery.discover() if found is None else found
        loaded = discovery.load(where, discovery.disabled_names(disabled))
        for failure in loaded.failures:
            log.warning("%s", failure)
        return cls(loaded)

    def registry(self, kind: str) -> registry.Registry[Any]:
        """Return the registry of a kind, collected at the first call.

        Parameters
        ----------
        kind : str
            A key of ``hookspecs.REGISTRIES``: ``"runner"``, ``"scraper"``, ...
        """
        if kind not in self._registries:
            before = len(self.loaded.failures)
            self._registries[kind] = registry.collect(self.loaded, kind)
            for failure in self.loaded.failures[before:]:
                log.warning("%s", failure)
        return self._registries[kind]

    def resolve(
        self,
        kind: str,
        name: str,
        *,
        source: Source | None = None,
        error: type[SoopsError] = StudyError,
    ) -> Any:
        """Return the object that ``name`` stands for among the specs of ``kind``."""
        return self.registry(kind).resolve(name, source=source, error=error)

    def add(self, plugin: Any, name: str) -> None:
        """Register a plugin object that is nearer than all others: a user's module.

        Raises
        ------
        StudyError
            When its hook implementations do not fit.
        """
        if not discovery.register(self.loaded, plugin, name):
            failure = self.loaded.failures.pop()
            raise StudyError(str(failure), hint="see docs/hooks for the hooks and their arguments")
        self._registries.clear()
        self._impls.clear()

    def adapt(self, module: ModuleType, path: Path) -> UserModule | None:
        """Ask what a user's module offers; None when no plugin understands it.

        Raises
        ------
        PluginError
            When a plugin raises what is no ``SoopsError``, or answers what is no ``UserModule``.
        """
        from soops.kernel.values import UserModule

        given = {"module": module, "path": path}
        for impl in reversed(self.loaded.manager.hook.soops_adapt_module.get_hookimpls()):
            try:
                answer = impl.function(*(given[name] for name in impl.argnames))
            except SoopsError:
                raise
            except Exception as exc:  # a stranger's code: anything may come
                trouble = f"raised {type(exc).__name__}: {exc}"
            else:
                if answer is None:
                    continue
                if isinstance(answer, UserModule):
                    return answer
                trouble = f"answered {type(answer).__name__}, not UserModule"
            raise PluginError(
                f"plugin {impl.plugin_name!r} {trouble} in soops_adapt_module",
                source=Source(path=str(path)),
                hint=f"pass --disable-plugin {impl.plugin_name}",
            )
        return None

    def emit(self, event: str, **kwargs: Any) -> None:
        """Tell all plugins of an event; one that raises is named once and muted."""
        impls = self._impls.get(event)
        if impls is None:
            caller = getattr(self.loaded.manager.hook, event)
            impls = self._impls[event] = [
                impl
                for impl in reversed(caller.get_hookimpls())
                if (event, impl.plugin_name) not in self._muted
            ]
        for impl in impls:
            try:
                impl.function(*[kwargs[name] for name in impl.argnames])
            except Exception as exc:  # a stranger's code: the study goes on
                self._muted.add((event, impl.plugin_name))
                self._impls.pop(event, None)  # made anew without it
                log.warning(
                    "plugin %r raised %s in %s and is not told any more: %s",
                    impl.plugin_name,
                    type(exc).__name__,
                    event,
                    exc,
                )
