"""The builtin checks: a file exists, a function of the module says so, an exit code."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soops.api import Check, RunRecord, StudyError

__all__ = ["exit_code", "file_exists", "function", "text_in_file"]

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


def text_in_file(finished: Any) -> Check | None:
    """Understand ``{"file": name, "regex": pattern}``, or a list of these and of file names.

    Finished when each file is there and each pattern is found in its file.
    """
    parts = finished if isinstance(finished, (list, tuple)) else [finished]
    texts = [part for part in parts if isinstance(part, Mapping)]
    names = [part for part in parts if isinstance(part, str)]
    if not texts or len(texts) + len(names) < len(parts):
        return None
    patterns = [(str(part["file"]), _compiled(part)) for part in texts]
    exist = _FilesExist(names)

    def check(
        directory: Path, parameters: Mapping[str, Any], options: Any, record: RunRecord | None
    ) -> bool:
        return exist.glance(str(directory)) and all(
            _is_in(directory / name, pattern) for name, pattern in patterns
        )

    return check


def _compiled(part: Mapping[str, Any]) -> re.Pattern[bytes]:
    try:
        return re.compile(str(part["regex"]).encode("utf-8"), re.MULTILINE)
    except (KeyError, re.error) as exc:
        raise StudyError(
            f"finished = {dict(part)!r} is no check of a text: {exc}",
            hint='write { file = "log.txt", regex = "^done" }',
        ) from None


def _is_in(path: Path, pattern: re.Pattern[bytes]) -> bool:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    return pattern.search(data) is not None


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
