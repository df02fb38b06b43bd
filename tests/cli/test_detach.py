"""``soops run --detach``: the queue of a runner keeps the runs, and a later pass takes them on.

The queue of these tests is a directory of job files, and its only worker is the test.
"""

from __future__ import annotations

import json
import pickle
import re

import pytest

from soops.api import Slot

QUEUE = """
import pickle

from soops.api import Outcome, RunnerSpec, State, Update, hookimpl, read_attempt


class QueueRunner:
    def __init__(self, setup):
        self.detach = setup.detach
        self.path = setup.root / ".soops" / "queue"
        self.tokens = {}
        self.size = 3

    def file(self, directory, attempt):
        return self.path / f"{directory.rpartition('/')[2]}-{attempt}"

    def capacity(self):
        return self.size - len(self.tokens)

    def submit(self, jobs):
        self.path.mkdir(exist_ok=True)
        for job in jobs:
            self.file(job.directory, job.attempt).write_bytes(pickle.dumps(job))
        return self.adopt(jobs)

    def held(self, attempts):
        return [pair for pair in attempts if self.file(*pair).exists()]

    def adopt(self, jobs):
        self.tokens.update((job.directory, job) for job in jobs)
        return [job.directory for job in jobs]

    def poll(self, timeout):
        updates = []
        for token, job in list(self.tokens.items()):
            found = read_attempt(job.directory, job.attempt)
            if found is not None and found.outcome is not None and found.over:
                names = ("cause", "returncode", "signal", "started", "ended", "elapsed")
                fields = {name: found.outcome.get(name) for name in names}
                outcome = Outcome(state=State(found.outcome["state"]), **fields)
                del self.tokens[token]
                self.file(job.directory, job.attempt).unlink()
                updates.append(Update(token=token, state=outcome.state, outcome=outcome))
        return updates

    def leave(self):
        return self.poll(0)

    def withdraw(self, tokens):
        self.cancel(tokens)

    def cancel(self, tokens):
        raise AssertionError("nobody wants it")

    def close(self):
        if not self.detach:
            assert not self.tokens


@hookimpl
def soops_runners():
    return [RunnerSpec(name="queue", target="soops_queue:QueueRunner")]
"""
STUDY = "output_dir='out/runs/%s', --n-cell=[1, 2, 3, 4], --mode=ok"


@pytest.fixture
def runs(project, installed_plugin):
    """Return the runs root of a project that has a queue."""
    installed_plugin("soops_queue", QUEUE, distribution="soops-queue")
    return project / "out" / "runs"


def words(*more: str) -> tuple[str, ...]:
    return ("run", "-o", "out", "--runner", "queue", *more, STUDY, "mod.py")


def work(runs, number: int) -> None:
    """Do what a batch system does with the first jobs of its queue."""
    slot = Slot()
    slot.start()
    waiting = sorted((runs / ".soops" / "queue").iterdir())[:number]
    for path in waiting:
        slot.send(path.name, pickle.loads(path.read_bytes()), claim=path.name)
        slot.wait(path.name)
    slot.close()


def standing(typed) -> tuple[str, dict[str, int], int]:
    (item,) = typed("soops-jobs", "--json", "out/runs").json()
    return item["state"], item["counts"], item["finished"]


def test_runs_wait_without_a_driver_and_are_taken_on(runs, typed):
    left = typed("soops", *words("--detach"))
    waiting = standing(typed)
    line = typed("soops-jobs").out
    work(runs, 2)
    half = standing(typed)
    first = typed("soops", *words("--detach"))
    work(runs, 2)
    over = standing(typed)
    last = typed("soops", *words())

    assert (left.code, first.code, last.code) == (0, 0, 0), first.err + last.err
    assert "4 parameter sets: 1 not started, 3 left in the queue in " in left.err
    assert left.err.endswith("; the same command, later, takes them on\n")
    assert waiting == ("queued", {"queued": 3}, 0)
    assert re.fullmatch(rf"\d+ queued 0/4 {re.escape(str(runs))} \(3 queued\)\n", line)
    assert half == ("queued", {"done": 2, "queued": 1}, 2)
    assert "3 runs were under way when the last driver ended; 3 go on" in first.err
    assert "2 done, 2 left in the queue" in first.err
    assert over == ("ended", {"done": 4}, 4)
    assert "2 finished before, 2 done in" in last.err
    assert standing(typed) == ("ended", {"done": 4}, 4)
    assert typed("soops-jobs").err == "no study is running; --all shows the others\n"
    attempts = [json.loads(path.read_text())["attempts"] for path in runs.glob("*/soops-run.json")]
    assert attempts == [1, 1, 1, 1]


def test_runs_in_a_queue_are_not_lost_to_who_looks(runs, typed):
    typed("soops", *words("--detach"))

    found = typed("soops-find", "--json", "out").json()

    assert [run["state"] for run in found] == ["queued"] * 3


def test_runs_in_a_queue_are_not_moved(runs, typed):
    typed("soops", *words("--detach"))

    told = typed("soops", "migrate", "out/runs", "--add", "--tol=1", "--apply")

    assert told.code == 3
    assert "3 runs of 'out/runs' may wait in the queue of the runner 'queue'" in told.err


def test_another_runner_does_not_begin_what_may_begin_in_the_queue(runs, typed):
    typed("soops", *words("--detach"))

    told = typed("soops", "run", "-o", "out", STUDY, "mod.py")
    work(runs, 3)
    last = typed("soops", *words("--detach"))

    assert told.code == 3
    lines = told.err.splitlines()
    assert lines[0] == f"error: 3 runs of '{runs}' may wait in the queue of the runner 'queue'"
    assert "--runner queue first" in lines[1]
    assert len(lines) == 2
    assert "3 done, 1 left in the queue" in last.err, "nothing was lost"


def test_of_a_queue_that_is_gone_one_can_let_go(runs, typed):
    typed("soops", *words("--detach"))
    (runs / ".soops" / "study.json").unlink()

    told = typed("soops", "run", "-o", "out", STUDY, "mod.py")

    assert (told.code, standing(typed)) == (0, ("ended", {"done": 4}, 4)), told.err


def test_a_runner_without_a_queue_cannot_be_left(project, typed):
    told = typed("soops", "run", "-o", "out", "--detach", STUDY, "mod.py")

    assert told.code == 2
    assert told.err == (
        "error: the runner 'local' has no queue that works on without this command\n"
        "  hint: leave --detach out, or choose a runner of a batch system\n"
    )
    assert not (project / "out").exists()
