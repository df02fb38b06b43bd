"""A seal at the end of a results file: damage is found before the HDF5 library meets it.

The library trusts what is inside a file, and may crash on bytes that are not what it wrote.
The seal is a digest of everything before it, in bytes after those that HDF5 says are its own.
Every reader of HDF5 passes over them; a program that changes the file cuts them off, and the
file is then one without a seal.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["is_broken", "put_seal"]

_MARK = b"\nsoops-seal: "
_DIGEST = 16
_LENGTH = len(_MARK) + 2 * _DIGEST + 1
_CHUNK = 1 << 20


def put_seal(path: Path) -> None:
    """Append a seal to a file that has none.

    Raises
    ------
    OSError
        When the system refuses.
    """
    digest = _digest_of(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(b"%b%b\n" % (_MARK, digest))


def is_broken(path: Path) -> bool:
    """Whether a file has a seal, and what is before it is not what was sealed.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    size = path.stat().st_size - _LENGTH
    if size < 0:
        return False
    with path.open("rb") as file:
        file.seek(size)
        seal = file.read()
    return seal.startswith(_MARK) and seal[len(_MARK) : -1] != _digest_of(path, size)


def _digest_of(path: Path, size: int) -> bytes:
    """Return the digest of the first bytes of a file, in hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=_DIGEST)
    with path.open("rb") as file:
        while size > 0 and (data := file.read(min(size, _CHUNK))):
            digest.update(data)
            size -= len(data)
    return digest.hexdigest().encode("ascii")
