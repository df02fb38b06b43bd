"""The loop by itself: a scripted runner, a ledger that only remembers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from soops.kernel.app import App
from soops.kernel.errors import RunnerError, StudyError
from soops.kernel.plugging import discovery
from soops.kernel.records.journal import Entry
from soops.kernel.runs.drive import Drive
from soops.kernel.runs.jobs import JobMaker
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.retry import LOST_TRIES
from soops.kernel.runs.survivors import Survivors
from soops.kernel.values import (
    Decision,
    Outcome,
    ParameterSet,
    PlannedRun,
    RunInfo,
    RunRecord,
    Source,
    State,
    Study,
    StudyRun,
    Update,
    UserModule,
)


def exits(code: int) -> Outcome:
    state = State.DONE if code == 0 else State.FAILED
    return Outcome(state=state, cause="exit", returncode=code, started=1.0, ended=2.0)


class Ledger:
    """Remembers what it was told, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.refuse = ""

    def prepare(self, planned, job):
        if self.refuse == job.key:
            raise StudyError("the disk is full")
        self.events.append(("prepare", f"{job.key}#{job.attempt}"))

    def submitted(self, pairs):
        self.events.extend(("submitted", job.key) for _, job in pairs)

    def running(self, job, update):
        self.events.append(("running", job.key))

    def withdrawn(self, planned, job):
        self.events.append(("withdrawn", job.key))

    def skip(self, planned):
        self.events.append(("skip", planned.directory))

    def ended(self, planned, job, outcome):
        self.events.append((str(outcome.state), f"{job.key}#{job.attempt}"))
        return RunRecord(
            identity="i",
            pkey=planned.parameters.pkey,
            number=planned.number,
            directory=job.key,
            parameters={},
            command=planned.command,
            state=outcome.state,
            cause=outcome.cause,
            returncode=outcome.returncode,
        )

    def tick(self):
        pass

    def flush(self):
        self.events.append(("flush", ""))


class Runner:
    """Ends jobs as scripted: ``script[key]`` is the list of outcomes of its attempts."""

    def __init__(self, script, room=2, on_poll=None):
        self.script = {key: list(outcomes) for key, outcomes in script.items()}
        self.room = room
        self.on_poll = on_poll
        self.jobs = {}
        self.most = 0
        self.cancelled = []
        self.count = 0

    def capacity(self):
        return self.room - len(self.jobs)

    def submit(self, jobs):
        tokens = []
        for job in jobs:
            self.count += 1
            tokens.append(f"t{self.count}")
            self.jobs[tokens[-1]] = job
        self.most = max(self.most, len(self.jobs))
        return tokens

    def poll(self, timeout):
        if self.on_poll is not None:
            self.on_poll(self)
        updates = [
            Update(
                token=token,
                state=State.CANCELLED,
                outcome=Outcome(state=State.CANCELLED, cause="cancelled"),
            )
            for token in self.cancelled
            if self.jobs.pop(token, None)
        ]
        self.cancelled.clear()
        for token, job in list(self.jobs.items())[:1]:
            del self.jobs[token]
            outcome = self.script.get(job.key, [exits(0)])
            updates.append(
                Update(
                    token=token,
                    state=State.DONE,
                    outcome=outcome.pop(0) if len(outcome) > 1 else outcome[0],
                )
            )
        return updates

    def cancel(self, tokens):
        self.cancelled.extend(tokens)

    def close(self):
        pass


def planned(number: int, decision: Decision = Decision.RUN) -> PlannedRun:
    return PlannedRun(
        parameters=ParameterSet(index=number, values={}, pkey=f"p{number}", identity=f"i{number}"),
        number=number,
        directory=f"r{number}",
        command="true",
        decision=decision,
        reason="",
    )


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def build(runner, **options):
        study = StudyRun(
            study=Study(name="s", source=Source(), values={}),
            module=UserModule(name="m", path=Path("m.py")),
            root=tmp_path,
            template="%s",
            output_dir=tmp_path,
            key_order=(),
            runner="fake",
            run_function="fake",
            n_workers=2,
        )
        chosen = RunOptions.create(options)
        info = RunInfo(command="true", options={}, output_key="output_dir", finished="")
        return Drive(
            app=App(discovery.load(())),
            study=study,
            options=chosen,
            runner=runner,
            ledger=Ledger(),
            jobs=JobMaker(info, chosen, lambda job: job, str(tmp_path)),
            accept_exit=(0,),
        )

    return build


def test_every_planned_run_ends_and_the_window_is_kept(make):
    runner = Runner({}, room=3)
    drive = make(runner)
    summary = drive.run(iter([planned(n) for n in range(20)]))
    assert summary.ok
    assert summary.counts == {State.DONE: 20}
    assert runner.most == 3
    ended = [key for what, key in drive.ledger.events if what == "done"]
    assert sorted(ended) == sorted(f"r{n}#1" for n in range(20))
    assert drive.ledger.events[-1][0] == "flush"


def test_what_the_queue_of_the_runner_has_is_adopted_not_submitted(make, tmp_path):
    class Queue(Runner):
        def adopt(self, jobs):
            self.adopted = [(job.key, job.attempt) for job in jobs]
            self.jobs["old"] = jobs[0]
            return ["old"]

    drive = make(Queue({}))
    entry = Entry(directory="r1", attempt=2, number=1, pkey="p1", time="2026-01-01T00:00:00+00:00")
    drive.survivors = Survivors(tmp_path, [entry], ["r1"])

    summary = drive.run(iter([planned(0), planned(1)]))

    assert summary.counts == {State.DONE: 2}
    assert drive.runner.adopted == [("r1", 2)]
    assert drive.runner.count == 1, "the other one was submitted"
    assert [key for what, key in drive.ledger.events if what == "submitted"] == ["r0"]
    assert ("done", "r1#2") in drive.ledger.events


class Keeper(Runner):
    """A queue without workers: of what it was given, ``leave`` answers as scripted."""

    def __init__(self, script=(), room=10):
        super().__init__(dict(script), room)
        self.leaves = 0

    def poll(self, timeout):
        return []

    def leave(self):
        self.leaves += 1
        updates = []
        for token, job in list(self.jobs.items()):
            for outcome in self.script.get(job.key, [])[:1]:
                self.script[job.key].pop(0)
                del self.jobs[token]
                updates.append(Update(token=token, state=outcome.state, outcome=outcome))
        return updates


NEVER = Outcome(state=State.CANCELLED, cause="cancelled")


def test_with_detach_the_runner_keeps_what_it_has_and_the_driver_leaves(make):
    drive = make(Keeper({"r1": [exits(0)], "r2": [NEVER]}), detach=True)

    summary = drive.run(iter([planned(n) for n in range(4)]))

    assert summary.ok
    assert (summary.total, summary.left, summary.remaining) == (4, 2, 1)
    assert summary.counts == {State.DONE: 1}
    ends = [event for event in drive.ledger.events if event[0] in ("done", "withdrawn")]
    assert ends == [("done", "r1#1"), ("withdrawn", "r2")], "the others stay in the journal"
    assert not drive.runner.cancelled


def test_with_detach_a_full_queue_is_no_reason_to_stay(make):
    drive = make(Keeper(room=2), detach=True)
    skipped = planned(3, Decision.SKIP)

    summary = drive.run(iter([planned(0), planned(1), planned(2), skipped, planned(4)]))

    assert (summary.total, summary.left, summary.remaining, summary.skipped) == (5, 2, 2, 1)
    assert ("skip", "r3") in drive.ledger.events
    assert [key for what, key in drive.ledger.events if what == "submitted"] == ["r0", "r1"]


def test_with_detach_an_error_of_the_plan_is_raised_when_what_is_under_way_has_ended(make):
    class Full(Keeper):
        poll = Runner.poll

    def plan():
        yield planned(0)
        yield planned(1)
        raise StudyError("the check raised")

    drive = make(Full(room=1), detach=True)

    with pytest.raises(StudyError, match="the check raised"):
        drive.run(plan())
    assert drive.runner.leaves == 0
    assert ("done", "r0#1") in drive.ledger.events, "it was not left, and not cancelled"


def test_with_detach_what_failed_by_now_is_tried_again_before(make):
    drive = make(Keeper({"r0": [exits(1)]}), detach=True, retries=1)

    summary = drive.run(iter([planned(0), planned(1)]))

    assert (summary.left, summary.counts, drive.runner.leaves) == (2, {}, 2)
    assert [key for what, key in drive.ledger.events if what == "prepare"][-1] == "r0#2"


def test_with_detach_an_interrupt_means_what_it_always_means(make):
    class Interrupted(Keeper):
        def leave(self):
            drive.interrupts += 1
            return super().leave()

        poll = Runner.poll

    drive = make(Interrupted(), detach=True)

    summary = drive.run(iter([planned(0), planned(1)]))

    assert summary.interrupted
    assert (summary.left, summary.remaining, summary.counts) == (0, 1, {State.DONE: 1})


def test_skipped_sets_are_counted_and_told(make):
    drive = make(Runner({}))
    summary = drive.run(iter([planned(0, Decision.SKIP), planned(1), planned(2, Decision.SKIP)]))
    assert (summary.total, summary.skipped, summary.counts) == (3, 2, {State.DONE: 1})


def test_a_run_is_in_the_journal_before_its_directory_is_touched(make):
    drive = make(Runner({}))
    drive.run(iter([planned(0)]))
    assert [what for what, _ in drive.ledger.events][:3] == ["submitted", "prepare", "done"]


def test_failed_runs_are_tried_again_and_each_attempt_has_its_number(make):
    drive = make(Runner({"r0": [exits(1), exits(1), exits(0)]}), retries=2)
    summary = drive.run(iter([planned(0)]))
    assert summary.ok
    assert [key for what, key in drive.ledger.events if what == "prepare"] == [
        "r0#1",
        "r0#2",
        "r0#3",
    ]


def test_retries_have_an_end(make):
    drive = make(Runner({"r0": [exits(1)]}), retries=2)
    summary = drive.run(iter([planned(0)]))
    assert summary.counts == {State.FAILED: 1}
    assert not summary.ok
    assert [record.directory for record in summary.failures] == ["r0"]


def test_lost_runs_are_tried_again_without_being_asked(make):
    lost = Outcome(state=State.LOST, cause="node")
    drive = make(Runner({"r0": [lost]}))
    summary = drive.run(iter([planned(0)]))
    assert summary.counts == {State.LOST: 1}
    assert len([1 for what, _ in drive.ledger.events if what == "prepare"]) == LOST_TRIES


def test_accepted_exit_codes_decide(make):
    drive = make(Runner({"r0": [exits(3)]}))
    drive.accept_exit = frozenset({0, 3})
    assert drive.run(iter([planned(0)])).ok


def test_max_failures_starts_nothing_more(make):
    runner = Runner({f"r{n}": [exits(1)] for n in range(10)}, room=1)
    summary = make(runner, max_failures=2).run(iter([planned(n) for n in range(10)]))
    assert summary.counts == {State.FAILED: 2}
    assert "--max-failures 2" in summary.stopped
    assert not summary.ok


def test_first_interrupt_drains_and_withdraws_what_has_not_begun(make):
    def interrupt(runner):
        if runner.count == 2 and not runner.cancelled:
            os.kill(os.getpid(), signal.SIGINT)
            runner.on_poll = None

    runner = Runner({}, room=2, on_poll=interrupt)
    drive = make(runner)
    summary = drive.run(iter([planned(n) for n in range(10)]))
    assert summary.interrupted
    assert not summary.ok
    submitted = [key for what, key in drive.ledger.events if what == "submitted"]
    assert submitted == ["r0", "r1"]
    assert "withdrawn" in {what for what, _ in drive.ledger.events}


def test_a_broken_runner_is_named_and_its_runs_are_lost(make):
    def broken(runner):
        raise RuntimeError("no cable")

    drive = make(Runner({}, on_poll=broken))
    with pytest.raises(RunnerError, match="no cable"):
        drive.run(iter([planned(0)]))
    assert ("lost", "r0#1") in drive.ledger.events


def test_a_runner_that_gives_up_may_name_what_never_began(make):
    def gives_up(runner):
        error = RunnerError("no cable")
        error.unbegun = {"t2"}
        raise error

    drive = make(Runner({}, on_poll=gives_up))
    with pytest.raises(RunnerError, match="no cable"):
        drive.run(iter([planned(0), planned(1)]))
    assert ("lost", "r0#1") in drive.ledger.events
    assert [what for what, key in drive.ledger.events if key.startswith("r1")][-1] == "withdrawn"


def test_a_plan_that_raises_lets_the_others_end_first(make):
    def plan():
        yield planned(0)
        raise StudyError("the check raised")

    drive = make(Runner({}))
    with pytest.raises(StudyError, match="the check raised"):
        drive.run(plan())
    assert ("done", "r0#1") in drive.ledger.events


def test_a_directory_that_cannot_be_made_ends_the_pass_with_its_error(make):
    drive = make(Runner({}, room=1))
    drive.ledger.refuse = "r1"
    with pytest.raises(StudyError, match="the disk is full"):
        drive.run(iter([planned(0), planned(1), planned(2)]))
    assert ("done", "r0#1") in drive.ledger.events


def test_what_is_done_is_passed_over_without_waiting_for_anything(make, monkeypatch):
    monkeypatch.setattr("soops.kernel.runs.drive.GLANCE", 10)
    runner = Runner({})
    waits = []
    poll = runner.poll

    def noting(timeout):
        waits.append(timeout)
        return poll(timeout)

    runner.poll = noting
    drive = make(runner)

    summary = drive.run(iter([*(planned(n, Decision.SKIP) for n in range(95)), planned(95)]))

    assert (summary.skipped, summary.counts) == (95, {State.DONE: 1})
    assert waits[:9] == [0.0] * 9
