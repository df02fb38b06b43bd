"""Which process this is, on which machine, and what the time is: for lock, journal, record.

For the modules of this room. Where the system does not tell (macOS, Windows), answers are
empty and comparisons with them say nothing.
"""

from __future__ import annotations

import functools
import os
import time

__all__ = [
    "boot_id",
    "host_name",
    "iso_time",
    "pid_space",
    "process_exists",
    "process_start",
    "user_name",
]


def iso_time(seconds: float | None = None) -> str:
    """Return seconds since the epoch, or now, as ISO 8601 text in UTC with milliseconds."""
    whole, milli = divmod(round((time.time() if seconds is None else seconds) * 1000), 1000)
    return f"{_iso_second(whole)}.{milli:03d}+00:00"


@functools.lru_cache(maxsize=8)
def _iso_second(seconds: int) -> str:
    # Many runs begin and end in one second; this is asked for three times for each.
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


@functools.cache
def host_name() -> str:
    """Return the name of this machine."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket

    return socket.gethostname()


@functools.cache
def boot_id() -> str:
    """Return what tells this start of the machine from all others; empty when unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


@functools.cache
def pid_space() -> str:
    """Return the name space in which process ids mean something; containers have their own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def user_name() -> str:
    """Return who runs this process."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return os.environ.get("USER") or os.environ.get("USERNAME") or "unknown"


def process_start(pid: int) -> int | None:
    """Return when a process of this machine was started, in clock ticks since the boot.

    None when it is not there, has ended and waits to be collected, or cannot be looked at.
    Two processes that had the same id differ in it.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return None
    return int(fields[19])


def process_exists(pid: int) -> bool:
    """Return whether there is a process of this id, whoever's it is."""
    if os.path.exists("/proc/self/stat"):
        return process_start(pid) is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True
