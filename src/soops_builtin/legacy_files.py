"""The files of a study as a whole, as the older soops left them in its output directory.

``options.txt``: how it was started; ``output_log.txt``: what happened; ``all_parameters.csv``:
the parameters of all its runs, one row each. They are for people and older tools, so trouble
with them is a warning, once, and never ends a study. Nothing is kept of a run that ended.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import heapq
import io
import logging
import os
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from soops.api import PlannedRun, RunRecord, State, StudyRun, Summary
from soops_builtin.csv_text import csv_line

__all__ = ["ended", "run_ended", "run_started", "started"]

log = logging.getLogger("soops")

OPTIONS, LOG, TABLE = "options.txt", "output_log.txt", "all_parameters.csv"
PARAMETERS = "soops-parameters.csv"
#: Changes below a runs root when the parameters of its runs are changed.
MIGRATIONS = ".soops/migrations"
#: The last line of a log; without it the table may be older than the runs.
LAST_LINE = "the parameters of all runs are in"
#: Bytes of a file of parameters that are read at a time; nearly all are shorter.
PIECE = 65536
#: Names of run directories that are held at a time while the table is written.
WINDOW = 50_000

_NAME = "(0[0-9]{2}|[1-9][0-9]{2,17})-[0-9a-f]{32}"
_passes: dict[Path, _Files] = {}


def started(study: StudyRun, total: int | None) -> None:
    """Write ``options.txt`` and begin ``output_log.txt`` anew."""
    files = _Files(study)
    files.begin(total)
    _passes[study.root] = files


def run_started(study: StudyRun, run: PlannedRun, attempt: int) -> None:
    """Log that a run was handed over."""
    files = _passes.get(study.root)
    if files is not None:
        files.run_started(run, attempt)


def run_ended(study: StudyRun, record: RunRecord) -> None:
    """Log how a run ended."""
    files = _passes.get(study.root)
    if files is not None:
        files.run_ended(record)


def ended(study: StudyRun, summary: Summary) -> None:
    """Write ``all_parameters.csv`` and end the log."""
    files = _passes.pop(study.root, None)
    if files is not None:
        files.end(summary)


class _Files:
    """The files of one pass.

    Parameters
    ----------
    study : StudyRun
        Its ``output_dir`` is where they go.
    """

    def __init__(self, study: StudyRun) -> None:
        self.study = study
        self.under_way: dict[int, str] = {}
        self.any_ended = False
        self.stale = True
        self._log: int | None = None
        self._warned = False

    def begin(self, total: int | None) -> None:
        """Write ``options.txt``, and begin the log; whether the last one was ended is noted."""
        output = self.study.output_dir
        with self._only_warn():
            output.mkdir(parents=True, exist_ok=True)
            text = _options_text(self.study.argv, self.study.options)
            (output / OPTIONS).write_bytes(_encode(text))
            self.stale = not _ends_well(output / LOG)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            self._log = os.open(output / LOG, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
        self._say(
            f"number of parameter sets: {'not counted' if total is None else total}",
            f"running with {self.study.runner}",
        )

    def run_started(self, run: PlannedRun, attempt: int) -> None:
        """Log it, and remember where it is until it has ended."""
        self.under_way[run.number] = run.directory
        command = run.command if isinstance(run.command, str) else shlex.join(run.command)
        self._say(
            f"parameter set: {run.number}",
            f"{dict(run.parameters.values)}",
            f"submitting at {_now()}" + (f", attempt {attempt}" if attempt > 1 else ""),
            command,
        )

    def run_ended(self, record: RunRecord) -> None:
        """Log it."""
        self.any_ended = True
        directory = self.under_way.pop(record.number, record.directory)
        duration = "" if record.elapsed is None else f" in {timedelta(seconds=record.elapsed)}"
        self._say(
            f"{record.number}",
            f"in {directory}",
            f"completed at {_now()}{duration}",
            _result(record),
        )

    def end(self, summary: Summary) -> None:
        """Write the table, unless nothing has changed since it was last written."""
        counts = [f"{summary.skipped} were finished before"]
        counts += [f"{number} {state.value}" for state, number in summary.counts.items()]
        self._say(f"of {summary.total} parameter sets {', '.join(counts)}")
        if summary.stopped or summary.interrupted:
            self._say(f"stopped: {summary.stopped or 'interrupted'}")
        table = self.study.output_dir / TABLE
        with self._only_warn():
            if self.any_ended or self.stale or _is_old(table, self.study.root):
                _write_table(table, self.study)
            self._say(f"{LAST_LINE} {table}")
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _say(self, *messages: str) -> None:
        if self._log is None:
            return
        data = _encode("".join([f"run: {message}\n" for message in messages]))
        try:
            written = os.write(self._log, data)
            while written < len(data):
                written += os.write(self._log, data[written:])
        except OSError as exc:
            self._warn(exc)

    @contextlib.contextmanager
    def _only_warn(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            self._warn(exc)

    def _warn(self, exc: OSError) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "the files of the study in %r are not complete: %s",
                str(self.study.output_dir),
                exc,
            )


# --- options.txt and output_log.txt ------------------------------------------------------


def _options_text(argv: tuple[str, ...], options: Mapping[str, Any]) -> str:
    words = " ".join([f'"{word}"' for word in argv])
    lines = [f"{key}: {options[key]}" for key in sorted(options)]
    return "\n".join(
        ["command line", "------------", "", words, "", "options", "-------", "", *lines, ""]
    )


def _result(record: RunRecord) -> str:
    if record.cause == "exit":
        command = record.command if isinstance(record.command, str) else list(record.command)
        return f"CompletedProcess(args={command!r}, returncode={record.returncode})"
    if record.state is State.TIMEOUT:
        return f"timeout after {record.elapsed} seconds"
    reason = record.signal if record.cause == "signal" else record.message or record.cause
    return f"{record.state.value}: {reason}"


def _now() -> str:
    return _at_second(int(time.time()))


@functools.lru_cache(maxsize=1)  # thousands of runs begin or end in the same second
def _at_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%d-%H-%M-%S", time.localtime(seconds))


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character: neither text nor a file name
        return text.encode("utf-8", "backslashreplace")


def _is_old(table: Path, root: Path) -> bool:
    """Return whether there is no table, or the runs were migrated after it was written."""
    try:
        return table.stat().st_mtime <= (root / MIGRATIONS).stat().st_mtime
    except OSError:
        return not table.exists()


def _ends_well(path: Path) -> bool:
    """Return whether the pass that wrote a log came to its end."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            lines = file.read().splitlines()
    except OSError:
        return False
    return bool(lines) and lines[-1].startswith(f"run: {LAST_LINE}".encode())


# --- all_parameters.csv ------------------------------------------------------------------


def _write_table(path: Path, study: StudyRun) -> None:
    """Write the rows of all runs below the root, by number; readers see the old or the new."""
    temporary = path.with_name(f"{TABLE}.tmp")
    try:
        with temporary.open("wb") as file:
            if not _copy_rows(file, study):
                file.seek(0)
                file.truncate()
                _merge_rows(file, study)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _copy_rows(file: io.BufferedWriter, study: StudyRun) -> bool:
    """Copy the rows as they are; False when runs have other columns than the first."""
    header = b""
    for data in _files(study):
        if not header:
            header = data[: data.find(b"\n") + 1]
            if b'"' in header:
                return False
            file.write(header)
        if not data.startswith(header):
            return False
        file.write(data[len(header) :])
    return True


def _merge_rows(file: io.BufferedWriter, study: StudyRun) -> None:
    """Write rows of unlike columns: all columns, empty where a run has none."""
    columns: dict[str, None] = {}
    for row in _rows(study):
        columns.update(dict.fromkeys(row))
    file.write(_encode(csv_line(columns)))
    for row in _rows(study):
        file.write(_encode(csv_line([row.get(name, "") for name in columns])))


def _rows(study: StudyRun) -> Iterator[dict[str, str]]:
    for data in _files(study):
        text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
        try:
            rows = [row for row in csv.reader(text) if row]
        except csv.Error as exc:
            log.debug("a row is left out of %s: %s", TABLE, exc)
            continue
        if len(rows) == 2 and len(rows[0]) == len(rows[1]):
            yield dict(zip(rows[0], rows[1], strict=True))


def _files(study: StudyRun) -> Iterator[bytes]:
    """Yield the content of each run's file by number; those that are damaged are left out."""
    for directory in _run_directories(study):
        try:
            data = _content(f"{directory}/{PARAMETERS}")
        except OSError:
            continue
        if data.startswith(b"pkey,") and data.endswith(b"\n") and data.count(b"\n") > 1:
            yield data.rstrip(b"\n") + b"\n"


def _content(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        pieces = [os.read(fd, PIECE)]
        while len(pieces[-1]) == PIECE:
            pieces.append(os.read(fd, PIECE))
    finally:
        os.close(fd)
    return b"".join(pieces)


def _run_directories(study: StudyRun) -> Iterator[str]:
    """Yield run directories by number, with at most ``WINDOW`` names in memory."""
    before, after = _around_name(study.template)
    tail, _, inner = after.partition("/")
    name = re.escape(before.rpartition("/")[2]) + _NAME + re.escape(tail)
    matches = re.compile(name).fullmatch
    done = (-1, "")
    while True:
        found = heapq.nsmallest(
            WINDOW, (item for item in _numbered(study.root, matches) if item > done)
        )
        for _, entry in found:
            yield f"{study.root}/{entry}/{inner}" if inner else f"{study.root}/{entry}"
        if len(found) < WINDOW:
            return
        done = found[-1]


def _numbered(
    root: Path, matches: Callable[[str], re.Match[str] | None]
) -> Iterator[tuple[int, str]]:
    try:
        entries = os.scandir(root)
    except OSError:
        return
    with entries:
        for entry in entries:
            match = matches(entry.name)
            if match is not None:
                yield int(match[1]), entry.name


def _around_name(template: str) -> tuple[str, str]:
    """Return the text before and after ``%s`` in an output template."""
    parts = [""]
    for word in re.findall("%s|%%|.", template, re.DOTALL):
        if word == "%s":
            parts.append("")
        else:
            parts[-1] += "%" if word == "%%" else word
    return parts[0], parts[-1]
