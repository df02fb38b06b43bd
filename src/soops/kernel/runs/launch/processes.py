"""The processes of a run: who they are, and how they are ended. Linux only, but importable."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time

from .system import features

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    #: Parent, group, session, CPU seconds, resident bytes.
    Entry = tuple[int, int, int, float, int]

#: Seconds after which a process that outlives SIGKILL is left alone (uninterruptible sleep).
KILL_LIMIT = 10.0

RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def adopt_orphans(adopt: bool = True) -> bool:
    """Make this process a child subreaper, or none; return whether the system let it."""
    return features()["tree"] and _prctl(_SET_CHILD_SUBREAPER, int(adopt))


def processes(zombies: bool = False) -> dict[int, Entry]:
    """Return every process by pid; those that ended and were not waited for only on request."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                text = file.read()
        except OSError:  # it ended meanwhile
            continue
        part = text[text.rindex(b")") + 2 :].split()
        if zombies or part[0] not in b"ZX":
            cpu = (int(part[11]) + int(part[12])) / _TICKS
            entry = (int(part[1]), int(part[2]), int(part[3]), cpu, int(part[21]) * _PAGE)
            found[int(name)] = entry
    return found


def descendants(root: int, everyone: dict[int, Entry] | None = None) -> dict[int, Entry]:
    """Return the part of :func:`processes` that descends from ``root``, without it."""
    everyone = processes() if everyone is None else everyone
    children: dict[int, list[int]] = {}
    for pid, entry in everyone.items():
        children.setdefault(entry[0], []).append(pid)
    found: dict[int, Entry] = {}
    level = children.get(root, [])
    while level:
        found.update((pid, everyone[pid]) for pid in level)
        level = [child for pid in level for child in children.get(pid, ())]
    return found


def children(root: int) -> set[int]:
    """Return the children of a process, also those that ended and were not waited for.

    For a process of one thread. Asked about the caller itself, the answer is exact: nobody
    else takes its children away.
    """
    try:
        with open(f"/proc/{root}/task/{root}/children", "rb", buffering=0) as file:
            return {int(pid) for pid in file.read().split()}
    except FileNotFoundError:  # a kernel without that file
        return {pid for pid, entry in processes(zombies=True).items() if entry[0] == root}


def send(how: Callable[[int, int], None], pid: int, number: int) -> None:
    """Send a signal with ``os.kill`` or ``os.killpg`` to what may have ended."""
    try:
        how(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # it ended, or became another user's


def kill_descendants(
    root: int,
    alive: Callable[[], bool],
    pause: Callable[[float], None],
    keep: Collection[int] = (),
) -> bool:
    """SIGKILL all descendants of ``root`` until ``alive()`` says that none is left.

    Those in ``keep``, which lead groups of their own, are spared. Groups are killed as groups:
    that is atomic, so that no chain of forks outruns it. Returns False when some outlived
    ``KILL_LIMIT``.
    """
    limit = time.monotonic() + KILL_LIMIT
    spared = {os.getpgid(root), *keep}
    rounds = 0
    while alive():
        if time.monotonic() > limit:
            return False
        left = descendants(root)
        for group in {entry[1] for entry in left.values()} - spared:
            send(os.killpg, group, signal.SIGKILL)
        for pid in left.keys() - spared:
            send(os.kill, pid, signal.SIGKILL)
        rounds += 1
        pause(min(0.05, 0.0002 * rounds))
    return True


class Safe:
    """Keeps a file open, and so its lock, until the guard too is gone.

    An open file that was sent over a socket and not yet received stays open while either
    process has the other end; neither has to do anything for it.
    """

    def __init__(self) -> None:
        import socket  # which a driver, that looks at processes only, can do without

        self._in, self._out = socket.socketpair()
        self._send, self._receive = socket.send_fds, socket.recv_fds

    def put(self, fd: int) -> None:
        """Keep what ``fd`` is; one at a time."""
        self._send(self._in, [b"x"], [fd])

    def take(self) -> None:
        """Let go of what is kept."""
        for fd in self._receive(self._out, 1, 1)[1]:
            os.close(fd)


def split_off_guard() -> Safe:
    """Return in a child, with what the two share; the parent stays behind as the guard."""
    guard = os.getpid()
    safe = Safe()
    inner = os.fork()
    if not inner:
        adopt_orphans()
        _prctl(_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != guard:
            os._exit(1)
        return safe
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Whoever ends the slot speaks to its inner half, and then to nobody.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # it says nothing, and keeps nobody waiting
        os.dup2(null, fd)
    os.waitpid(inner, 0)

    def alive() -> bool:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return False
        return True

    kill_descendants(guard, alive, time.sleep)
    os._exit(0)


def children_cpu() -> float:
    """Return the CPU seconds of all children collected so far, adopted ones included."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def own_peak() -> int:
    """Return the peak memory of this process in bytes, not counting that of its parents."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            text = file.read()
        return int(text.split(b"VmHWM:", 1)[1].split(None, 1)[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def _prctl(option: int, value: int) -> bool:
    import ctypes

    return not ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
