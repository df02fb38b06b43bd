"""Find the run directories below what a person named, and their names in the table.

Imported by the modules of ``table`` only. Nothing is read here but directory listings.
"""

from __future__ import annotations

import fnmatch
import functools
import glob
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from soops.kernel.errors import StudyError, near_misses
from soops.kernel.values import ScoopInfo

__all__ = [
    "abbreviate",
    "expand_home",
    "find_roots",
    "find_run_directories",
    "natural_key",
    "real_path",
]

log = logging.getLogger("soops")

#: Files that soops itself leaves in a run directory.
MARKS = frozenset({"soops-run.json", "soops-parameters.csv"})
#: Directories that never hold runs: the files of the runs root itself.
SKIPPED = frozenset({".soops"})

_NUMBER = re.compile(r"(\D*)(\d+)")


def find_run_directories(
    directories: Iterable[str | os.PathLike[str]], info: ScoopInfo
) -> list[str]:
    """Return the run directories below the given ones, each once, in natural order.

    A directory counts when it holds the first item of ``info``, or a file that soops
    leaves in the directory of a run: a run that wrote nothing is not left out.

    Parameters
    ----------
    directories : iterable of str or path
        Paths or glob patterns; plain files are passed over, as a shell pattern meets them.
    info : ScoopInfo
        What is to be read.

    Returns
    -------
    list of str
        Absolute paths, in the order of the arguments; below each, ``999-...`` comes
        before ``1000-...``.

    Raises
    ------
    StudyError
        When an argument does not exist or a pattern matches nothing.
    """
    holds_first = _first_item_test(info)
    found: dict[str, str] = {}
    for root in find_roots(directories):
        real_root = os.path.realpath(root)
        for directory in _walk(root, holds_first):
            found.setdefault(real_root + directory[len(root) :], directory)
    return list(found.values())


def natural_key(name: str) -> tuple[str, int, str]:
    """Return a sort key of a file name that counts its first number as one."""
    match = _NUMBER.match(name)
    if match is None:
        return (name, -1, name)
    # A run of ten thousand digits is a name, not a number (int() would refuse it).
    digits = match[2]
    return (match[1], int(digits) if len(digits) < 20 else -1, name)


def abbreviate(path: str) -> str:
    """Return an absolute path with the home directory written ``~`` where it leads."""
    home = _home(os.environ.get("HOME"))
    if home and (path == home or path.startswith(home + os.sep)):
        return "~" + path[len(home) :]
    return path


def expand_home(path: str) -> str:
    """Return the path that :func:`abbreviate` was given."""
    if path == "~" or path.startswith("~" + os.sep):
        return _home(os.environ.get("HOME")) + path[1:]
    return path


@functools.cache
def _home(_: str | None) -> str:
    """Return the home directory, an empty string when it is the root or unknown."""
    home = os.path.expanduser("~").rstrip(os.sep)
    return home if os.path.isabs(home) else ""


def real_path(path: str, parents: dict[str, str]) -> str:
    """Return a path with the links in its parent resolved; ``parents`` remembers those."""
    parent, slash, name = path.rpartition(os.sep)
    parent += slash
    real = parents.get(parent)
    if real is None:
        real = parents[parent] = os.path.join(os.path.realpath(parent), "")
    return real + name


def find_roots(directories: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the directories that paths and patterns stand for, absolute.

    Raises
    ------
    StudyError
        When a path does not exist or a pattern matches nothing.
    """
    roots = []
    for given in directories:
        text = os.path.expanduser(os.fspath(given))
        if os.path.isdir(text):
            roots.append(os.path.abspath(text))
        elif not os.path.exists(text):
            roots += _matches(text)
    return roots


def _matches(text: str) -> list[str]:
    if glob.has_magic(text):
        matches = glob.glob(text)
        if matches:
            return sorted(
                (os.path.abspath(path) for path in matches if os.path.isdir(path)),
                key=lambda path: [natural_key(part) for part in path.split(os.sep)],
            )
        raise StudyError(f"no directory matches {text!r}")
    parent = os.path.dirname(os.path.abspath(text))
    siblings: list[str] = []
    if os.path.isdir(parent):
        siblings = [entry.name for entry in os.scandir(parent) if entry.is_dir()]
    raise StudyError(
        f"the directory {text!r} does not exist",
        hint=near_misses(os.path.basename(text.rstrip(os.sep)), siblings) or None,
    )


def _walk(root: str, holds_first: Callable[[str, Sequence[str]], bool]) -> Iterator[str]:
    """Yield the run directories below ``root``, itself included; links are not followed."""
    stack = [root]
    while stack:
        directory = stack.pop()
        names, folders = [], []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    names.append(entry.name)
                    if entry.is_dir(follow_symlinks=False) and entry.name not in SKIPPED:
                        folders.append(entry.name)
        except OSError as exc:
            log.warning("the directory %r cannot be read: %s", directory, exc.strerror)
            continue
        if not MARKS.isdisjoint(names) or holds_first(directory, names):
            yield directory
        if folders:
            folders.sort(key=natural_key, reverse=True)
            stack.extend([os.path.join(directory, name) for name in folders])


def _first_item_test(info: ScoopInfo) -> Callable[[str, Sequence[str]], bool]:
    if not info.items:
        return lambda directory, names: False
    pattern = info.items[0].pattern
    magic = glob.has_magic(pattern)
    if os.path.dirname(pattern):
        if not magic:
            return lambda directory, names: os.path.exists(os.path.join(directory, pattern))
        return lambda directory, names: bool(glob.glob(pattern, root_dir=directory))
    if not magic:
        return lambda directory, names: pattern in names
    visible = pattern.startswith(".")

    def matches(directory: str, names: Sequence[str]) -> bool:
        return pattern in names or any(
            visible or not name.startswith(".") for name in fnmatch.filter(names, pattern)
        )

    return matches
