"""A runner is told of the jobs to come when it is sure that there are some, and not else."""

from __future__ import annotations

import pytest

import soops
from soops.api import App, RunFunctionSpec, RunnerError, RunnerSpec, Slot, StudyError, hookimpl
from soops_builtin.runners.inline import InlineRunner

MODULE = """
def get_run_info():
    return "echo {n} > {output_dir}/out", {}, "output_dir", "out"
"""


class Attentive(InlineRunner):
    """Runs what it is given, and notes what it is told, and when."""

    def __init__(self, setup):
        super().__init__(setup)
        self.root = setup.root

    def expect(self, launch, jobs):
        assert not (self.root / ".soops").exists()
        self.told.append((launch, jobs))

    def close(self):
        super().close()
        self.told.append("closed")


class Plugin:
    def __init__(self, told):
        self.runner = type("Told", (Attentive,), {"told": told})

    @hookimpl
    def soops_runners(self):
        return [RunnerSpec(name="attentive", target=self.runner)]

    @hookimpl
    def soops_run_functions(self):
        return [
            RunFunctionSpec(name="secretive", target=lambda job: job),
            RunFunctionSpec(name="special", target=lambda job: job, launch="my.own:launch"),
        ]


@pytest.fixture
def told():
    return []


@pytest.fixture
def run(tmp_path, monkeypatch, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mod.py").write_text(MODULE)

    def run(values="n=[1, 2, 3]", **options):
        app = App.create()
        app.add(Plugin(told), "attentive")
        text = f"{values}, output_dir='runs/%s'"
        return soops.run(text, "mod.py", app=app, runner="attentive", silent=True, **options)

    return run


def test_of_a_study_that_is_new(run, told):
    assert run().ok
    assert told[0] == (Slot.LAUNCH, 3)


def test_but_not_of_one_that_may_be_finished(run, told):
    run()
    told.clear()
    assert run("n=[1, 2, 3, 4]").counts
    assert set(told) == {"closed"}


def test_with_the_launch_of_the_run_function(run, told):
    run(run_function="special")
    assert told[0] == ("my.own:launch", 3)


def test_but_not_when_that_is_known_of_each_job_only(run, told):
    run(run_function="secretive")
    assert set(told) == {"closed"}


def test_but_not_of_sets_that_nobody_can_count(run, told):
    assert run("n=1", sets=iter([{"n": 7}, {"n": 8}])).ok
    assert set(told) == {"closed"}


def test_and_is_closed_when_the_study_cannot_begin(run, told, tmp_path):
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(StudyError):
        run()
    assert told == [(Slot.LAUNCH, 3), "closed"]


def test_one_that_breaks_then_is_named_and_nothing_is_written(run, told, monkeypatch, tmp_path):
    def broken(runner, launch, jobs):
        raise LookupError("no room")

    monkeypatch.setattr(Attentive, "expect", broken)
    with pytest.raises(RunnerError, match="the runner 'attentive' broke: LookupError: no room"):
        run()
    assert told == ["closed"]
    assert not (tmp_path / "runs").exists()
