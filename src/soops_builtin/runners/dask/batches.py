"""From jobs that wait to tasks of dask: a task holds jobs that run one after the other."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from soops.api import Job
from soops_builtin.runners.dask.courier import Parcel, enter

__all__ = ["Batch", "cut", "hand_over"]

#: Tokens and jobs.
Batch = list[tuple[str, Job]]


def cut(backlog: deque[tuple[str, Job]], size: int, room: int) -> list[Batch]:
    """Take jobs from the front of those that wait.

    Parameters
    ----------
    backlog : deque of (str, Job)
        It gets shorter.
    size : int
        Jobs in a batch at most; all of them need the same resources.
    room : int
        Batches at most; when there are few jobs, each gets some.
    """
    batches: list[Batch] = []
    while backlog and len(batches) < room:
        most = min(size, max(1, len(backlog) // (room - len(batches))))
        batch = [backlog.popleft()]
        needs = batch[0][1].resources
        while len(batch) < most and backlog and backlog[0][1].resources == needs:
            batch.append(backlog.popleft())
        batches.append(batch)
    return batches


def hand_over(
    client: Any,
    batches: Sequence[Batch],
    keys: Sequence[Any],
    how: Mapping[str, Any],
    fields: Callable[[Job], dict[str, Any]],
) -> Iterator[tuple[Any, Batch, Any]]:
    """Submit batches, with these fields of each job; give the key, batch and future of each.

    The resources of a run are those of its task, which dask takes from those of a worker.
    """
    pairs = zip(keys, batches, strict=True)
    for needs, group in itertools.groupby(pairs, lambda pair: pair[1][0][1].resources):
        names, some = zip(*group, strict=True)
        # Of a resource that a worker does not have it cannot give 0, either.
        wanted = {name: amount for name, amount in needs.items() if amount}
        more = {"resources": wanted} if wanted else {}
        given = [Parcel([(token, fields(job)) for token, job in batch]) for batch in some]
        futures = client.map(enter, given, key=list(names), pure=False, retries=0, **how, **more)
        yield from zip(names, some, futures, strict=True)
