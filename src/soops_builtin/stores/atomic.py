"""A file is the old one or the new one, never a part: the writing of all stores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from soops.api import Scooped, Source, StudyError

__all__ = ["refuse_empty", "replacing"]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which takes its place at the end.

    The directory is made when it is missing; a link stays a link. When the body raises,
    the temporary file is removed and the old one is as it was.

    Raises
    ------
    StudyError
        When the system refuses: no space, no permission.
    """
    target = path.resolve() if path.is_symlink() else path
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(target)
    except OSError as exc:
        raise StudyError(
            f"the results cannot be written: {exc.strerror or exc}",
            source=Source(path=str(path)),
            hint="what was stored before is left as it was",
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def refuse_empty(scooped: Scooped, path: Path) -> None:
    """Raise when a table without rows would take the place of a file.

    Raises
    ------
    StudyError
        See above.
    """
    if not len(scooped.frame) and path.exists():
        raise StudyError(
            "an empty table would replace stored results", source=Source(path=str(path))
        )
