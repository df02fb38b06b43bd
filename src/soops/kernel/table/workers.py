"""Work on chunks in several processes, in order; how functions are sent to them.

Imported by ``scoop`` only. The processes are spawned without the user's main module:
a notebook or an unguarded script must not be run again by reading a table.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import signal
import sys
import types
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any, TypeVar

from soops.kernel.errors import StudyError
from soops.kernel.plugging.registry import import_target
from soops.kernel.plugging.specs import ScraperSpec
from soops.kernel.plugging.usermodule import import_script

__all__ = ["Sent", "map_chunks", "restore", "send"]

T = TypeVar("T")
R = TypeVar("R")

#: Chunks for each process that are under way, or done and not asked for.
AHEAD = 16
#: After so many dead processes the function is at fault, not a directory.
MAX_DEATHS = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """A function by the place where it can be found again in another process."""

    script: str
    """Path of a script, or an empty string."""
    module: str
    name: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()


def send(function: Any) -> Sent | None:
    """Return how another process finds a function; None when it cannot.

    Functions of scripts and of installed modules are found by name, and so are partial
    applications of them. Lambdas, closures, methods and what stands in ``__main__`` are not.
    """
    if isinstance(function, functools.partial):
        inner = send(function.func)
        if inner is None:
            return None
        return Sent(
            inner.script,
            inner.module,
            inner.name,
            inner.args + function.args,
            inner.kwargs + tuple(function.keywords.items()),
        )
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    name = getattr(function, "__qualname__", "")
    if module is None or module.__name__ == "__main__" or _find(module, name) is not function:
        return None
    file = getattr(module, "__file__", None) or ""
    is_script = (
        "." not in module.__name__ and file.endswith(".py") and Path(file).stem != "__init__"
    )
    return Sent(file if is_script else "", module.__name__, name)


def restore(sent: Sent) -> Callable[..., Any]:
    """Return the function that :func:`send` described.

    Raises
    ------
    SoopsError, AttributeError
        When this process cannot import it.
    """
    function: Any
    if sent.script:
        function = _find(import_script(Path(sent.script)), sent.name)
        if function is None:
            raise AttributeError(f"{sent.script} has no {sent.name}")
    else:
        target = f"{sent.module}:{sent.name}"
        function = import_target(ScraperSpec(name=sent.name, target=target, provider="scoop"))
    if sent.args or sent.kwargs:
        return functools.partial(function, *sent.args, **dict(sent.kwargs))
    return function  # type: ignore[no-any-return]


def map_chunks(
    work: Callable[[Sequence[T]], list[R]],
    chunks: Iterable[Sequence[T]],
    n_workers: int,
    *,
    here: Callable[[Sequence[T]], list[R]],
    lost: Callable[[T], R],
) -> Generator[list[R], None, None]:
    """Yield ``work(chunk)`` for each chunk, in order, computed by other processes.

    An empty list comes first of all, when the processes have been given their first work.

    Parameters
    ----------
    work : callable
        A module-level function, or a partial application of one.
    chunks : iterable of sequences
        Taken as they are needed: a window is under way, not all of them.
    n_workers : int
        Number of processes.
    here : callable
        Does the same in this process, for a result that cannot be sent.
    lost : callable
        Gives the result of an element whose reading ends the process.
    """
    waiting: deque[tuple[Sequence[T], Future[list[R]] | None]] = deque()
    source = iter(chunks)
    pool = _Processes(n_workers)
    try:
        for step in itertools.count():
            for chunk in source:
                waiting.append((chunk, pool.submit(work, chunk)))
                if len(waiting) >= AHEAD * n_workers:
                    break
            if step == 0:
                yield []
            if not waiting:
                return
            chunk, future = waiting.popleft()
            result = _result(future, chunk, here)
            if result is None:
                # One process died and took the others with it: this chunk is done one
                # by one, so that the blame is certain; the rest starts again.
                pool.restart()
                result = _one_by_one(work, chunk, here, lost)
                waiting = deque((other, pool.submit(work, other)) for other, _ in waiting)
            yield result
    finally:
        pool.close()


def _result(
    future: Future[list[R]] | None,
    chunk: Sequence[T],
    here: Callable[[Sequence[T]], list[R]],
) -> list[R] | None:
    """Return the result of a chunk; None when its process died."""
    if future is None:
        return None
    try:
        return future.result()
    except BrokenProcessPool:
        return None
    except Exception:  # what cannot be imported there or sent back is done here
        return here(chunk)


def _one_by_one(
    work: Callable[[Sequence[T]], list[R]],
    chunk: Sequence[T],
    here: Callable[[Sequence[T]], list[R]],
    lost: Callable[[T], R],
) -> list[R]:
    pool = _Processes(1)
    out: list[R] = []
    try:
        for element in chunk:
            result = _result(pool.submit(work, [element]), [element], here)
            if result is None:
                pool.restart()
                result = [lost(element)]
            out.extend(result)
    finally:
        pool.close()
    return out


class _Processes:
    """A pool that can be started again after one of its processes died."""

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._deaths = 0
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._n_workers, mp_context=_MainlessContext(), initializer=_begin
        )

    def submit(self, work: Callable[..., R], *args: Any) -> Future[R] | None:
        try:
            return self._pool.submit(work, *args)
        except BrokenProcessPool:
            return None

    def restart(self) -> None:
        self._deaths += 1
        if self._deaths > MAX_DEATHS:
            raise StudyError(
                f"reading the run directories ended {self._deaths} processes",
                hint="a scoop function crashes its process; --debug runs it in this one",
            )
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._start()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class _MainlessProcess(SpawnProcess):
    """A spawned process that does not import the main module of its parent."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        # What a process is born with it keeps until it has begun, and so it does not die of
        # Ctrl-C with a traceback while it is still importing.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _no_main():
                return SpawnProcess._Popen(process_obj)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


class _MainlessContext(SpawnContext):
    Process = _MainlessProcess


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin() -> None:
    """Leave Ctrl-C to the driver, which ends its workers."""
    if multiprocessing.parent_process() is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _find(module: types.ModuleType, qualified_name: str) -> Any:
    found: Any = module
    for part in qualified_name.split("."):
        found = getattr(found, part, None)
    return found if callable(found) else None
