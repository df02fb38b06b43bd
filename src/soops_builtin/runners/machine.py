"""What this machine has: CPUs, memory, GPUs, within the limits of its control groups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpus", "free_memory", "gpus", "memory"]

ROOT = Path("/")
#: Names of files of control groups, of version 2 and of version 1.
_LIMIT = ("memory.max", "memory.limit_in_bytes")
_USED = ("memory.current", "memory.usage_in_bytes")
#: What a group could give back at once: files that were read and not written.
_CACHE = ("inactive_file", "total_inactive_file")


def cpus(root: Path = ROOT) -> float:
    """Return how many CPUs this process may use; a quota counts in whole ones."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    for group in _groups(root, "cpu"):
        words = (_text(group / "cpu.max") or "").split()
        if len(words) != 2:
            words = [
                (_text(group / f"cpu.cfs_{name}_us") or "").strip() for name in ("quota", "period")
            ]
        if all(word.isdecimal() for word in words) and int(words[1]):
            count = min(count, max(1, math.ceil(int(words[0]) / int(words[1]))))
    return float(count)


def memory(root: Path = ROOT) -> float | None:
    """Return the bytes of memory that there are; None when this system does not say."""
    total = _meminfo(root, "MemTotal")
    if total is None and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    limits = [limit for limit, _ in _limits(root)]
    return min([*limits, *([] if total is None else [total])], default=None)


def free_memory(root: Path = ROOT) -> float | None:
    """Return the bytes of memory that are free, or could be at once; None when nothing says it."""
    free = _meminfo(root, "MemAvailable")
    left = [limit - used for limit, used in _limits(root)]
    return min([*left, *([] if free is None else [free])], default=None)


def gpus(root: Path = ROOT) -> tuple[str, ...]:
    """Return the names of the GPUs that programs of this process see."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        try:
            count = sum(1 for _ in (root / "proc/driver/nvidia/gpus").iterdir())
        except OSError:
            count = 0
        return tuple(str(number) for number in range(count))
    names: list[str] = []
    for word in (part.strip() for part in given.split(",")):
        if word in ("", "-1", "NoDevFiles") or word in names:
            break  # as CUDA does
        names.append(word)
    return tuple(names)


def _limits(root: Path) -> Iterator[tuple[float, float]]:
    """Give limit and use of each control group that has a limit of memory, in bytes."""
    for group in _groups(root, "memory"):
        for limit_name, used_name, cache_name in zip(_LIMIT, _USED, _CACHE, strict=True):
            limit = (_text(group / limit_name) or "").strip()
            used = (_text(group / used_name) or "").strip()
            if limit.isdecimal() and used.isdecimal():
                cache = dict(
                    line.split(" ", 1) for line in (_text(group / "memory.stat") or "").splitlines()
                ).get(cache_name, "0")
                yield float(limit), float(int(used) - int(cache))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Give the directories of the control groups that this process is in, outwards."""
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / (controller if controllers else "")
        place = top / path.lstrip("/")
        while place != top and top in place.parents:
            yield place
            place = place.parent
        yield top


def _meminfo(root: Path, name: str) -> float | None:
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith(f"{name}:"):
            return float(line.split()[1]) * 1024
    return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
