"""Stamps: names, sizes and times of the files that an item stands for.

Imported by the modules of ``table``. Items with equal stamps are not read again.
"""

from __future__ import annotations

import glob
import math
import os

from soops.kernel.values import ScoopInfo, ScoopItem

__all__ = ["RECORD", "find_item", "look_at", "stamps_now"]

#: The file whose columns are those of soops itself.
RECORD = "soops-run.json"


def find_item(directory: str, item: ScoopItem) -> tuple[tuple[str, ...], tuple[float, ...], str]:
    """Return the files that an item stands for, their mtimes, and the stamp of the item.

    A file of just this name comes before the reading of the name as a pattern. When there
    is none, it is one file without a time.
    """
    path = os.path.join(directory, item.pattern)
    mtime, stamp = look_at(path)
    if mtime != mtime and glob.has_magic(item.pattern):
        names = sorted(glob.glob(item.pattern, root_dir=directory))
        if names:
            paths = tuple(os.path.join(directory, name) for name in names)
            mtimes, stamps = zip(*map(look_at, paths), strict=True)
            each = "; ".join(map(" ".join, zip(names, stamps, strict=True)))
            return paths, mtimes, f"{item.digest} {each}"
    return (path,), (mtime,), f"{item.digest} {stamp}"


def look_at(path: str) -> tuple[float, str]:
    """Return the mtime of a file in seconds, NaN when there is none, and its stamp."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return math.nan, "-"
    return status.st_mtime, f"{status.st_size}:{status.st_mtime_ns}"


def stamps_now(directory: str, info: ScoopInfo) -> list[str]:
    """Return the stamps of the items of a directory, and of its record, as they are now.

    Those of items begin with their digests.
    """
    stamps = [find_item(directory, item)[2] for item in info.items]
    mtime, stamp = look_at(os.path.join(directory, RECORD))
    return stamps if math.isnan(mtime) else [*stamps, stamp]
