"""What a study comes to before it is run: sets of each block, what is to do, how long it takes.

Used by ``soops.study``, for the commands ``check`` and ``preview``. Nothing is written.
"""

from __future__ import annotations

import itertools
from collections import deque

from soops.kernel.records.query import find_runs
from soops.kernel.runs.passes import planned
from soops.kernel.runs.prepare import Prepared
from soops.kernel.study.blocks import Block, UnionSpace
from soops.kernel.values import Decision, PlannedRun, RunInfo, State
from soops.kernel.values.frozen import dataclass

__all__ = ["BlockSize", "Outline", "outline"]

#: Sets that are counted; of more it is said how many there are at most.
COUNTED = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSize:
    """The sets of one block, those that other blocks have too included."""

    name: str
    sets: int
    is_exact: bool = True
    """Whether they were counted; otherwise it is the most that there can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a study comes to.

    Attributes
    ----------
    sets : int
        Different parameter sets that were planned; ``is_whole``: there are no more.
    to_run, to_skip : int
        What a pass would do with them.
    first, last : tuple of PlannedRun
        The ends of the plan; they do not overlap.
    seconds : float, optional
        A guess at how long a pass takes: the mean time of the runs that are done, by the
        runs to do, over the workers. None: none is done yet.
    measured : int
        How many runs the guess is made from.
    """

    name: str
    info: RunInfo
    keys: tuple[str, ...]
    blocks: tuple[BlockSize, ...]
    sets: int
    is_whole: bool
    to_run: int
    to_skip: int
    n_workers: int
    first: tuple[PlannedRun, ...] = ()
    last: tuple[PlannedRun, ...] = ()
    seconds: float | None = None
    measured: int = 0
    warnings: tuple[str, ...] = ()


def outline(prepared: Prepared, *, ends: int = 0) -> Outline:
    """Go through the plan of a study.

    Parameters
    ----------
    prepared : Prepared
        The study.
    ends : int
        How many sets to keep of the beginning and of the end.
    """
    first: list[PlannedRun] = []
    last: deque[PlannedRun] = deque(maxlen=max(ends, 0))
    count = to_run = 0
    runs = planned(prepared)
    for run in itertools.islice(runs, COUNTED):
        count += 1
        to_run += run.decision is not Decision.SKIP
        if len(first) < ends:
            first.append(run)
        else:
            last.append(run)
    is_whole = next(runs, None) is None
    runs.close()
    times = _times(prepared)
    workers = prepared.options.n_workers
    mean = sum(times) / len(times) if times else None
    return Outline(
        name=prepared.run.study.name,
        info=prepared.info,
        keys=prepared.run.key_order,
        blocks=tuple(_sizes(prepared)),
        sets=count,
        is_whole=is_whole,
        to_run=to_run,
        to_skip=count - to_run,
        n_workers=workers,
        first=tuple(first),
        last=tuple(last),
        seconds=None if mean is None else mean * to_run / workers,
        measured=len(times),
        warnings=prepared.warnings,
    )


def _sizes(prepared: Prepared) -> list[BlockSize]:
    space = prepared.space
    if not isinstance(space, UnionSpace):
        return []
    names = [block.name for block in prepared.run.study.blocks] or [prepared.run.study.name]
    return [_size(name, block) for name, block in zip(names, space.blocks, strict=True)]


def _size(name: str, block: Block) -> BlockSize:
    if not block.where or len(block.space) > COUNTED:
        return BlockSize(name=name, sets=len(block.space), is_exact=not block.where)
    return BlockSize(name=name, sets=sum(1 for _ in block))


def _times(prepared: Prepared) -> list[float]:
    """Return the seconds that the runs took which are done."""
    if not prepared.run.root.is_dir():
        return []
    found = find_runs([str(prepared.run.root)], states=[State.DONE.value])
    return [run.elapsed for run in found if run.elapsed is not None]
