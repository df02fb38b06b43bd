"""What soops expects of a runner: tests to inherit, with awkward jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from soops.api import Job, Outcome, Runner, Slot, State, Update
from soops.testing.job_contract import DEAF, JobContract

__all__ = ["RunnerContract", "wait_until"]


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return the first true value of ``condition()``; fail when it takes too long."""
    limit = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < limit, f"waited {seconds:g} s in vain"
        time.sleep(0.005)
    return value


class RunnerContract(JobContract):
    """Inherit this in a test class whose name begins with ``Test``, and override ``runner``::

        class TestMine(RunnerContract):
            @pytest.fixture
            def runner(self, tmp_path):
                runner = MyRunner(RunnerSetup(n_workers=2, root=tmp_path))
                yield runner
                runner.close()

    The workers must see the files and the processes of the test.

    Attributes
    ----------
    parallel : int
        How many jobs it runs at once.
    patience : float
        Seconds that a job may take to come back.
    """

    parallel = 2
    patience = 60.0

    @pytest.fixture
    def runner(self) -> Iterator[Runner]:
        """Yield a new runner, and close it. Override it."""
        raise NotImplementedError("override the fixture `runner`")

    @pytest.fixture
    def run(self, runner: Runner) -> Callable[..., Outcome]:
        """Return ``run(job) -> Outcome``."""

        def run(job: Job) -> Outcome:
            (token,) = runner.submit([job])
            return self.collect(runner, [token])[token]

        return run

    def collect(
        self, runner: Runner, tokens: Sequence[str], updates: list[Update] | None = None
    ) -> dict[str, Outcome]:
        """Poll until all tokens have their outcomes; none may come twice."""
        ended: dict[str, Outcome] = {}
        limit = time.monotonic() + self.patience
        while len(ended) < len(tokens):
            assert time.monotonic() < limit, f"no outcome of {set(tokens) - ended.keys()}"
            for update in runner.poll(0.1):
                if updates is not None:
                    updates.append(update)
                if update.outcome is not None:
                    assert update.token in tokens, f"an outcome of an unknown token {update.token}"
                    assert update.token not in ended, f"a second outcome of {update.token}"
                    assert update.state is update.outcome.state
                    ended[update.token] = update.outcome
        return ended

    # --- jobs come and go

    def test_a_job_is_run_and_told_of_once(self, runner: Runner, make_job: Any) -> None:
        """Its outcome has everything that a record needs."""
        job = make_job("echo out; echo err >&2")
        (token,) = runner.submit([job])
        outcome = self.collect(runner, [token])[token]

        assert outcome.state is State.DONE
        assert (outcome.cause, outcome.returncode, outcome.signal) == ("exit", 0, None)
        assert Path(job.stdout).read_text() == "out\n"
        assert Path(job.stderr).read_text() == "err\n"
        assert outcome.host
        assert outcome.started is not None and outcome.ended is not None
        assert outcome.elapsed is not None and outcome.elapsed >= 0
        assert not [update for update in runner.poll(0.2) if update.outcome is not None]

    def test_it_takes_what_it_says_and_says_what_it_takes(
        self, runner: Runner, make_job: Any
    ) -> None:
        """The capacity goes down with the jobs under way, and comes back."""
        room = runner.capacity()
        assert room >= self.parallel
        tokens = list(runner.submit([make_job("true") for _ in range(room)]))
        assert len(set(tokens)) == room
        assert runner.capacity() <= 0 or runner.capacity() < room
        ended = self.collect(runner, tokens)
        assert {outcome.state for outcome in ended.values()} == {State.DONE}
        assert runner.capacity() >= self.parallel

    def test_tokens_are_never_used_again(self, runner: Runner, make_job: Any) -> None:
        """Many more jobs than it takes at once; each ends once, none is lost."""
        jobs = [make_job(f"exit {number % 7}") for number in range(40)]
        waiting = list(enumerate(jobs))
        numbers: dict[str, int] = {}
        codes: dict[int, int | None] = {}
        limit = time.monotonic() + self.patience
        while len(codes) < len(jobs):
            assert time.monotonic() < limit
            room = max(0, runner.capacity())
            batch, waiting = waiting[:room], waiting[room:]
            if batch:
                tokens = runner.submit([job for _, job in batch])
                assert len(tokens) == len(batch) and not set(tokens) & numbers.keys()
                numbers.update(zip(tokens, (number for number, _ in batch), strict=True))
            for update in runner.poll(0.1):
                if update.outcome is not None:
                    number = numbers[update.token]
                    assert number not in codes
                    codes[number] = update.outcome.returncode
        assert codes == {number: number % 7 for number in range(40)}

    def test_submitting_does_not_wait_for_the_work(self, runner: Runner, make_job: Any) -> None:
        """The jobs cannot end before submit has returned."""
        jobs = [make_job("while [ ! -e gate ]; do sleep 0.01; done") for _ in range(self.parallel)]
        tokens = runner.submit(jobs)
        for job in jobs:
            Path(job.directory, "gate").touch()
        ended = self.collect(runner, list(tokens))
        assert {outcome.state for outcome in ended.values()} == {State.DONE}

    def test_jobs_run_side_by_side(self, runner: Runner, make_job: Any, tmp_path: Path) -> None:
        """As many as it has workers: each waits until all have begun."""
        meet = tmp_path / "meet"
        meet.mkdir()
        command = (
            f"touch '{meet}'/$$; "
            f"while [ $(ls '{meet}' | wc -l) -lt {self.parallel} ]; do sleep 0.01; done"
        )
        tokens = runner.submit([make_job(command) for _ in range(self.parallel)])
        ended = self.collect(runner, list(tokens))
        assert {outcome.state for outcome in ended.values()} == {State.DONE}

    def test_a_job_behind_a_long_one_is_not_held_up(self, runner: Runner, make_job: Any) -> None:
        """A worker that is free takes what was queued for another."""
        if self.parallel < 2:
            pytest.skip("one job at a time")
        gate = make_job("true").directory + "/gate"
        long = make_job(f"while [ ! -e '{gate}' ]; do sleep 0.01; done")
        short = [make_job("true") for _ in range(2 * self.parallel - 1)]
        (long_token,) = runner.submit([long])
        # A queue may take jobs now and then only.
        room = wait_until(lambda: max(0, runner.capacity()) or (runner.poll(0.05) and 0))
        tokens = list(runner.submit(short[:room]))
        ended = self.collect(runner, tokens)
        assert {outcome.state for outcome in ended.values()} == {State.DONE}
        Path(gate).touch()
        assert self.collect(runner, [long_token])[long_token].state is State.DONE

    def test_a_job_that_lasts_is_told_to_run(self, runner: Runner, make_job: Any) -> None:
        """Progress, and the journal, want to know."""
        job = make_job("while [ ! -e gate ]; do sleep 0.01; done")
        (token,) = runner.submit([job])
        seen: list[Update] = []

        def runs() -> bool:
            seen.extend(runner.poll(0.1))
            return any(update.state is State.RUNNING for update in seen)

        wait_until(runs, self.patience)
        Path(job.directory, "gate").touch()
        self.collect(runner, [token], seen)
        assert all(update.token == token for update in seen)

    # --- stopping

    def test_a_running_job_can_be_cancelled(self, runner: Runner, make_job: Any) -> None:
        """With everything that it started; and others go on."""
        job = make_job("sleep 1000 & echo $! > pid; wait")
        (token,) = runner.submit([job])
        pid = Path(job.directory, "pid")
        wait_until(lambda: [runner.poll(0.05)] and self.written(pid), self.patience)
        runner.cancel([token])
        outcome = self.collect(runner, [token])[token]
        assert (outcome.state, outcome.cause) == (State.CANCELLED, "cancelled")
        assert not self.lives(pid)
        (after,) = runner.submit([make_job("true")])
        assert self.collect(runner, [after])[after].state is State.DONE

    def test_queued_jobs_can_be_cancelled(self, runner: Runner, make_job: Any) -> None:
        """They never begin, and each is answered for."""
        gate = Path(make_job("true").directory, "gate")
        hold = [
            make_job(f"while [ ! -e '{gate}' ]; do sleep 0.01; done") for _ in range(self.parallel)
        ]
        holding = list(runner.submit(hold))
        queued = [make_job("touch ran") for _ in range(max(0, runner.capacity()))]
        tokens = list(runner.submit(queued)) if queued else []
        runner.cancel(tokens)
        ended = self.collect(runner, tokens)
        gate.touch()
        self.collect(runner, holding)
        for job, token in zip(queued, tokens, strict=True):
            assert ended[token].state is State.CANCELLED
            assert ended[token].started is None, "what never began has no time of its start"
            assert not Path(job.directory, "ran").exists()

    def test_what_has_begun_is_not_withdrawn(self, runner: Runner, make_job: Any) -> None:
        """The driver may not know yet that it runs; what waits behind it never begins."""
        withdraw = getattr(runner, "withdraw", None)
        if withdraw is None:
            pytest.skip("it cannot take jobs back")
        long = [
            make_job("echo $$ > pid; while [ ! -e gate ]; do sleep 0.01; done")
            for _ in range(self.parallel)
        ]
        begun = list(runner.submit(long))
        pids = [Path(job.directory, "pid") for job in long]
        wait_until(lambda: all(map(self.written, pids)), self.patience)
        queued = [make_job("touch ran") for _ in range(max(0, runner.capacity()))]
        waiting = list(runner.submit(queued)) if queued else []
        withdraw([*begun, *waiting, "no such token"])
        ended = self.collect(runner, waiting)
        for job in long:
            Path(job.directory, "gate").touch()
        outcomes = self.collect(runner, begun)
        assert {outcome.state for outcome in outcomes.values()} == {State.DONE}
        for job, token in zip(queued, waiting, strict=True):
            assert (ended[token].state, ended[token].started) == (State.CANCELLED, None)
            assert not Path(job.directory, "ran").exists()

    def test_what_was_expected_can_differ(self, runner: Runner, make_job: Any) -> None:
        """It may be told of jobs to come; those that do may be fewer, more, or none."""
        expect = getattr(runner, "expect", None)
        if expect is None:
            pytest.skip("it needs no notice")
        expect(Slot.LAUNCH, 1)
        tokens = list(runner.submit([make_job("exit 3") for _ in range(max(1, self.parallel))]))
        ended = self.collect(runner, tokens)
        assert {outcome.returncode for outcome in ended.values()} == {3}
        expect(Slot.LAUNCH, 10)
        runner.close()

    def test_an_ended_job_cannot_be_cancelled(self, runner: Runner, make_job: Any) -> None:
        """Nor an unknown one; nothing happens."""
        (token,) = runner.submit([make_job("true")])
        self.collect(runner, [token])
        runner.cancel([token, "no such token"])
        assert not [update for update in runner.poll(0.1) if update.outcome is not None]

    def test_closing_ends_everything(self, runner: Runner, make_job: Any) -> None:
        """Whatever runs, and however it resists."""
        jobs = [
            make_job(f"'{sys.executable}' -S -c '{DEAF}' pid & wait") for _ in range(self.parallel)
        ]
        runner.submit(jobs)
        pids = [Path(job.directory, "pid") for job in jobs]
        wait_until(lambda: [runner.poll(0.05)] and all(map(self.written, pids)), self.patience)
        runner.close()
        wait_until(lambda: not any(map(self.lives, pids)), self.patience)

    def test_it_can_be_closed_twice(self, runner: Runner) -> None:
        """Once by a study that failed, once by whoever made it."""
        runner.close()
        runner.close()
