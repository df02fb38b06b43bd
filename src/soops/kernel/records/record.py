"""What is true of an ended run, and the file that says it: ``soops-run.json``.

The ledger writes it, once, at the end of an attempt, under a name that does not exist yet;
what an earlier attempt left is renamed first. Anyone may read it. The last line of the file
is a checksum of what stands before it, so that a damaged file is never taken for a record.
"""

from __future__ import annotations

import json
import math
import operator
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.records.disk import (
    DamagedFileError,
    DiskError,
    create_file,
    flush_directories,
    free_name,
    read_file,
)
from soops.kernel.records.record_fields import FIELDS, checked
from soops.kernel.study.identity import from_jsonable, to_jsonable
from soops.kernel.values import RunRecord, State

__all__ = [
    "RECORD_NAME",
    "last_attempt",
    "load_record",
    "parse_record",
    "read_record",
    "record_from_dict",
    "record_to_dict",
    "render_dict",
    "set_aside",
    "take_back",
    "write_record",
]

RECORD_NAME = "soops-run.json"
#: The files of an attempt, in the order in which they are set aside: the record goes last.
ATTEMPT_FILES = ("stdout.txt", "stderr.txt", RECORD_NAME)

_NEW = f"{RECORD_NAME}.tmp"
_SCHEMA = 1
_MARK = b'\n"checksum": "'
_TAIL = len(_MARK) + len('01234567"\n}\n')
_DAMAGED = "run this parameter set again, or remove the file; the other runs are not concerned"

#: One line for each member, so that people can read it; one call, so that it is quick.
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",\n", ": ")).encode
_fields_of = operator.attrgetter(*FIELDS)

# --- values and JSON ---------------------------------------------------------------------


def record_to_dict(record: RunRecord) -> dict[str, Any]:
    """Return a record as plain JSON values; parameters keep their types (see ``identity``)."""
    given = dict(zip(FIELDS, _fields_of(record), strict=True))
    given["state"] = record.state.value
    for name in ("elapsed", "cpu_time"):
        value = given[name]
        if value is not None and not math.isfinite(value):
            given[name] = None
    if not isinstance(record.command, str):
        given["command"] = list(record.command)
    given["parameters"] = {key: to_jsonable(value) for key, value in record.parameters.items()}
    given["provenance"] = _provenance(record.provenance)
    return given


def _provenance(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return provenance as JSON values; that of the runs of a pass is one and the same object."""
    global _last
    known, found = _last
    if known is not values:
        found = {key: to_jsonable(value) for key, value in values.items()}
        _last = (values, found)
    return found


_last: tuple[Mapping[str, Any], dict[str, Any]] = ({}, {})


def record_from_dict(given: Mapping[str, Any]) -> RunRecord:
    """Return the record that :func:`record_to_dict` was given.

    Keys that are not known are left out: a newer soops may have written them.

    Raises
    ------
    ValueError
        When a value is missing or has a type that it cannot have.
    """
    values = checked(given)
    values["state"] = State(values["state"])
    if not isinstance(values["command"], str):
        values["command"] = tuple(values["command"])
    for name in ("parameters", "provenance"):
        if name in values:
            values[name] = {key: from_jsonable(item) for key, item in values[name].items()}
    return RunRecord(**values)


# --- the file ----------------------------------------------------------------------------


def write_record(
    directory: str | os.PathLike[str], record: RunRecord, durable: bool = False
) -> None:
    """Write the record of an ended run into its directory.

    Parameters
    ----------
    directory : path
        The run directory; made again when the run removed it.
    record : RunRecord
        Its ``directory``, relative to the runs root, says how deep the run lies below it.
    durable : bool
        Return only when file and names would survive the loss of power.

    Raises
    ------
    DiskError
        Naming the file. Then what was there before still is, and nothing half written
        stays under the name of a record.
    """
    where = os.fspath(directory)
    try:
        data = _render(record)
    except (TypeError, ValueError) as exc:
        raise StudyError(
            f"the record of {where!r} cannot be written: {exc}",
            hint="the runner, or what it was given, put a value of a wrong type into it",
        ) from exc
    try:
        try:
            _write(where, data, record, durable)
        except FileNotFoundError:
            os.makedirs(where, exist_ok=True)
            _write(where, data, record, durable)
    except OSError as exc:
        raise DiskError(f"{where}/{RECORD_NAME}", exc) from exc


def _write(where: str, data: bytes, record: RunRecord, durable: bool) -> None:
    new, final = f"{where}/{_NEW}", f"{where}/{RECORD_NAME}"
    try:
        create_file(new, data, durable=durable)
    except FileExistsError:  # of a driver that was killed
        os.unlink(new)
        create_file(new, data, durable=durable)
    if os.path.lexists(final):
        os.rename(final, free_name(f"{final}.attempt-{_attempt_of(final, record.attempts - 1)}"))
    os.rename(new, final)
    if durable:
        flush_directories(_upwards(where, record.directory))


def _upwards(where: str, relative: str) -> list[str]:
    """Return the directories whose names lead from the runs root to a run."""
    places = [os.path.abspath(where)]
    for _ in Path(relative).parts:
        places.append(os.path.dirname(places[-1]))
    return places


def _attempt_of(path: str, otherwise: int) -> int:
    """Return the attempt that a record tells of; a run may have written anything there."""
    try:
        return record_from_dict(_parse(path, read_file(path))).attempts
    except (OSError, DamagedFileError, ValueError):
        return otherwise


def set_aside(directory: str | os.PathLike[str], attempt: int) -> None:
    """Rename what an attempt left, ``stdout.txt`` to ``stdout.txt.attempt-N`` and so on.

    Parameters
    ----------
    directory : path
        A run directory; nothing happens when it is not there.
    attempt : int
        The attempt that is over.

    Raises
    ------
    DiskError
        Naming the file that could not be renamed.
    """
    where = os.fspath(directory)
    for name in ATTEMPT_FILES:
        path = f"{where}/{name}"
        try:
            if os.path.lexists(path):
                os.rename(path, free_name(f"{path}.attempt-{attempt}"))
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise DiskError(path, exc, "renamed") from exc
    try:
        os.unlink(f"{where}/{_NEW}")  # of a driver that was killed; no longer the newest
    except OSError:
        pass


def take_back(directory: str | os.PathLike[str], attempt: int) -> None:
    """Undo :func:`set_aside` for an attempt that never began.

    Raises
    ------
    DiskError
        Naming the file that could not be renamed.
    """
    where = os.fspath(directory)
    for name in ATTEMPT_FILES:
        path = f"{where}/{name}"
        try:
            if not os.path.lexists(path):
                os.rename(f"{path}.attempt-{attempt}", path)
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise DiskError(path, exc, "renamed") from exc


def read_record(directory: str | os.PathLike[str]) -> RunRecord | None:
    """Return the record of the newest attempt that ended; None when there is none.

    Raises
    ------
    StudyError
        Naming the file when it is damaged or cannot be read.
    """
    given = load_record(os.fspath(directory))
    if given is None:
        return None
    try:
        return record_from_dict(given)
    except (ValueError, StudyError) as exc:
        path = os.path.join(directory, RECORD_NAME)
        raise DamagedFileError(path, str(exc), _DAMAGED) from exc


def load_record(directory: str) -> dict[str, Any] | None:
    """Return the JSON of a record, its checksum and the types of its fields checked.

    For who needs no typed parameters. None when there is none.

    Raises
    ------
    DamagedFileError, DiskError
        Naming the file.
    """
    path = f"{directory}/{RECORD_NAME}"
    try:
        data = read_file(path)
    except FileNotFoundError:
        return _load_unnamed(f"{directory}/{_NEW}")
    except OSError as exc:
        if isinstance(exc, NotADirectoryError):
            return None
        raise DiskError(path, exc, "read") from exc
    return _parse(path, data)


def last_attempt(directory: str) -> tuple[int, dict[str, Any]] | None:
    """Return the highest attempt that was set aside, and its record in JSON form.

    The record is empty when it is damaged. None when nothing was set aside.
    """
    prefix = f"{RECORD_NAME}.attempt-"
    found: dict[int, str] = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                digits = entry.name[len(prefix) :]
                if entry.name.startswith(prefix) and digits.isdecimal() and len(digits) < 10:
                    found[int(digits)] = entry.path
    except OSError:
        return None
    if not found:
        return None
    attempt = max(found)
    try:
        return attempt, _parse(found[attempt], read_file(found[attempt]))
    except (OSError, StudyError):
        return attempt, {}


def _load_unnamed(path: str) -> dict[str, Any] | None:
    """Return a record that was whole when its driver was killed before it got its name."""
    try:
        return _parse(path, read_file(path))
    except (OSError, DamagedFileError):
        return None


def _render(record: RunRecord) -> bytes:
    return render_dict(record_to_dict(record))


def render_dict(given: Mapping[str, Any]) -> bytes:
    """Return the text of a record in JSON form, the checksum of what stands before it last."""
    if "checksum" in given:
        given = {key: given[key] for key in given if key != "checksum"}
    text = _encode(given)
    body = text[:-1].encode("ascii") + b","
    return b'%b%b%08x"\n}\n' % (body, _MARK, zlib.crc32(body))


def parse_record(path: str, data: bytes) -> dict[str, Any]:
    """Return the JSON of a record, checked, with what a newer soops may have added to it.

    Raises
    ------
    DamagedFileError
        Naming ``path``.
    """
    _parse(path, data)
    whole: dict[str, Any] = json.loads(data)
    return whole


def _parse(path: str, data: bytes) -> dict[str, Any]:
    if not data:
        raise DamagedFileError(path, "it is empty", _DAMAGED)
    body, tail = data[:-_TAIL], data[-_TAIL:]
    if tail != b'%b%08x"\n}\n' % (_MARK, zlib.crc32(body)):
        raise DamagedFileError(path, "its checksum is wrong, or missing", _DAMAGED)
    try:
        return checked(json.loads(data.decode("ascii")))
    except (ValueError, RecursionError, AttributeError, TypeError) as exc:
        raise DamagedFileError(path, str(exc)[:200] or type(exc).__name__, _DAMAGED) from exc
