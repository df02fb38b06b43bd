"""What happens on a node: ``python -m soops_slurm.batch DIRECTORY TASK``.

The runs of a task happen in slots, as they do on the machine of the driver. A slot ends the
whole tree of a run, and ends itself when this process does, however the scheduler goes about it.
A scheduler may start a task twice under one id: the token that a slot makes in the run directory
keeps the second copy out.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from soops.api import Job, Outcome, Slot, State, Update, Usage, Watch
from soops_slurm.spool import Array, read_array

__all__ = ["main", "outcome_from", "outcome_to"]

#: Seconds between two looks for what the driver asks.
LOOK = 1.0
#: Signals by which schedulers end the processes of a task.
ENDING = ("SIGTERM", "SIGKILL")
#: Seconds between the end of a run by one of them and the same signal here, at most.
NOTICE = 2.0


class Task:
    """The runs of one task.

    Parameters
    ----------
    array : Array
        What was submitted.
    number : int
        Which of its tasks.
    """

    def __init__(self, array: Array, number: int) -> None:
        self._array, self._number = array, number
        self._waiting: deque[tuple[int, Job]] = deque(enumerate(array.tasks[number]))
        self._running: dict[str, tuple[int, Slot]] = {}
        self._idle: list[Slot] = []
        self._watch: Watch[Slot] = Watch()
        self._ending = False
        self._out = os.open(
            array.directory / f"told-{number}",
            os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC,
            0o666,
        )

    def run(self) -> None:
        """Run them all; after a SIGTERM end them all."""
        signal.signal(signal.SIGTERM, self._end)
        self._tell(host=os.uname().nodename)
        while self._waiting or self._running:
            self._fill()
            for slot in [slot for _, slot in self._running.values() if slot.unsent]:
                slot.flush()
            unsent = any(slot.unsent for _, slot in self._running.values())
            for slot in self._watch.wait(0.005 if unsent else LOOK):
                self._hear(slot)
            self._obey()
        for slot in self._idle:
            slot.close()
        if self._ending:  # PBS and LSF tell by it that the task did not end by itself
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    def _end(self, number: int, frame: object) -> None:
        self._ending = True

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._array.parallel and not self._ending:
            number, job = self._waiting.popleft()
            if self._asked("drop", number) or self._asked("stop", number):
                outcome = Outcome(state=State.CANCELLED, cause="cancelled", message="not started")
                self._tell(run=number, outcome=outcome_to(outcome))
                continue
            token = f"{self._array.name}-{self._number}-{number}"
            slot = self._slot_for(job.launch)
            self._running[token] = number, slot
            slot.send(token, job, claim=token)

    def _slot_for(self, launch: str) -> Slot:
        for slot in self._idle:
            if slot.launch == launch:
                self._idle.remove(slot)
                return slot
        slot = Slot(launch)
        slot.start()
        self._watch.add(slot.fileno(), slot)
        return slot

    def _hear(self, slot: Slot) -> None:
        fd = slot.fileno()
        for update in slot.receive():
            self._understand(update, slot)
        if not slot.alive:
            self._watch.remove(fd)
            if slot in self._idle:
                self._idle.remove(slot)

    def _understand(self, update: Update, slot: Slot) -> None:
        number = self._running[update.token][0]
        outcome = update.outcome
        if outcome is None:
            self._tell(run=number, pid=update.pid)
            return
        del self._running[update.token]
        self._idle.append(slot)
        if outcome.signal in ENDING and not self._ending:
            self._expect_end()  # all processes are signalled of a task, the run perhaps first
        if self._ending and outcome.state is State.FAILED:
            outcome = replace(outcome, state=State.LOST, cause="lost")
        if outcome.cause != "copy":  # the one that was first will answer
            self._tell(run=number, outcome=outcome_to(outcome))

    def _expect_end(self) -> None:
        limit = time.monotonic() + NOTICE
        while not self._ending and time.monotonic() < limit:
            time.sleep(0.02)

    def _obey(self) -> None:
        """End what the driver, or the scheduler, does not want any more."""
        if self._ending:
            self._waiting.clear()
            for _, slot in self._running.values():
                slot.hang_up()
            return
        for token, (number, slot) in self._running.items():
            if self._asked("stop", number):
                slot.cancel(token)

    def _asked(self, what: str, number: int) -> bool:
        return (self._array.directory / f"{what}-{self._number}-{number}").exists()

    def _tell(self, **message: Any) -> None:
        os.write(self._out, json.dumps(message).encode() + b"\n")


def outcome_to(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain values."""
    plain = {name: getattr(outcome, name) for name in Outcome.__slots__}
    usage = {name: getattr(outcome.usage, name) for name in Usage.__slots__}
    return {**plain, "state": str(outcome.state), "usage": usage}


def outcome_from(plain: dict[str, Any]) -> Outcome:
    """Return the outcome that :func:`outcome_to` was given."""
    usage = Usage(**plain["usage"])
    return Outcome(**{**plain, "state": State(plain["state"]), "usage": usage})


def main(argv: Sequence[str]) -> None:
    """Run one task; ``argv`` is the directory of its array, and its number."""
    Task(read_array(Path(argv[0])), int(argv[1])).run()


if __name__ == "__main__":
    main(sys.argv[1:])
