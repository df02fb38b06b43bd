"""System calls on the files of soops, with errors that name the file and say what to do.

For the modules of this room. Everything goes through ``os.open`` and ``os.write``: these
calls are made for every run, and each has to be counted, failed and killed in tests.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator

from soops.kernel.errors import StudyError

__all__ = [
    "CLOEXEC",
    "NOFOLLOW",
    "NONBLOCK",
    "DamagedFileError",
    "DiskError",
    "create_file",
    "flush_directories",
    "free_name",
    "put_file",
    "read_file",
    "read_pieces",
    "replace_file",
    "write_all",
]

#: No file of ours is larger; a larger one is not read.
MAX_BYTES = 256 * 1024 * 1024
#: Not everywhere: a child does not inherit the descriptor; a pipe is not waited for.
CLOEXEC: int = getattr(os, "O_CLOEXEC", 0)
NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)
NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)

_GO_ON = "then start the same command again: it goes on where it stopped"
_HINTS = {
    errno.ENOSPC: f"the disk is full: make room, {_GO_ON}",
    errno.EDQUOT: f"the quota of the disk is used up: make room, {_GO_ON}",
    errno.EROFS: "the disk is read-only: choose another output directory",
    errno.EACCES: "permission is missing: see the owner and mode of the directory",
    errno.EPERM: "permission is missing: see the owner and mode of the directory",
    errno.EIO: f"the disk reports an error: look after it, {_GO_ON}",
    errno.ENOENT: "it or its directory was removed while it was needed",
    errno.ENOTDIR: "something that is not a directory is in the way: move it",
    errno.EEXIST: "something is in the way: move it",
    errno.EISDIR: "a directory is in the way: move it",
    errno.ENAMETOOLONG: "choose a shorter output directory",
    errno.EMFILE: "this process has too many open files: see ulimit -n",
    errno.ENFILE: "the machine has too many open files",
    errno.ELOOP: "a symbolic link leads to itself, or is not allowed here: remove it",
}
#: What is wrong with one directory only; anything else is likely to be met everywhere.
_LOCAL = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP})


class DiskError(StudyError):
    """A file could not be written, read, made or renamed.

    Attributes
    ----------
    path : str
        The file.
    errno : int or None
        What the system said.
    """

    def __init__(self, path: str, exc: OSError, doing: str = "written") -> None:
        self.path = path
        self.errno = exc.errno
        reason = exc.strerror or type(exc).__name__
        super().__init__(
            f"{path!r} cannot be {doing}: {reason}", hint=_HINTS.get(exc.errno or 0, _GO_ON)
        )

    @property
    def concerns_one_run(self) -> bool:
        """Whether the trouble is in this place only, and other runs may well go on."""
        return self.errno in _LOCAL


class DamagedFileError(StudyError):
    """A file of soops is there but does not hold what it should.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        What is wrong with it, in a few words.
    """

    def __init__(self, path: str, reason: str, hint: str | None = None) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path!r} is damaged: {reason}", hint=hint)


def write_all(fd: int, data: bytes) -> None:
    """Write all bytes at the position of ``fd``; the system may take them in pieces."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def create_file(path: str, data: bytes, mode: int = 0o666, *, durable: bool = False) -> None:
    """Write a file that does not exist yet; what could not be written whole is removed.

    Raises
    ------
    OSError
        As the system says it, ``FileExistsError`` included.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | CLOEXEC
    fd = os.open(path, flags, mode)
    try:
        write_all(fd, data)
        if durable:
            os.fsync(fd)
    except BaseException:
        os.close(fd)
        _discard(path)
        raise
    try:
        os.close(fd)
    except OSError:  # quota on a network disk may be told as late as this
        _discard(path)
        raise


def replace_file(path: str, data: bytes, mode: int = 0o666, *, durable: bool = False) -> None:
    """Put a file in the place of another one, or of none: readers see the old or the new.

    Raises
    ------
    OSError
        As the system says it; then the old file is as it was.
    """
    temporary = f"{path}.tmp"
    _discard(temporary)
    create_file(temporary, data, mode, durable=durable)
    try:
        os.replace(temporary, path)
    except BaseException:
        _discard(temporary)
        raise


def put_file(path: str, data: bytes, mode: int = 0o666) -> None:
    """Make sure that a file holds ``data``; nothing is written when it does already.

    A new file costs one ``open`` and one ``write``; replacing a different one is slow.

    Raises
    ------
    OSError
        As the system says it.
    """
    try:
        create_file(path, data, mode)
    except FileExistsError:
        try:
            same = read_file(path, len(data) + 1) == data
        except (OSError, DamagedFileError):
            same = False
        if not same:
            replace_file(path, data, mode)


def _open_plain(path: str) -> tuple[int, os.stat_result]:
    """Open a plain file for reading, and nothing else."""
    fd = os.open(path, os.O_RDONLY | CLOEXEC | NONBLOCK)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise DamagedFileError(path, "it is not a plain file")
    return fd, status


def read_pieces(path: str, size: int) -> Iterator[bytes]:
    """Yield the content of a plain file in pieces, whatever its size; see :func:`read_file`."""
    fd, _ = _open_plain(path)
    try:
        while data := os.read(fd, size):
            yield data
    finally:
        os.close(fd)


def read_file(path: str, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a plain file, at most ``limit`` bytes of it.

    A pipe, device or directory under that name is never waited for.

    Raises
    ------
    OSError
        As the system says it, ``FileNotFoundError`` included.
    DamagedFileError
        When it is no plain file, or larger than any file of ours.
    """
    fd, status = _open_plain(path)
    try:
        if status.st_size > MAX_BYTES:
            raise DamagedFileError(path, f"it has {status.st_size} bytes")
        wanted = min(limit, status.st_size + 1)
        data = os.read(fd, wanted)
        # Fewer than were there: that was the end; else it grows while it is read.
        while wanted <= len(data) < limit and (more := os.read(fd, limit - len(data))):
            data += more
        return data
    finally:
        os.close(fd)


def free_name(path: str) -> str:
    """Return ``path``, or the first of ``path.1``, ``path.2``, ... that does not exist."""
    name, count = path, 0
    while os.path.lexists(name):
        count += 1
        name = f"{path}.{count}"
    return name


def flush_directories(paths: Iterable[str]) -> None:
    """Make the names in directories survive the loss of power.

    Raises
    ------
    OSError
        As the system says it; a system that cannot do it for directories is not an error.
    """
    for path in paths:
        fd = os.open(path, os.O_RDONLY | CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as exc:
            if exc.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise
        finally:
            os.close(fd)


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it is not there, or cannot be removed: the caller's error says more
