"""Brings soops to dask workers that have none, and says which have another version.

Whatever crosses the scheduler is text and plain values: neither the scheduler nor a worker needs
soops to take it, and it does not depend on the version of Python as compiled functions do.
"""

from __future__ import annotations

import functools
import io
import platform
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import soops
import soops_builtin
from soops.api import Job

__all__ = ["NAME", "Parcel", "Versions", "courier", "enter", "plain"]

#: Under which workers know the plugin; the newest driver replaces it.
NAME = "soops-courier"

#: Packages of which a worker needs nothing.
_LEFT_OUT = {"cli", "commands", "examples", "table", "testing", "tests_installed"}
_PLUGIN = "(exec(source, globals()), make(package, version))[1]"
_ENTER = (
    "(exec('from distributed import get_worker', globals()), "
    f"lambda batch, **how: get_worker().plugins[{NAME!r}].enter(batch, **how))[1]"
)


class _Enter:
    """The function of all tasks, as a text."""

    __name__ = "soops-batch"

    def __reduce__(self) -> Any:
        return eval, (_ENTER, {})

    def __call__(self, batch: Any, **how: Any) -> Any:
        from distributed import get_worker

        plugin: Any = get_worker().plugins[NAME]
        return plugin.enter(batch, **how)


enter = _Enter()


class Parcel:
    """A list that dask does not look into for tasks, which would take longer than short runs."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __reduce__(self) -> Any:
        return list, (self._items,)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)


def plain(job: Job) -> dict[str, Any]:
    """Return the fields of a job, plain values, as what ``enter`` takes."""
    return {name: getattr(job, name) for name in Job.__slots__}


def courier(carries: bool) -> Any:
    """Return the plugin for workers; ``carries``: some of them may have no soops."""
    from distributed import WorkerPlugin

    source = Path(__file__).with_name("carried.py").read_text(encoding="utf-8")
    package = _package() if carries else b""
    given = {"source": source, "package": package, "version": soops.__version__}

    class Courier(WorkerPlugin):
        name = NAME

        def __reduce__(self) -> Any:
            return eval, (_PLUGIN, {**given, "__name__": "soops_carried"})

    return Courier()


@functools.cache
def _package() -> bytes:
    """Return what a worker needs of soops, as a zip file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, path in _files():
            file.write(path, name)
    return data.getvalue()


def _files() -> Iterator[tuple[str, Path]]:
    for package in (soops, soops_builtin):
        home = Path(str(package.__file__)).parent
        for path in sorted(home.rglob("*.py")):
            parts = path.relative_to(home.parent).parts
            if not _LEFT_OUT.intersection(parts[1:-1]):
                yield "/".join(parts), path


class Versions:
    """Says once of each host that it has another soops, or another Python, than the driver.

    Parameters
    ----------
    say : callable
        Shows a line to the person who watches.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._heard: set[tuple[str, str, str]] = set()

    def hear(self, host: str, version: str, python: str) -> None:
        """Compare what a worker said of itself."""
        minor = ".".join(python.split(".")[:2])
        ours = ".".join(platform.python_version_tuple()[:2])
        if (host, version, minor) in self._heard:
            return
        self._heard.add((host, version, minor))
        if version != soops.__version__:
            self._say(
                f"the dask workers on {host} have soops {version}, this is soops "
                f"{soops.__version__}: install the same version on both"
            )
        if minor != ours:
            self._say(f"the dask workers on {host} have Python {minor}, this is Python {ours}")
