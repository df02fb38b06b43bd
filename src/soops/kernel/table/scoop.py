"""A run directory -> its row: read the items in order. For ``rows``, which has many of them.

Of ``runs`` it knows only the record. What goes wrong in a directory is data in its row.
"""

from __future__ import annotations

import datetime
import glob
import math
import os
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from soops.kernel.errors import SoopsError
from soops.kernel.table.directories import abbreviate
from soops.kernel.table.shape import shape
from soops.kernel.table.stamps import RECORD, find_item, look_at
from soops.kernel.values import FileRead, ScoopedRow, ScoopInfo, ScoopItem

__all__ = ["Resolve", "scoop_directory"]

RECORD_COLUMNS = ("state", "returncode", "number")
Resolve = Callable[[str], Callable[..., Any]]


def scoop_directory(
    directory: str, info: ScoopInfo, resolve: Resolve, *, debug: bool = False
) -> ScoopedRow:
    """Read the items of one run directory.

    Parameters
    ----------
    directory : str
        Absolute path.
    info : ScoopInfo
        The items, read in this order; a later one may use what earlier ones gave, as these
        shaped it. One with defaults is optional.
    resolve : callable
        ``resolve(name)`` returns a registered scraper.
    debug : bool
        Let the exceptions of scrapers pass.

    Returns
    -------
    ScoopedRow
        ``values`` begins with ``rdir`` (the home directory abbreviated) and ``rfiles``
        (the items that were read). ``errors`` maps an item to ``"Type: text (file:line)"``.
    """
    rdir = abbreviate(directory)
    read: list[str] = []
    values: dict[Any, Any] = {"rdir": rdir, "rfiles": read}
    parameter_keys: dict[Any, None] = {}
    files: list[FileRead] = []
    errors: dict[str, str] = {}
    for item in info.items:
        filenames, mtimes, stamp = find_item(directory, item)
        given: Mapping[Any, Any] = {}
        found = mtimes[0] == mtimes[0]
        if not found and item.default:
            given = shape(None, item)
        elif found or not item.optional:
            try:
                if not found and glob.has_magic(item.pattern):
                    raise FileNotFoundError(f"no file matches {item.pattern!r}")
                single = filenames[0] == os.path.join(directory, item.pattern)
                path = filenames[0] if single else list(filenames)
                given = _read(item, path, values, resolve)
                read.append(item.pattern)
            except (Exception, SystemExit) as exc:
                if debug:
                    raise
                _note(errors, item.pattern, _describe(exc))
        values.update(given)
        if item.is_parameters:
            parameter_keys.update(dict.fromkeys(given))
        files.append(
            FileRead(
                item=item.pattern,
                filenames=filenames,
                mtimes=mtimes,
                columns=tuple(given),
                stamp=stamp,
            )
        )
    own: dict[str, Any] = {"time": datetime.datetime.now(datetime.UTC).replace(tzinfo=None)}
    record = _read_record(directory, own, errors)
    if record is not None:
        files.append(record)
    return ScoopedRow(
        directory=directory,
        values=values,
        files=tuple(files),
        parameter_keys=tuple(parameter_keys),
        errors=errors,
        own=own,
    )


def _read(
    item: ScoopItem, path: str | list[str], values: Mapping[Any, Any], resolve: Resolve
) -> Mapping[Any, Any]:
    """Call the scraper of an item and return its values, shaped, under names that are free."""
    function = resolve(item.scraper) if isinstance(item.scraper, str) else item.scraper
    rdata = {**values, "rfiles": list(values["rfiles"])}
    given = function(path, rdata=rdata, **item.options)
    if given is None:
        return shape(None, item)
    if not hasattr(given, "keys") or not hasattr(given, "__getitem__"):
        raise TypeError(f"the scraper returned a {type(given).__name__}, not a dict")
    if isinstance(given, dict):  # whatever its items are called
        out = dict(dict.items(given))
    else:
        out = {key: given[key] for key in given.keys()}  # noqa: SIM118 (perhaps a Series)
    out = shape(out, item)
    for key in ("rdir", "rfiles"):
        if key in out:
            value = out.pop(key)
            if value != values[key]:
                out[f"scooped_{key}"] = value
    return out


def _read_record(directory: str, own: dict[str, Any], errors: dict[str, str]) -> FileRead | None:
    """Add the columns that the record of the run gives; return it as a file read."""
    path = os.path.join(directory, RECORD)
    mtime, stamp = look_at(path)
    if math.isnan(mtime):
        return None
    from soops.kernel.records.record import load_record

    try:
        record = load_record(directory) or {}
    except SoopsError as exc:
        _note(errors, RECORD, _describe(exc))
        record = {}
    own.update({name: record[name] for name in RECORD_COLUMNS if name in record})
    return FileRead(item=RECORD, filenames=(path,), mtimes=(mtime,), columns=(), stamp=stamp)


def _note(errors: dict[str, str], item: str, text: str) -> None:
    errors[item] = f"{errors[item]}; {text}" if item in errors else text


def _describe(exc: BaseException) -> str:
    """Return the type and text of an exception and the line of the scraper that raised it."""
    if isinstance(exc, SoopsError):
        return f"{type(exc).__name__}: {exc.message}"
    try:
        text = f"{type(exc).__name__}: {exc}"
    except Exception:  # a stranger's __str__
        text = type(exc).__name__
    frames = [f for f in traceback.extract_tb(exc.__traceback__) if f.filename != __file__]
    if frames:
        # The last line in the file of the scraper itself, not in a library it calls.
        line = [f.lineno for f in frames if f.filename == frames[0].filename][-1]
        text += f" ({os.path.basename(frames[0].filename)}:{line})"
    return text
