"""Processes of a run that nobody watches any more, and what a driver can do about them.

A slot ends its run when the driver goes, and the guard of a slot when the slot goes. This is
for the day on which both are killed at once. For the driver side; it imports nothing of soops
but the list of processes.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from soops.kernel.runs.launch.marks import MARK

if TYPE_CHECKING:
    from soops.kernel.runs.launch.processes import Entry

__all__ = ["adopt_if_wanted", "end_adopted", "end_marked", "marked_processes", "subreaper"]

#: Seconds that killed processes get to go.
PATIENCE = 10.0
#: Looks that find nothing before it is believed.
MISSES = 5

_wanted = _exclusive = False


@contextmanager
def subreaper() -> Iterator[None]:
    """Let the orphans of killed slots come to this process, from the first slot on.

    For a program that is a driver and nothing else (``soops-run``): within the block any child
    of this process in a session of its own that is not a slot counts as left by a run, and is
    ended when a slot dies. Never use it in a notebook or a library.
    """
    global _wanted, _exclusive
    before = _wanted
    _wanted = True
    try:
        yield
    finally:
        _wanted = before
        if _exclusive and not before:
            from soops.kernel.runs.launch import processes

            _exclusive = False
            processes.adopt_orphans(False)


def adopt_if_wanted() -> None:
    """Do what :func:`subreaper` asked for: a slot is about to be started."""
    global _exclusive
    if _wanted and not _exclusive:
        from soops.kernel.runs.launch import processes

        _exclusive = processes.adopt_orphans()


def end_adopted(slots: Collection[int]) -> int:
    """Kill and collect what came to this process from a slot that was killed.

    Parameters
    ----------
    slots : collection of int
        Process ids of the slots that live; they are spared.

    Returns
    -------
    int
        How many processes there were; 0 outside of :func:`subreaper`. Children that
        this process started itself, in its own session, are neither touched nor waited for.
    """
    if not _exclusive:
        return 0
    from soops.kernel.runs.launch.processes import descendants, processes

    me, session, spared = os.getpid(), os.getsid(0), set(slots)

    def adopted(everyone: dict[int, Entry]) -> list[int]:
        return [
            pid
            for pid, entry in everyone.items()
            if entry[0] == me and entry[2] != session and not {pid, entry[2]} & spared
        ]

    def find() -> list[int]:
        everyone = processes()
        roots = adopted(everyone)
        return roots + [pid for root in roots for pid in descendants(root, everyone)]

    ended = _kill(find)
    for pid in adopted(processes(zombies=True)):
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass  # somebody else collected it
    return ended


def marked_processes(root: Path | str) -> dict[int, tuple[str, int]]:
    """Find processes of runs at or below a directory by the mark in their environment.

    Parameters
    ----------
    root : path
        Absolute: a runs root, or the directory of one run.

    Returns
    -------
    dict
        Process id to run directory and attempt. Empty where there is no ``/proc``; processes
        of other users, and those that cleared their environment, are not found.
    """
    prefix = os.fsencode(root)
    mark = f"\0{MARK}=".encode()
    found: dict[int, tuple[str, int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return found
    for name in names:
        if not name.isdigit():
            continue
        try:
            text = b"\0" + Path("/proc", name, "environ").read_bytes()
        except OSError:  # it ended, or is another user's
            continue
        _, there, rest = text.partition(mark)
        directory, _, attempt = rest.partition(b"\0")[0].rpartition(b"#")
        if there and attempt.isdigit() and _is_below(directory, prefix):
            found[int(name)] = (os.fsdecode(directory), int(attempt))
    return found


def end_marked(root: Path | str) -> int:
    """Kill the processes that :func:`marked_processes` finds; return how many there were."""
    return _kill(lambda: [*(marked_processes(root).keys() - {os.getpid()})])


def _kill(find: Callable[[], list[int]]) -> int:
    """Kill what ``find`` finds, and its groups, until it has found nothing several times.

    A chain of forks can hide from one look. Nobody outside a run is in a group of it.
    """
    ended: set[int] = set()
    limit = time.monotonic() + PATIENCE
    own = os.getpgid(0)
    misses = 0
    while misses < MISSES and time.monotonic() < limit:
        found = find()
        misses = 0 if found else misses + 1
        for pid in found:
            ended.add(pid)
            try:
                group = os.getpgid(pid)
                if group != own:
                    os.killpg(group, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(0.001)
    return len(ended)


def _is_below(directory: bytes, root: bytes) -> bool:
    return directory == root or directory.startswith(root.rstrip(b"/") + b"/")
