"""What happens on a dask worker: jobs of one task run in the slot of its thread, one by one.

Dask runs a task at least once: when it gives a worker up, its tasks start again elsewhere. So
each job has a claim on its run directory (see ``soops.api.Slot.send``), and what a job came to
is told at once, not with the result of the task. A worker that has lost contact with its
scheduler ends its runs when the lease is over. Dask is imported only inside functions.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from soops.api import Job, Outcome, Slot, State, Update, Usage, thread_slot
from soops_builtin.runners.dask.contact import contact_of
from soops_builtin.runners.dask.stage import Stage

__all__ = ["NOT_STARTED", "from_message", "look_for", "run_batch", "stop", "to_message"]

#: Seconds that a file which the driver wrote may need to appear here.
APPEARS = 5.0
#: Seconds for which the outcomes of short jobs are gathered into one message.
TELL = 0.05

NOT_STARTED = Outcome(state=State.CANCELLED, cause="cancelled", message="it was not started")

_lock = threading.Lock()
_held: set[str] = set()
_running: dict[str, Slot] = {}
_stopped: set[str] = set()
_seen: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """What the thread of a task can ask its worker."""

    tell: Callable[[dict[str, Any]], None]
    """Tell the driver something."""
    is_wanted: Callable[[], bool]
    """Whether the driver still wants this task, as far as this worker knows."""
    begins: Callable[[], bool]
    """Whether there is contact with the scheduler now."""
    lasts: Callable[[], bool]
    """Whether there was within the lease."""
    left: Callable[[], float]
    """How many seconds of the lease are left."""
    address: str
    place: str
    """Its local directory."""


def run_batch(
    batch: Sequence[tuple[str, Mapping[str, Any]]], topic: str, lease: float, sign: str = ""
) -> dict[str, dict[str, Any]]:
    """Run jobs one after the other.

    Parameters
    ----------
    batch : sequence of (str, mapping)
        Tokens, and the fields of jobs.
    topic : str
        Where the driver listens: to ``{"running": [token, pid, host]}`` of a job that lasts,
        ``{"back": [token, ...]}`` of those that would have to wait for it,
        ``{"ended": {token: message}}``, and ``{"blind": host}`` when the runs root is not here;
        of jobs with ``inputs`` to ``{"begun": [token, address]}`` and, in the place of their end,
        to ``{"staged": [token, address, message]}``: their files are to be fetched.
    lease : float
        Seconds without contact to the scheduler after which runs are ended.
    sign : str
        A file in the runs root, which shows that it is seen from here; empty: do not look.

    Returns
    -------
    dict
        Token to message, for a driver that did not hear it.
    """
    worker = _worker(topic, lease)
    host, sees = look_for(sign)
    if not sees:
        worker.tell({"blind": host})
        return {token: to_message(NOT_STARTED) for token, _ in batch}
    ended: dict[str, dict[str, Any]] = {}
    untold: list[str] = []
    told_at = time.monotonic()
    inputs = {token: fields["inputs"] for token, fields in batch if "inputs" in fields}
    waiting = {
        token: Job(**{name: value for name, value in fields.items() if name != "inputs"})
        for token, fields in batch
    }
    with _lock:
        _held.update(waiting)

    def on_running(update: Update) -> None:
        worker.tell({"running": [update.token, update.pid, update.host]})
        if waiting:
            worker.tell({"back": list(waiting)})
            with _lock:
                _held.difference_update(waiting)
            waiting.clear()

    try:
        while waiting:
            token = next(iter(waiting))
            job = waiting.pop(token)
            if token in inputs:
                outcome, told = _run_staged(token, job, inputs[token], on_running, worker)
            else:
                outcome, told = _run_one(token, job, on_running, worker), False
            ended[token] = to_message(outcome)
            if not told:
                untold.append(token)
            if untold and (not waiting or time.monotonic() - told_at > TELL):
                worker.tell({"ended": {token: ended[token] for token in untold}})
                untold.clear()
                told_at = time.monotonic()
    finally:
        with _lock:
            _held.difference_update(token for token, _ in batch)
    return ended


def look_for(sign: str) -> tuple[str, bool]:
    """Return the name of this host, and whether a file is seen from it.

    Parameters
    ----------
    sign : str
        Was written on another host just now: a network file system may be late.
    """
    host = socket.gethostname()
    limit = time.monotonic() + APPEARS
    while sign and sign not in _seen:
        if Path(sign).exists():
            _seen.add(sign)
        elif time.monotonic() > limit:
            return host, False
        else:
            time.sleep(0.05)
    return host, True


def stop(tokens: Sequence[str], begun: bool) -> list[str]:
    """Let these jobs not begin here; return those that will be answered for.

    Parameters
    ----------
    tokens : sequence of str
        Some may be unknown here.
    begun : bool
        End those of them that run, too.
    """
    with _lock:
        for token in tokens:
            if token not in _running:
                _stopped.add(token)
            elif begun:
                _running[token].cancel(token)
        return [token for token in tokens if token in _held]


def to_message(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain values."""
    fields = {name: getattr(outcome, name) for name in Outcome.__slots__}
    usage = {name: getattr(outcome.usage, name) for name in Usage.__slots__}
    return {**fields, "state": str(outcome.state), "usage": usage}


def from_message(message: Mapping[str, Any]) -> Outcome:
    """Return the outcome that :func:`to_message` was given."""
    fields = dict(message)
    fields["state"] = State(fields["state"])
    fields["usage"] = Usage(**fields["usage"])
    return Outcome(**fields)


def _run_one(
    token: str, job: Job, on_running: Callable[[Update], None], worker: _Worker
) -> Outcome:
    if not worker.begins():
        return Outcome(state=State.LOST, cause="node", message="no contact with the scheduler")
    slot = thread_slot(job.launch)
    with _lock:
        if token in _stopped or not worker.is_wanted():
            return NOT_STARTED
        slot.send(token, job, claim=token, lease=worker.left())
        _running[token] = slot
    why = ""

    def on_tick() -> None:
        nonlocal why
        if not worker.lasts():
            why = why or "ended by its worker, which had no contact with the scheduler"
        elif not worker.is_wanted():
            why = why or "ended by its worker, which was closed, or had to give it back"
        if why:
            # Nobody cancelled it: it is lost, and its token shall say so.
            slot.hang_up()
        else:  # the slot itself ends the run when this thread hangs
            slot.renew(token, worker.left())

    try:
        outcome = slot.wait(token, on_running, on_tick)
    finally:
        with _lock:
            del _running[token]
    if why or outcome.cause == "lost":
        slot.close()  # it ends: nothing more shall be sent to it
    if why and outcome.state is State.LOST:
        outcome = replace(outcome, cause="node", message=why)
    return outcome


def _run_staged(
    token: str,
    job: Job,
    inputs: Mapping[str, bytes],
    on_running: Callable[[Update], None],
    worker: _Worker,
) -> tuple[Outcome, bool]:
    """Run a job in a scratch directory; wait until the driver has fetched what it left.

    Also return whether the driver knows of the end.
    """
    with closing(Stage(token, job, inputs, worker.place)) as stage:
        worker.tell({"begun": [token, worker.address]})
        outcome = _run_one(token, stage.job, on_running, worker)
        if outcome.state is State.LOST or outcome.started is None:
            return outcome, False
        stage.offer()
        worker.tell({"staged": [token, worker.address, to_message(outcome)]})
        while not stage.fetched.wait(1.0):
            if not (worker.is_wanted() and worker.lasts()):
                text = "its worker had to give it up before its files were fetched"
                return Outcome(state=State.LOST, cause="node", message=text), False
        return outcome, True


def _worker(topic: str, lease: float) -> _Worker:
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    contact = contact_of(worker)

    def is_wanted() -> bool:
        # A task is cancelled when its driver has gone; its thread is told of nothing.
        if worker.status.name in ("closing", "closed", "failed"):
            return False
        task = worker.state.tasks.get(key)
        return task is not None and task.state not in ("cancelled", "released")

    return _Worker(
        tell=lambda message: worker.log_event(topic, message),
        is_wanted=is_wanted,
        begins=lambda: contact.begins(lease),
        lasts=lambda: contact.lasts(lease),
        left=lambda: contact.left(lease),
        address=worker.address,
        place=worker.local_directory,
    )


def leave_group(driver: int) -> None:
    """Let Ctrl-C on the terminal of the driver reach the driver alone."""
    if os.getpid() != driver:
        os.setpgid(0, 0)
