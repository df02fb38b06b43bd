"""``soops-parameters.csv``: which parameters a run directory is about, and whether it is done.

One header line, one row, as the older soops wrote and its tools read them. The values are
texts: whoever needs them with their types reads the record. Used through ``rundir``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Any

from soops.kernel.records.disk import (
    CLOEXEC,
    NOFOLLOW,
    NONBLOCK,
    DamagedFileError,
    DiskError,
    put_file,
    read_file,
)
from soops.kernel.values.frozen import dataclass

__all__ = [
    "PARAMETERS_NAME",
    "ParametersRow",
    "header_line",
    "join_rows",
    "mark_finished",
    "parameters_line",
    "parse_row",
    "read_parameters_csv",
    "split_rows",
    "write_parameters_csv",
]

PARAMETERS_NAME = "soops-parameters.csv"

_QUOTED = re.compile(r'[",\r\n]').search
_CELL = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\n]*?))(,|\r?\n)').match
_KEY = re.compile(r"[0-9a-f]{32}").fullmatch
_ROW = re.compile(rb"[0-9a-f]{32},(True|False),")
_FLAGS = {"True": True, "False": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParametersRow:
    """What a ``soops-parameters.csv`` says; every value is the text that stands there.

    ``number`` is None in files that have no ``iset`` column (before 2025).
    """

    pkey: str
    finished: bool
    number: int | None
    values: Mapping[str, str]


def write_parameters_csv(
    directory: str, pkey: str, finished: bool, number: int, values: Mapping[str, Any]
) -> None:
    """Write the parameters of a run; see :class:`.RunDirWriter` for many of them.

    Parameters
    ----------
    directory : str
        It exists.
    pkey, finished, number
        The first three columns.
    values : mapping
        The further columns in order: the sorted keys, computed ones, the output key,
        ``script_dir``.

    Raises
    ------
    DiskError
        Naming the file.
    """
    path = f"{directory}/{PARAMETERS_NAME}"
    data = header_line(values) + parameters_line(pkey, finished, number, values)
    try:
        put_file(path, data)
    except OSError as exc:
        raise DiskError(path, exc) from exc


def mark_finished(directory: str, finished: bool) -> bool:
    """Say in ``soops-parameters.csv`` whether the run is finished, in place.

    At every moment the file reads as the old or the new row, with at most an empty line
    below it.

    Returns
    -------
    bool
        False when there is no such file, or it has no row of ours; then nothing is changed.

    Raises
    ------
    DiskError
        Naming the file.
    """
    path = f"{directory}/{PARAMETERS_NAME}"
    try:
        fd = os.open(path, os.O_RDWR | CLOEXEC | NOFOLLOW | NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise DiskError(path, exc) from exc
    try:
        return _mark(fd, finished)
    except OSError as exc:
        raise DiskError(path, exc) from exc
    finally:
        os.close(fd)


def _mark(fd: int, finished: bool) -> bool:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        return False
    data = os.read(fd, status.st_size + 1)
    row = _find_row(data)
    if row is None or not data.endswith(b"\n"):
        return False
    word = b"True" if finished else b"False"
    start, end = row
    if data[start:end] == word:
        return True
    rest = word + data[end:].rstrip(b"\n") + b"\n"
    done = os.pwrite(fd, rest, start)
    while done < len(rest):
        done += os.pwrite(fd, rest[done:], start + done)
    if start + len(rest) < len(data):
        os.ftruncate(fd, start + len(rest))
    return True


def _find_row(data: bytes) -> tuple[int, int] | None:
    """Return where the flag of the row stands, the columns being in their usual order."""
    if not data.startswith(b"pkey,finished,"):
        return None
    position = data.find(b"\n") + 1
    match = _ROW.match(data, position)
    while match is None and position:  # a key with a line break in it
        position = data.find(b"\n", position) + 1
        match = _ROW.match(data, position) if position else None
    return match.span(1) if match is not None else None


def read_parameters_csv(path: str | os.PathLike[str]) -> ParametersRow:
    """Return what a ``soops-parameters.csv`` says, also one of an older soops.

    Raises
    ------
    DamagedFileError
        When it is empty, cut, or no such file at all.
    DiskError
        When it is absent or cannot be read.
    """
    name = os.fspath(path)
    try:
        data = read_file(name)
    except OSError as exc:
        raise DiskError(name, exc, "read") from exc
    try:
        return parse_row(data)
    except ValueError as exc:
        hint = "run this parameter set again, or remove its directory"
        raise DamagedFileError(name, str(exc), hint) from exc


def parse_row(data: bytes) -> ParametersRow:
    """Return what the content of a file says.

    Raises
    ------
    ValueError
        When it is empty, cut, or no such file at all.
    """
    header, row = _two_rows(data)
    if len(set(header)) != len(header):
        raise ValueError("a column stands there twice")
    if len(row) != len(header):
        raise ValueError(f"the row has {len(row)} values for {len(header)} columns")
    values = dict(zip(header, row, strict=True))
    if "pkey" not in values or "finished" not in values:
        raise ValueError("it has no column pkey or finished")
    pkey, flag, number = values.pop("pkey"), values.pop("finished"), values.pop("iset", None)
    if not _KEY(pkey):
        raise ValueError(f"the key is {pkey[:40]!r}")
    if flag not in _FLAGS:
        raise ValueError(f"finished is {flag[:40]!r}")
    return ParametersRow(pkey=pkey, finished=_FLAGS[flag], number=_number(number), values=values)


def split_rows(data: bytes) -> dict[str, str]:
    """Return all columns of a file and the texts of its row, in their order.

    Raises
    ------
    ValueError
        When it is no file of one row.
    """
    parse_row(data)
    return dict(zip(*_two_rows(data), strict=True))


def join_rows(columns: Mapping[str, Any]) -> bytes:
    """Return the file of these columns; what :func:`split_rows` gave, changed."""
    lines = (",".join(map(_cell, columns)), ",".join(map(_cell, columns.values())))
    return _encode("".join(f"{line}\n" for line in lines))


def _two_rows(data: bytes) -> tuple[list[str], list[str]]:
    if not data.strip():
        raise ValueError("it is empty")
    text = data.decode("utf-8", "surrogateescape")
    if not text.endswith("\n"):
        raise ValueError("it is cut")
    if text.count("\n") == 2 and '"' not in text and "\r" not in text and "\0" not in text:
        first, second, _ = text.split("\n")
        return first.split(","), second.split(",")
    rows = [row for row in _split(text) if row != [""]]
    if len(rows) != 2:
        raise ValueError(f"it has {len(rows)} lines, not 2")
    return rows[0], rows[1]


def _split(text: str) -> list[list[str]]:
    """Return the cells of a table; the csv module refuses cells above 128 kB."""
    rows: list[list[str]] = [[]]
    position = 0
    while position < len(text):
        match = _CELL(text, position)
        if match is None:
            raise ValueError("it is no table")
        quoted, plain, end = match.groups()
        rows[-1].append(plain if quoted is None else quoted.replace('""', '"'))
        if end != ",":
            rows.append([])
        position = match.end()
    return rows[:-1]


def _number(text: str | None) -> int | None:
    """Return the number of the set; an older soops may have written ``3.0`` or nothing."""
    if text is None or not text.strip():
        return None
    digits = text.removesuffix(".0")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 18:
        raise ValueError(f"iset is {text[:40]!r}")
    return int(digits)


def header_line(values: Mapping[str, Any]) -> bytes:
    """Return the header of a file with these columns."""
    return _encode(",".join(["pkey,finished,iset", *map(_cell, values)]) + "\n")


def parameters_line(pkey: str, finished: bool, number: int, values: Mapping[str, Any]) -> bytes:
    """Return the row of a run, values quoted where they have to be."""
    cells = ",".join(map(_cell, values.values()))
    return _encode(f"{pkey},{finished},{number:03d},{cells}\n")


def _cell(value: Any) -> str:
    if value is None or (type(value) is float and value != value):
        return ""
    text = value if type(value) is str else str(value)
    if _QUOTED(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, from a text file of Windows
        return text.encode("utf-8", "backslashreplace")
