"""The builtin checks: a file exists, a function of the module says so, an exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soops.api import Check, RunRecord, StudyError

__all__ = ["exit_code", "file_exists", "function"]

_EXIT = "exit:"


def file_exists(finished: Any) -> Check | None:
    """Understand a file name, or a list of them: finished when all exist in the directory.

    An empty name is the directory itself.
    """
    names = [finished] if isinstance(finished, str) else finished
    if not isinstance(names, (list, tuple)) or not names:
        return None
    if not all(isinstance(name, str) and not name.startswith(_EXIT) for name in names):
        return None

    return _FilesExist(names)


class _FilesExist:
    """Is asked about thousands of directories, and so by their names alone."""

    def __init__(self, names: Sequence[str]) -> None:
        self._absolute = [name for name in names if os.path.isabs(name)]  # noqa: PTH117
        self._inner = [name for name in names if name not in self._absolute]

    def __call__(
        self, directory: Path, parameters: Mapping[str, Any], options: Any, record: RunRecord | None
    ) -> bool:
        return self.glance(str(directory))

    def glance(self, directory: str) -> bool:
        for name in self._inner:
            if not _exists(f"{directory}/{name}"):
                return False
        return all(map(_exists, self._absolute))


def _exists(path: str) -> bool:
    # Of thousands of directories: a Path for each file takes more time than the question.
    try:
        os.stat(path)  # noqa: PTH116
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise
    except ValueError:  # a null character
        return False
    return True


def function(finished: Any) -> Check | None:
    """Understand ``is_finished(pars, options)`` of the user's module."""
    if not callable(finished):
        return None

    def check(
        directory: Path, parameters: Mapping[str, Any], options: Any, record: RunRecord | None
    ) -> bool:
        return bool(finished(dict(parameters), options))

    return check


def exit_code(finished: Any) -> Check | None:
    """Understand ``"exit:0"`` or ``"exit:0,3"``: finished when it ended with one of these."""
    if not isinstance(finished, str) or not finished.startswith(_EXIT):
        return None
    try:
        codes = {int(code) for code in finished[len(_EXIT) :].split(",")}
    except ValueError:
        raise StudyError(
            f"finished = {finished!r} does not name exit codes", hint="write 'exit:0' or 'exit:0,3'"
        ) from None

    def check(
        directory: Path, parameters: Mapping[str, Any], options: Any, record: RunRecord | None
    ) -> bool:
        return record is not None and record.returncode in codes

    return check
