"""Import files by their paths, and find classes in what was imported.

Part of the script library, under the name :mod:`soops.base`.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import ModuleType
    from typing import Any

__all__ = ["find_subclasses", "import_file", "is_derived_class"]


def import_file(
    filename: Any, package_name: str | None = None, can_reload: bool = True
) -> ModuleType:
    """Import a file as a module and return it.

    While the file is run, its directory is the first one that imports are looked for in.

    Parameters
    ----------
    filename : str or path
        A Python file, with or without ``.py``.
    package_name : str, optional
        The package that the file belongs to, or one above it: then it is imported as a
        member of this package. A file of an imported package needs no name.
    can_reload : bool
        Run the file again when it is imported already.

    Raises
    ------
    ModuleNotFoundError
        When there is no such file.
    """
    from pathlib import Path

    path = Path(filename).expanduser().absolute()
    if not path.is_file() and path.with_name(path.name + ".py").is_file():
        path = path.with_name(path.name + ".py")
    if not path.is_file():
        raise ModuleNotFoundError(
            f"No module named {path.stem!r}: there is no file {path}", name=path.stem
        )
    member = _member(path, package_name)
    if member is not None:
        return _import_member(*member, can_reload)
    return _import_alone(path, can_reload)


def _member(path: Path, package_name: str | None) -> tuple[str, str | None] | None:
    """Return the dotted name of a file in a package and the directory above the package."""
    from pathlib import Path

    parts = [] if path.stem == "__init__" else [path.stem]
    if package_name is None:
        home = Path(__file__).absolute().parent
        if not path.is_relative_to(home):
            return None
        return ".".join([home.name, *path.parent.relative_to(home).parts, *parts]), None
    wanted = package_name.split(".")
    for folder in path.parents:
        parts.insert(0, folder.name)
        if parts[: len(wanted)] == wanted:
            return ".".join(parts), str(folder.parent)
    return f"{package_name}.{path.stem}", None


def _import_member(name: str, above: str | None, can_reload: bool) -> ModuleType:
    import importlib

    known = name in sys.modules
    if above is not None:
        sys.path.insert(0, above)
    try:
        importlib.invalidate_caches()
        module = importlib.import_module(name)
        return importlib.reload(module) if known and can_reload else module
    finally:
        if above is not None and above in sys.path:
            sys.path.remove(above)


def _import_alone(path: Path, can_reload: bool) -> ModuleType:
    import importlib.util

    from soops.kernel.plugging.usermodule import module_name

    name = module_name(path)
    old = sys.modules.get(name)
    if old is not None and not can_reload:
        return old
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file", path=str(path))
    module = old or importlib.util.module_from_spec(spec)
    folder = str(path.parent)
    sys.modules[name] = module
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if old is None:
            del sys.modules[name]
        raise
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    return module


def is_derived_class(cls: Any, parent: type) -> bool:
    """Tell whether ``cls`` is a class derived from ``parent``, and not ``parent`` itself."""
    return isinstance(cls, type) and cls is not parent and issubclass(cls, parent)


def find_subclasses(
    context: Mapping[str, Any],
    classes: Iterable[type] | type,
    omit_unnamed: bool = False,
    name_attr: str = "name",
) -> dict[str, type]:
    """Return the classes in a namespace that are derived from given ones, by their names.

    Parameters
    ----------
    context : mapping
        A namespace, for example ``vars(module)``.
    classes : iterable of classes
        The parents, themselves not among the result.
    omit_unnamed : bool
        Leave out classes without a name.
    name_attr : str
        The attribute of a class that is its name; without one, it is the class's own.
    """
    parents = [classes] if isinstance(classes, type) else list(classes)
    found: dict[str, type] = {}
    for value in context.values():
        if any(is_derived_class(value, parent) for parent in parents):
            name = getattr(value, name_attr, None)
            if name or not omit_unnamed:
                found[name or value.__name__] = value
    return found
