"""Run directories -> rows: read the items of each directory, in order, in parallel.

May be imported by the modules of ``table`` and by ``soops.study``; of ``runs`` it knows
only the record. What goes wrong in a directory is data in its row.
"""

from __future__ import annotations

import datetime
import functools
import glob
import math
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import SoopsError
from soops.kernel.table.directories import abbreviate, find_run_directories
from soops.kernel.table.shape import shape
from soops.kernel.table.stamps import RECORD, find_item, look_at
from soops.kernel.values import FileRead, ScoopedRow, ScoopInfo, ScoopItem
from soops.kernel.values.processors import available_cpus

__all__ = ["find_run_directories", "scoop_directory", "scoop_rows"]

RECORD_COLUMNS = ("state", "returncode", "number")
#: Below so many directories no process is started.
MIN_PARALLEL = 200
#: Seconds of work that must be left to make starting processes worth it. Of quick scrapers
#: two processes save little when the machine is idle, and cost time when it is busy.
WORTHWHILE = 10.0

Resolve = Callable[[str], Callable[..., Any]]
Progress = Callable[[int, int], None]


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


def scoop_rows(
    directories: Sequence[str],
    info: ScoopInfo,
    app: App,
    n_workers: int | None = None,
    progress: Progress | None = None,
    *,
    debug: bool = False,
) -> Iterator[ScoopedRow]:
    """Yield the rows of run directories, in their order.

    Few directories, or quick ones, are read in this process. Of many, the rest is read
    by ``n_workers`` processes once the first ones have shown that it takes long enough.
    Functions that another process cannot import by name are always called here.

    Parameters
    ----------
    directories : sequence of str
        Absolute paths.
    info : ScoopInfo
        What to read.
    app : App
        Gives the registered scrapers.
    n_workers : int, optional
        Processes; by default one for each available processor, 1: none.
    progress : callable, optional
        ``progress(done, total)``.
    debug : bool
        Stay in this process and let the exceptions of scrapers pass.
    """
    named = {item.scraper for item in info.items if isinstance(item.scraper, str)}
    scrapers = {name: app.resolve("scraper", name) for name in sorted(named)}
    total = len(directories)
    for done, row in enumerate(_rows(directories, info, scrapers, n_workers, debug), 1):
        if progress is not None:
            progress(done, total)
        yield row


def _rows(
    directories: Sequence[str],
    info: ScoopInfo,
    scrapers: Mapping[str, Callable[..., Any]],
    n_workers: int | None,
    debug: bool,
) -> Iterator[ScoopedRow]:
    resolve = scrapers.__getitem__
    head = len(directories) if debug or n_workers == 1 else min(len(directories), MIN_PARALLEL)
    started = time.perf_counter()
    for directory in directories[:head]:
        yield scoop_directory(directory, info, resolve, debug=debug)
    rest = directories[head:]
    if not rest:
        return
    seconds_left = (time.perf_counter() - started) / head * len(rest)
    chunks = _in_processes(rest, info, scrapers, n_workers) if seconds_left > WORTHWHILE else None
    if chunks is None:
        for directory in rest:
            yield scoop_directory(directory, info, resolve)
    else:
        for rows in chunks:
            yield from rows


def _in_processes(
    directories: Sequence[str],
    info: ScoopInfo,
    scrapers: Mapping[str, Callable[..., Any]],
    n_workers: int | None,
) -> Iterator[list[ScoopedRow]] | None:
    """Return rows in chunks, read by other processes; None when they cannot do it."""
    # multiprocessing and concurrent.futures are for those who need them.
    from soops.kernel.table import workers

    count = n_workers or available_cpus()
    calls = []
    for item in info.items:
        function = scrapers[item.scraper] if isinstance(item.scraper, str) else item.scraper
        sent = workers.send(function)
        if sent is None or count < 2:
            return None
        calls.append((item, sent))
    plain = [(replace(item, scraper="", source=None), sent) for item, sent in calls]
    size = max(1, min(128, len(directories) // (4 * count)))
    return workers.map_chunks(
        functools.partial(_scoop_chunk, plain),
        (directories[i : i + size] for i in range(0, len(directories), size)),
        count,
        here=lambda chunk: [scoop_directory(d, info, scrapers.__getitem__) for d in chunk],
        lost=functools.partial(_lost_row, info),
    )


def _scoop_chunk(calls: Sequence[tuple[ScoopItem, Any]], chunk: Sequence[str]) -> list[ScoopedRow]:
    """Do the work of one chunk in a worker process."""
    from soops.kernel.table import workers

    items = tuple(replace(item, scraper=workers.restore(sent)) for item, sent in calls)
    info = ScoopInfo(items=items)
    return [scoop_directory(directory, info, _no_name) for directory in chunk]


def _no_name(name: str) -> Callable[..., Any]:
    raise LookupError(f"no scraper {name!r} in a worker")


def _lost_row(info: ScoopInfo, directory: str) -> ScoopedRow:
    """Return the row of a directory whose reading ended the process that read it."""
    text = "ProcessDied: the process that read this directory ended"
    return ScoopedRow(
        directory=directory,
        values={"rdir": abbreviate(directory), "rfiles": []},
        errors={info.items[0].pattern: text},
        own={"time": datetime.datetime.now(datetime.UTC).replace(tzinfo=None)},
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
