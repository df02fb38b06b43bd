"""Names of run directories, and what is written into one before its run begins.

:class:`RunTemplate` says how names and numbers relate; :class:`RunDirWriter` makes a
directory with its ``soops-parameters.csv`` and ``run.py``, about 100 microseconds for a new
one. For the preparation, the plan, the ledger and whoever reads directories.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.records.disk import DiskError, create_file, put_file
from soops.kernel.records.parameters_csv import (
    PARAMETERS_NAME,
    ParametersRow,
    header_line,
    mark_finished,
    parameters_line,
    read_parameters_csv,
    write_parameters_csv,
)
from soops.kernel.values import Source

__all__ = [
    "PARAMETERS_NAME",
    "SCRIPT_NAME",
    "ParametersRow",
    "RunDirWriter",
    "RunTemplate",
    "mark_finished",
    "read_parameters_csv",
    "remove_unbegun",
    "write_parameters_csv",
    "write_run_script",
]

SCRIPT_NAME = "run.py"
#: Bytes of a path, and of a name in it, that systems take at most.
MAX_PATH, MAX_NAME = 4000, 255

_NAME = re.compile(r"(0[0-9]{2}|[1-9][0-9]{2,17})-([0-9a-f]{32})").fullmatch

# --- names -------------------------------------------------------------------------------


class RunTemplate:
    """The output template of a study: ``output/%s``, ``out/run-%s``, ``out/%s/sub``.

    ``%s`` stands for ``NUMBER-KEY``; ``%%`` for a percent sign, and so does a ``%`` before
    anything else.

    Parameters
    ----------
    text : str
        The template, as the study gives it.
    source : Source, optional
        For error messages.

    Attributes
    ----------
    text : str
        The template as given.
    root : Path
        The runs root: the directory part before ``%s``.

    Raises
    ------
    StudyError
        When the template does not have exactly one ``%s``, leads out of its root, or cannot
        be the name of a file, in this locale or anywhere.
    """

    def __init__(self, text: str, source: Source | None = None) -> None:
        self.text = text
        parts = _split(text)
        if len(parts) != 2:
            raise StudyError(
                f"the output directory {text!r} has {len(parts) - 1} places for the name of a run",
                source=source,
                hint="write %s once, where the number and key of the run go: output/%s",
            )
        if "\0" in text:
            raise StudyError(f"the output directory {text!r} holds a zero byte", source=source)
        try:
            os.fsencode(text)
        except UnicodeEncodeError:
            raise StudyError(
                f"the output directory {text!r} has letters that this locale lacks",
                source=source,
                hint="choose a UTF-8 locale: LC_ALL=C.UTF-8",
            ) from None
        self._before, self._after = parts
        path = os.fsencode(self.directory(0, "0" * 32))
        if len(path) > MAX_PATH or max(map(len, path.split(b"/"))) > MAX_NAME:
            raise StudyError(
                f"the output directory {text[:60]!r}... is longer than the name of a file may be",
                source=source,
            )
        if {".", ".."} & set(self._after.split("/")[1:]):
            raise StudyError(
                f"the output directory {text!r} leads out of the directory of the run",
                source=source,
                hint="leave out . and .. after %s",
            )
        folder, self._prefix = os.path.split(self._before)
        self.root = Path(folder)
        tail, _, inner = self._after.partition("/")
        self._tail = tail
        self._inner = os.path.normpath(inner) if inner.strip("/") else ""
        self._suffix = f"{tail}/{self._inner}" if self._inner else tail

    def directory(self, number: int, pkey: str) -> str:
        """Return the path of a run directory, as the template is: relative or absolute."""
        return f"{self._before}{number:03d}-{pkey}{self._after}"

    def name(self, number: int, pkey: str) -> str:
        """Return the same below the root, as :meth:`parse` takes it."""
        return f"{self._prefix}{number:03d}-{pkey}{self._suffix}"

    def path_of(self, name: str, number: int, pkey: str) -> str | None:
        """Return :meth:`directory` of a run in the directory ``name``; None for other names."""
        stem = f"{number:03d}-{pkey}"
        if name == self._prefix + stem + self._suffix:
            return self._before + stem + self._after
        return None

    def parse(self, name: str) -> tuple[int, str] | None:
        """Return the number and key in a name below the root; None when it is no such name.

        Parameters
        ----------
        name : str
            Relative to the root, like ``000-<md5>`` or, for ``%s/sub``, ``000-<md5>/sub``.
        """
        if not name.startswith(self._prefix) or not name.endswith(self._suffix):
            return None
        end = len(name) - len(self._suffix)
        match = _NAME(name[len(self._prefix) : end]) if end >= len(self._prefix) else None
        return (int(match[1]), match[2]) if match is not None else None

    def relative(self, entry: str) -> str:
        """Return the run directory, relative to the root, that an entry of the root leads to.

        Any entry gives one, also one that has another name than the template makes.
        """
        return f"{entry}/{self._inner}" if self._inner else entry


def _split(text: str) -> list[str]:
    """Return the texts around each ``%s``, with ``%%`` made ``%``."""
    parts = [""]
    position = 0
    while position < len(text):
        pair = text[position : position + 2]
        if pair == "%s":
            parts.append("")
        else:
            parts[-1] += "%" if pair == "%%" else text[position]
        position += 2 if pair in ("%s", "%%") else 1
    return parts


# --- run.py ------------------------------------------------------------------------------

_SCRIPT_HEAD = """\
#!/usr/bin/env python3
\"\"\"Run the command of this directory once more, as soops did; exit with its code.\"\"\"
import os
import subprocess
import sys

cwd = {cwd}
env = {env}
shell = {shell}
cmd = """

_SCRIPT_TAIL = b"""

if not os.path.isdir(cwd):
    sys.exit("run.py: the directory %r of the study is not there" % cwd)
result = subprocess.run(cmd, shell=shell, cwd=cwd, env={**os.environ, **env})
code = result.returncode
sys.exit(code if code >= 0 else 128 - code)
"""


def write_run_script(
    directory: str,
    command: str | tuple[str, ...],
    cwd: str,
    env: Mapping[str, str],
    shell: bool,
) -> None:
    """Write ``run.py``: it runs the command from whatever directory it is called in.

    Parameters
    ----------
    directory : str
        It exists.
    command : str or tuple of str
        Shell text, or an argument list.
    cwd : str
        Absolute path of the directory in which the command is run.
    env : mapping
        Additions to the environment.
    shell : bool
        Whether the command is shell text.

    Raises
    ------
    DiskError
        Naming the file.
    """
    path = f"{directory}/{SCRIPT_NAME}"
    try:
        put_file(path, _script_head(cwd, env, shell) + _script_body(command), 0o755)
    except OSError as exc:
        raise DiskError(path, exc) from exc


def _script_head(cwd: str | None, env: Mapping[str, str], shell: bool) -> bytes:
    own = "os.path.dirname(os.path.abspath(__file__))"
    text = _SCRIPT_HEAD.format(
        cwd=own if cwd is None else ascii(cwd), env=ascii(dict(env)), shell=bool(shell)
    )
    return text.encode("ascii")


def _script_body(command: str | tuple[str, ...]) -> bytes:
    literal = _literal(command) if isinstance(command, str) else repr(list(command))
    try:
        return literal.encode("utf-8") + _SCRIPT_TAIL
    except UnicodeEncodeError:  # bytes of a path that are no text
        return ascii(command).encode("ascii") + _SCRIPT_TAIL


def _literal(text: str) -> str:
    """Return Python source of a text, in which a person finds the text as it is."""
    source = repr(text)
    if text in source:
        return source
    for quotes in ("'''", '"""'):
        plain = quotes not in text and text[-1:] not in (quotes[0], "\\", "")
        if plain and all(char.isprintable() or char in "\n\t" for char in text):
            return f"r{quotes}{text}{quotes}"
    return source


# --- many of them ------------------------------------------------------------------------


class RunDirWriter:
    """Writes what a run needs before it begins; what is constant is worked out once.

    Parameters
    ----------
    cwd : str, optional
        Absolute path of the directory in which commands are run; None: the run directory.
    env : mapping
        Additions to their environment.
    shell : bool
        Whether commands are shell text.
    """

    def __init__(self, cwd: str | None, env: Mapping[str, str], shell: bool) -> None:
        self._script_head = _script_head(cwd, env, shell)
        self._keys: tuple[str, ...] | None = None
        self._header = b""

    def prepare(
        self,
        directory: str,
        *,
        pkey: str,
        number: int,
        values: Mapping[str, Any],
        command: str | tuple[str, ...],
    ) -> bool:
        """Make a run directory with its ``soops-parameters.csv`` and ``run.py``.

        Parameters
        ----------
        directory : str
            Made if it is not there. Of a directory that is, only what differs is written.
        pkey, number, values
            As of :func:`write_parameters_csv`; ``finished`` is False.
        command : str or tuple of str
            For ``run.py``.

        Returns
        -------
        bool
            Whether the directory is new.

        Raises
        ------
        DiskError
            Naming the file.
        """
        path = directory
        try:
            new = _make(directory)
            path = f"{directory}/{PARAMETERS_NAME}"
            row = self.header(values) + parameters_line(pkey, False, number, values)
            (create_file if new else _put_unfinished)(path, row)
            path = f"{directory}/{SCRIPT_NAME}"
            script = self._script_head + _script_body(command)
            (create_file if new else put_file)(path, script, 0o755)
        except OSError as exc:
            raise DiskError(path, exc) from exc
        return new

    def header(self, values: Mapping[str, Any]) -> bytes:
        """Return the first line of ``soops-parameters.csv`` for these columns."""
        keys = tuple(values)
        if keys != self._keys:
            self._keys, self._header = keys, header_line(values)
        return self._header


def remove_unbegun(directory: str, others: Sequence[str] = ()) -> None:
    """Remove the directory of a run that never began, if nothing but our files is in it.

    ``others`` are the paths, relative to it, of what else was put there for the run.
    """
    ours = {PARAMETERS_NAME, SCRIPT_NAME, *(name.partition("/")[0] for name in others)}
    try:
        if set(os.listdir(directory)) <= ours:
            for name in ours:
                path = f"{directory}/{name}"
                if os.path.isdir(path) and not os.path.islink(path):
                    import shutil

                    shutil.rmtree(path)
                else:
                    Path(path).unlink(missing_ok=True)
            os.rmdir(directory)
    except OSError:
        pass  # it is not finished, and says so


def _make(directory: str) -> bool:
    """Make a directory and those above it; return False when it is there."""
    try:
        os.mkdir(directory)
    except FileNotFoundError:
        os.makedirs(directory, exist_ok=True)
    except FileExistsError:
        if not os.path.isdir(directory):
            raise
        return False
    return True


def _put_unfinished(path: str, data: bytes, mode: int = 0o666) -> None:
    """Write the row of a run that is not finished, in place when nothing else changes."""
    try:
        mark_finished(os.path.dirname(path), False)
    except DiskError:
        pass  # a link, a directory: the next line replaces it or says what is wrong
    put_file(path, data, mode)
