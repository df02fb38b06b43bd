"""One study, one driver: the lock of a runs root, ``.soops/lock``.

The file is locked with ``flock``, which the system lets go of when the process dies, and it
names the holder, for people and for file systems on which ``flock`` does not reach other
machines. Where there is no ``flock`` at all, ``.soops/lock.file`` is created exclusively.
For ``soops.study`` through the ledger; anyone may ask :func:`read_holder`.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from soops.kernel.errors import LockedError
from soops.kernel.records import machine
from soops.kernel.records.disk import (
    CLOEXEC,
    DamagedFileError,
    DiskError,
    create_file,
    free_name,
    read_file,
    write_all,
)
from soops.kernel.values.frozen import dataclass

__all__ = ["STATE_DIR", "Holder", "Lock", "make_state_dir", "read_holder"]

log = logging.getLogger("soops")

#: The directory of soops' own files below a runs root.
STATE_DIR = ".soops"
#: Seconds that a lock is waited for whose holder is being written, or has just died.
PATIENCE = 1.0


def make_state_dir(root: str | os.PathLike[str]) -> str:
    """Make ``ROOT/.soops`` and what is above it; return its path.

    Raises
    ------
    DiskError
        Naming it.
    """
    path = os.path.join(root, STATE_DIR)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as exc:
        raise DiskError(path, exc, "made") from exc
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that holds a lock.

    Attributes
    ----------
    host, user : str
        For people.
    pid : int
        Process id.
    started : int or None
        When the process began, in clock ticks since the boot.
    boot, space : str
        The start of the machine and the name space in which ``pid`` means something.
    time : str
        ISO 8601, UTC: when the lock was taken.
    """

    host: str
    user: str
    pid: int
    started: int | None
    boot: str
    space: str
    time: str

    @classmethod
    def here(cls) -> Holder:
        """Return this process."""
        pid = os.getpid()
        return cls(
            host=machine.host_name(),
            user=machine.user_name(),
            pid=pid,
            started=machine.process_start(pid),
            boot=machine.boot_id(),
            space=machine.pid_space(),
            time=machine.iso_time(),
        )

    def is_alive(self) -> bool | None:
        """Return whether the process lives; None when it is on another machine."""
        if self.boot != machine.boot_id():
            return False if self.boot and self.host == machine.host_name() else None
        if self.space != machine.pid_space() or (
            not self.boot and self.host != machine.host_name()
        ):
            return None
        if self.started is None:
            return machine.process_exists(self.pid)
        return machine.process_start(self.pid) == self.started

    def __str__(self) -> str:
        return f"pid {self.pid} of {self.user} on {self.host} since {self.time}"


def read_holder(root: str | os.PathLike[str]) -> Holder | None:
    """Return who holds the lock of a runs root, or died with it; None when it is free."""
    return _parse(_content(os.path.join(root, STATE_DIR, "lock")))


class Lock:
    """The exclusive lock of a runs root; a context manager.

    Parameters
    ----------
    root : path
        The runs root; made with its ``.soops`` when it is not there.
    break_lock : bool
        Take the lock also from a driver on another machine, of which nothing is known.

    Notes
    -----
    A holder that died on this machine is replaced without asking. One that lives here is
    never replaced.
    """

    def __init__(self, root: str | os.PathLike[str], *, break_lock: bool = False) -> None:
        self.root = Path(root)
        self.break_lock = break_lock
        self._fd: int | None = None
        self._exclusive = False
        self._mine = b""

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock, or fail within about a second.

        Raises
        ------
        LockedError
            Saying who holds it, and since when.
        DiskError
            When the file cannot be written.
        """
        self._path = os.path.join(make_state_dir(os.path.abspath(self.root)), "lock")
        self._mine = _render(Holder.here())
        limit = time.monotonic() + PATIENCE
        pause = 0.001
        breakable = self.break_lock
        try:
            while not self._try():
                if time.monotonic() > limit:
                    if not breakable:
                        raise self._refused(_parse(_content(self._path)))
                    breakable = False
                    self._break()
                    limit = time.monotonic() + PATIENCE
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
        except OSError as exc:
            raise DiskError(self._path, exc) from exc

    def release(self) -> None:
        """Let go of the lock; nothing happens when it is not held."""
        fd, self._fd = self._fd, None
        if self._exclusive:
            self._exclusive = False
            _remove_if(f"{self._path}.file", self._mine)
            if _content(self._path) == self._mine:
                _truncate(self._path)
        if fd is not None:
            try:
                os.ftruncate(fd, 0)
            except OSError as exc:
                log.debug("%r cannot be emptied: %s", self._path, exc)
            _unlock(fd)

    def still_held(self) -> bool:
        """Return whether nobody has broken the lock since it was taken."""
        return _content(self._path) == self._mine

    def _try(self) -> bool:
        """Take the lock if it is free; False means that another look is worth while."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | CLOEXEC, 0o666)
        try:
            locked = _flock(fd)
            if locked is None:
                return self._try_exclusive()
            if not locked:
                return self._wait_or_break()
            if not _is_at(fd, self._path):
                return False  # renamed by one who broke it
            self._judge(_parse(_content(self._path)))
            _overwrite(self._path, self._mine)
            self._fd, fd = fd, -1
            return True
        finally:
            if fd >= 0:
                os.close(fd)

    def _wait_or_break(self) -> bool:
        """Decide about a lock that a process holds open."""
        holder = _parse(_content(self._path))
        alive = holder.is_alive() if holder is not None else False
        if alive or (alive is None and not self.break_lock):
            raise self._refused(holder)
        if alive is None:
            log.warning("breaking the lock of %s", holder)
            self._break()
        return False  # it is being written, or the children of a dead driver are ending

    def _break(self) -> None:
        try:
            os.rename(self._path, free_name(f"{self._path}.broken"))
        except FileNotFoundError:
            pass  # another one did

    def _judge(self, holder: Holder | None) -> None:
        """Refuse when a holder that nothing keeps from us may live all the same."""
        alive = holder.is_alive() if holder is not None else False
        if alive or (alive is None and not self.break_lock):
            raise self._refused(holder)
        if holder is not None:
            how = log.warning if alive is None else log.info
            how("taking over the lock of %s", holder)

    def _refused(self, holder: Holder | None) -> LockedError:
        if holder is None:
            return LockedError(
                f"another driver works on the study in {str(self.root)!r}",
                hint="wait for it; see soops-jobs",
            )
        hint = {
            True: "wait for it, or end it",
            False: "it has died, but something of it is left: end that, or pass --break-lock",
            None: "when you are sure that it is gone, pass --break-lock",
        }[holder.is_alive()]
        return LockedError(
            f"another driver works on the study in {str(self.root)!r}: {holder}", hint=hint
        )

    # --- where flock does not work --------------------------------------------------------

    def _try_exclusive(self) -> bool:
        path = f"{self._path}.file"
        if not _create_whole(path, self._mine):
            content = _content(path)
            holder = _parse(content)
            if holder is None and not self.break_lock:
                return False  # it is being written, or was left by a crash in that moment
            self._judge(holder)
            return self._take_over(path, content)
        try:
            self._judge(_parse(_content(self._path)))
            _overwrite(self._path, self._mine)
        except BaseException:
            _remove_if(path, self._mine)
            raise
        self._exclusive = True
        return True

    def _take_over(self, path: str, content: bytes) -> bool:
        """Remove the file of a dead holder; only one process at a time gets here."""
        guard = f"{self._path}.takeover"
        if self.break_lock:
            _remove_if(guard, _content(guard))
        if not _create_whole(guard, self._mine):
            return False
        try:
            _remove_if(path, content)
        finally:
            _remove_if(guard, self._mine)
        return False


# --- files -------------------------------------------------------------------------------


def _flock(fd: int) -> bool | None:
    """Lock a file: True; False when another has it; None where that does not work."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        return False if exc.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True


def _unlock(fd: int) -> None:
    import fcntl

    # Said in so many words, because a forked child may have the file open as well.
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _content(path: str) -> bytes:
    try:
        return read_file(path)
    except (OSError, DamagedFileError):
        return b""


def _overwrite(path: str, data: bytes) -> None:
    # A descriptor of its own, closed at once: network disks send data when a file is closed.
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | CLOEXEC)
    try:
        write_all(fd, data)
    except BaseException:
        os.ftruncate(fd, 0)
        raise
    finally:
        os.close(fd)


def _truncate(path: str) -> None:
    try:
        os.truncate(path, 0)
    except OSError as exc:
        log.debug("%r cannot be emptied: %s", path, exc)


def _create_whole(path: str, data: bytes) -> bool:
    """Create a file that has its content from its first moment; False when it is there."""
    new = f"{path}.{machine.host_name()}.{os.getpid()}.{time.monotonic_ns()}"
    create_file(new, data)
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    except OSError:  # no hard links here
        try:
            create_file(path, data)
        except FileExistsError:
            return False
    finally:
        os.unlink(new)
    return True


def _remove_if(path: str, content: bytes) -> None:
    if content and _content(path) == content:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def _render(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode("ascii") + b"\n"


def _parse(content: bytes) -> Holder | None:
    """Return the holder that a file names; None when it is empty or damaged."""
    try:
        given: Any = json.loads(content)
        holder = Holder(**{item.name: given[item.name] for item in fields(Holder)})
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    texts = (holder.host, holder.user, holder.boot, holder.space, holder.time)
    numbers = (holder.pid, holder.started or 0)
    good = all(isinstance(text, str) for text in texts) and all(
        isinstance(number, int) for number in numbers
    )
    return holder if good and 0 < holder.pid < 2**31 else None
