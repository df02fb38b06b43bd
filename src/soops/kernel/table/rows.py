"""Run directories -> rows, in their order: read here, by forks, or by new processes.

May be imported by the modules of ``table`` and by ``soops.study``. Few directories are read by
this process. Of many that are read quickly, forks of this process read a part from the moment
at which they are known, while it is still importing what it needs for a table. Where that
takes long, or this process has threads, new processes are started for functions that they
can import by name.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import operator
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from soops.kernel.app import App
from soops.kernel.table.directories import abbreviate
from soops.kernel.table.scoop import scoop_directory
from soops.kernel.values import FileRead, ScoopedRow, ScoopInfo, ScoopItem
from soops.kernel.values.forks import MOST_PIECES, Forks, may_fork
from soops.kernel.values.processors import available_cpus

__all__ = ["Rows", "counted", "scoop_rows"]

#: Below so many directories no process is started.
MIN_PARALLEL = 200
#: Seconds of work that must be left to make it worth while to fork, and to start processes that
#: have to import everything anew.
WORTH_FORKS, WORTH_PROCESSES = 1.0, 2.5
#: Seconds after which new processes are as quick as forks: none of their crashes ends this one.
LONG = 10.0
#: Of quick scrapers more forks read more than this process can take from them.
MOST_FORKS = 8
#: Directories that are read at once, and bytes of rows that a fork keeps meanwhile.
CHUNK, AHEAD = 100, 1 << 26

Progress = Callable[[int, int], None]


class Rows:
    """The rows of run directories, in their order; a context manager in which they are read.

    Parameters
    ----------
    directories : sequence of str
        Absolute paths.
    info : ScoopInfo
        What to read.
    app : App
        Gives the registered scrapers.
    n_workers : int, optional
        Processes; by default one for each available processor, 1: none but this one.
    debug : bool
        Stay in this process and let the exceptions of scrapers pass.

    Notes
    -----
    On entry the first directories are read, which shows how long the others will take. Other
    processes begin to read at once, this one when it is asked for the rows.
    """

    def __init__(
        self,
        directories: Sequence[str],
        info: ScoopInfo,
        app: App,
        n_workers: int | None = None,
        *,
        debug: bool = False,
    ) -> None:
        named = {item.scraper for item in info.items if isinstance(item.scraper, str)}
        self._scrapers = {name: app.resolve("scraper", name) for name in sorted(named)}
        self._directories, self._info, self._debug = directories, info, debug
        self._count = 1 if debug else n_workers or available_cpus()
        self._first: list[ScoopedRow] = []
        self._chunks: list[Sequence[str]] = []
        self._forks: Forks | None = None
        self._by_others: Iterator[list[ScoopedRow]] | None = None
        self._stack = ExitStack()

    def __len__(self) -> int:
        return len(self._directories)

    def __enter__(self) -> Rows:
        if self._count > 1 and len(self._directories) > MIN_PARALLEL:
            started = time.perf_counter()
            self._first = self._here(self._directories[:MIN_PARALLEL])
            seconds = (time.perf_counter() - started) / MIN_PARALLEL
            try:
                self._share(self._directories[MIN_PARALLEL:], seconds)
            except BaseException:
                self._stack.close()
                raise
        return self

    def _share(self, rest: Sequence[str], seconds: float) -> None:
        """Let other processes begin, if it pays; ``seconds`` are those that one directory took."""
        left = seconds * len(rest)
        if WORTH_FORKS < left <= LONG and may_fork():
            self._fork(rest, min(self._count - 1, MOST_FORKS))
        elif left > WORTH_PROCESSES:  # each with a second of work at least
            self._by_others = self._by_processes(rest, min(self._count, max(2, int(left))))

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[ScoopedRow]:
        yield from self._first
        rest = self._directories[len(self._first) :]
        if self._forks is not None:
            yield from self._of_forks(self._forks)
            return
        chunks = self._by_others
        for rows in map(self._here, zip(rest)) if chunks is None else chunks:
            yield from rows

    def _row(self, directory: str) -> ScoopedRow:
        resolve = self._scrapers.__getitem__
        return scoop_directory(directory, self._info, resolve, debug=self._debug)

    def _here(self, directories: Sequence[str]) -> list[ScoopedRow]:
        return [self._row(directory) for directory in directories]

    # --- forks

    def _fork(self, directories: Sequence[str], count: int) -> None:
        fair = len(directories) // (8 * (count + 1))  # none is to wait long for the last one
        size = max(1, min(CHUNK, fair), -(-len(directories) // MOST_PIECES))
        self._chunks = [directories[i : i + size] for i in range(0, len(directories), size)]
        _flush()
        self._forks = self._stack.enter_context(
            Forks(self._work, len(self._chunks), count, ahead=AHEAD)
        )

    def _work(self, number: int) -> bytes:
        """Read a chunk in a fork; return its rows, or nothing when they cannot be sent."""
        rows = self._here(self._chunks[number])
        _flush()
        try:
            return pickle.dumps(list(map(_plain, rows)), pickle.HIGHEST_PROTOCOL)
        except Exception:  # whatever a scraper returned
            return b""

    def _of_forks(self, forks: Forks) -> Iterator[ScoopedRow]:
        known: dict[int, list[ScoopedRow]] = {}
        number = 0
        for piece, sent in forks.pieces():
            known[piece] = self._received(self._chunks[piece], sent, piece in forks.undone)
            while number in known:
                yield from known.pop(number)
                number += 1

    def _received(self, chunk: Sequence[str], sent: bytes | None, undone: bool) -> list[ScoopedRow]:
        """Return the rows of a chunk that forks did, or left to this process, or died of.

        What failed in a fork is read again: a file that the module of a scraper has opened, say,
        is not open there.
        """
        if sent:
            try:
                rows = list(map(_row_of, pickle.loads(sent)))  # noqa: S301 (our own fork's)
            except Exception:  # what a scraper returned cannot be made anew
                return self._here(chunk)
            return [self._row(row.directory) if row.errors else row for row in rows]
        chunks = self._by_processes(chunk, self._count) if undone else None
        if chunks is None:
            return self._here(chunk)
        return [row for rows in chunks for row in rows]

    # --- processes

    def _by_processes(
        self, directories: Sequence[str], count: int
    ) -> Iterator[list[ScoopedRow]] | None:
        """Return rows in chunks, read by new processes; None when they cannot do it."""
        # multiprocessing and concurrent.futures are for those who need them.
        from soops.kernel.table import workers

        calls = []
        for item in self._info.items:
            function = item.scraper
            sent = workers.send(self._scrapers[function] if isinstance(function, str) else function)
            if sent is None:
                return None
            calls.append((dataclasses.replace(item, scraper="", source=None), sent))
        size = max(1, min(128, len(directories) // (4 * count)))
        chunks = workers.map_chunks(
            functools.partial(_scoop_chunk, calls),
            (directories[i : i + size] for i in range(0, len(directories), size)),
            count,
            here=lambda chunk: list(map(_plain, self._here(chunk))),
            lost=lambda directory: _plain(_lost_row(self._info, directory)),
        )
        self._stack.callback(chunks.close)
        try:
            next(chunks)  # from here on they read
        except OSError:  # no process more is allowed
            return None
        return (list(map(_row_of, plain)) for plain in chunks)


def _flush() -> None:
    """Write what was printed, so that it is neither written twice nor lost."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # there is none, or it is closed
            stream.flush()


def scoop_rows(
    directories: Sequence[str],
    info: ScoopInfo,
    app: App,
    n_workers: int | None = None,
    progress: Progress | None = None,
    *,
    debug: bool = False,
) -> Iterator[ScoopedRow]:
    """Yield the rows of run directories, in their order; see :class:`Rows`.

    Parameters
    ----------
    progress : callable, optional
        ``progress(done, total)``.
    """
    with Rows(directories, info, app, n_workers, debug=debug) as rows:
        yield from counted(rows, progress)


def counted(rows: Rows, progress: Progress | None) -> Iterator[ScoopedRow]:
    """Yield rows, and tell how many there were so far, and will be."""
    for done, row in enumerate(rows, 1):
        if progress is not None:
            progress(done, len(rows))
        yield row


def _plain(row: ScoopedRow) -> tuple[Any, ...]:
    """Return a row as plain tuples, which take a third of the time to be sent."""
    *fields, files = _fields_of(row)
    return (*fields, [_file_fields_of(file) for file in files])


def _row_of(plain: tuple[Any, ...]) -> ScoopedRow:
    """Return the row that :func:`_plain` was given."""
    *fields, files = plain
    given = dict(zip(_FIELDS[:-1], fields, strict=True))
    read = tuple(FileRead(**dict(zip(_FILE_FIELDS, file, strict=True))) for file in files)
    return ScoopedRow(**given, files=read)


_FIELDS = (*(f.name for f in dataclasses.fields(ScoopedRow) if f.name != "files"), "files")
_FILE_FIELDS = tuple(f.name for f in dataclasses.fields(FileRead))
_fields_of = operator.attrgetter(*_FIELDS)
_file_fields_of = operator.attrgetter(*_FILE_FIELDS)


def _scoop_chunk(
    calls: Sequence[tuple[ScoopItem, Any]], chunk: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Do the work of one chunk in a worker process; return plain rows."""
    from soops.kernel.table import workers

    items = tuple(dataclasses.replace(item, scraper=workers.restore(sent)) for item, sent in calls)
    info = ScoopInfo(items=items)
    return [_plain(scoop_directory(directory, info, _no_name)) for directory in chunk]


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
