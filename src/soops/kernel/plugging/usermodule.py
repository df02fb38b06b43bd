"""Import a user's script by its path, once, under a name that hides nothing."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
import zlib
from pathlib import Path
from types import ModuleType

from soops.kernel.errors import StudyError, near_misses
from soops.kernel.values import Source

__all__ = ["import_script", "module_name"]

#: Where a module keeps what its file was like when it was imported.
_STAMP = "__soops_stamp__"


def module_name(path: Path) -> str:
    """Return the name that a script gets in ``sys.modules``.

    It is its stem unless that is no identifier or would hide another module
    (``calendar.py``, ``numpy.py``): then it is a name of ours, stable for the path.
    """
    stem = path.stem
    if stem.isidentifier() and not _exists_elsewhere(stem, path):
        return stem
    mark = zlib.crc32(str(path.resolve()).encode("utf-8", "surrogateescape"))
    return f"soops_script_{re.sub(r'[^0-9A-Za-z_]', '_', stem)}_{mark:08x}"


def import_script(path: Path) -> ModuleType:
    """Import a script; its directory joins the end of ``sys.path``.

    Its body runs once, and again only when the file has changed since: in a notebook one
    edits the script and calls again.

    Raises
    ------
    StudyError
        When there is no such file, or its body raises.
    """
    path = _find(path)
    name = module_name(path)
    old = sys.modules.get(name)
    stamp = _stamp(path)
    same = old is not None and _same(getattr(old, "__file__", None), path)
    if old is not None and same and vars(old).get(_STAMP, stamp) == stamp:
        return old
    for folder in (str(path.resolve().parent), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise StudyError(
            f"{str(path)!r} is not a Python script",
            hint="give a .py file, or a study file with a [study] table (.toml)",
        )
    module = importlib.util.module_from_spec(spec)
    vars(module)[_STAMP] = stamp
    sys.modules[name] = module
    # A dry run leaves nothing behind, so no __pycache__ beside the script either.
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except BaseException as exc:
        sys.modules.pop(name, None)
        if isinstance(exc, KeyboardInterrupt):
            raise
        raise _import_error(path, exc) from exc
    finally:
        sys.dont_write_bytecode = writes
    return module


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.suffix and path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    parent = path.parent if path.parent.is_dir() else None
    names = [item.name for item in parent.iterdir() if item.is_file()] if parent else []
    what = "is a directory" if path.is_dir() else "does not exist"
    raise StudyError(
        f"the module {str(path)!r} {what}",
        hint=near_misses(path.name, names) or "give the path of a .py file",
    )


def _exists_elsewhere(stem: str, path: Path) -> bool:
    known = sys.modules.get(stem)
    if known is not None:
        return not _same(getattr(known, "__file__", None), path)
    try:
        spec = importlib.util.find_spec(stem)
    except (ImportError, ValueError):
        return True
    return spec is not None and not _same(spec.origin, path)


def _same(file: str | None, path: Path) -> bool:
    return file is not None and Path(file).resolve() == path.resolve()


def _import_error(path: Path, exc: BaseException) -> StudyError:
    if isinstance(exc, SyntaxError) and exc.filename:
        source = Source(path=exc.filename, line=exc.lineno, column=exc.offset)
        return StudyError(f"the module has a syntax error: {exc.msg}", source=source)
    frames = [
        frame for frame in traceback.extract_tb(exc.__traceback__) if _same(frame.filename, path)
    ]
    line = frames[-1].lineno if frames else None
    hint = None
    if isinstance(exc, SystemExit):
        hint = "protect the main part of the script with: if __name__ == '__main__'"
    elif isinstance(exc, ModuleNotFoundError):
        hint = f"install {exc.name!r} for {sys.executable}, or mend the import"
    return StudyError(
        f"the module could not be imported: {type(exc).__name__}: {exc}",
        source=Source(path=str(path), line=line),
        hint=hint,
    )
