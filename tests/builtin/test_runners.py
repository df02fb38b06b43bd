"""The builtin runners keep the contract of runners; and what is special in each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from soops.api import App, RunnerError, RunnerSetup, Slot, State, UsageError, read_attempt
from soops.testing import RunnerContract, wait_until
from soops_builtin.runners.dask import cluster as dask_cluster
from soops_builtin.runners.dask.runner import DaskOptions, DaskRunner
from soops_builtin.runners.inline import InlineRunner
from soops_builtin.runners.local import LocalRunner
from soops_builtin.runners.pace import Pace


class TestInline(RunnerContract):
    parallel = 1

    @pytest.fixture
    def runner(self, tmp_path) -> Iterator[InlineRunner]:
        runner = InlineRunner(RunnerSetup(n_workers=4, root=tmp_path))
        yield runner
        runner.close()

    def test_it_takes_one_job_at_a_time(self, runner, make_job):
        assert runner.capacity() == 1
        (token,) = runner.submit([make_job("true")])
        assert runner.capacity() == 0
        self.collect(runner, [token])
        assert runner.capacity() == 1


class TestLocal(RunnerContract):
    @pytest.fixture
    def runner(self, tmp_path) -> Iterator[LocalRunner]:
        runner = LocalRunner(RunnerSetup(n_workers=2, root=tmp_path))
        yield runner
        runner.close()

    def test_it_queues_one_job_for_each_worker(self, runner, make_job):
        assert runner.capacity() == 4

    def test_many_short_jobs_are_queued_and_a_long_one_holds_up_none(
        self, runner, make_job, monkeypatch
    ):
        monkeypatch.setattr(Pace, "STOCK", 100.0)  # so that a slow machine, too, has short jobs
        while runner.capacity() < 2 * (1 + Pace.MOST):
            tokens = runner.submit([make_job("true") for _ in range(4)])
            self.collect(runner, list(tokens))
        gate = Path(make_job("true").directory, "gate")
        long = make_job(f"while [ ! -e '{gate}' ]; do sleep 0.01; done")
        short = [make_job("exit 3") for _ in range(runner.capacity() - 1)]

        long_token, *tokens = runner.submit([long, *short])

        assert not runner._backlog
        ended = self.collect(runner, tokens)
        assert {outcome.returncode for outcome in ended.values()} == {3}
        gate.touch()
        assert self.collect(runner, [long_token])[long_token].state is State.DONE

    def test_it_starts_no_more_slots_than_jobs(self, runner, make_job):
        (token,) = runner.submit([make_job("true")])
        self.collect(runner, [token])
        assert len(runner._slots) == 1

    def test_slots_for_jobs_to_come_are_started_before_and_get_them(self, runner, make_job):
        runner.expect(Slot.LAUNCH, 1000)
        pids = [slot.pid for slot in runner._slots]
        assert len(pids) == 2
        jobs = [make_job("exit 3", launch=Slot.LAUNCH) for _ in range(4)]
        ended = self.collect(runner, list(runner.submit(jobs)))
        assert {outcome.returncode for outcome in ended.values()} == {3}
        assert [slot.pid for slot in runner._slots] == pids

    def test_no_more_slots_are_started_before_than_there_will_be_jobs(self, runner):
        runner.expect(Slot.LAUNCH, 1)
        assert len(runner._slots) == 1

    def test_what_a_plugin_puts_into_the_environment_reaches_runs(
        self, runner, make_job, monkeypatch
    ):
        """Slots started before have the old one."""
        runner.expect(Slot.LAUNCH, 2)
        monkeypatch.setenv("LATE", "5")
        jobs = [make_job("exit $LATE", launch=Slot.LAUNCH) for _ in range(3)]
        ended = self.collect(runner, list(runner.submit(jobs)))
        assert {outcome.returncode for outcome in ended.values()} == {5}

    def test_what_runs_is_not_ended_for_a_new_environment(self, runner, make_job, monkeypatch):
        """A runner may be told of jobs again."""
        job = make_job("while [ ! -e gate ]; do sleep 0.01; done; exit 4", launch=Slot.LAUNCH)
        (running,) = runner.submit([job])
        runner.expect(Slot.LAUNCH, 2)
        monkeypatch.setenv("LATE", "5")
        (token,) = runner.submit([make_job("exit $LATE", launch=Slot.LAUNCH)])
        assert self.collect(runner, [token])[token].returncode == 5
        Path(job.directory, "gate").touch()
        assert self.collect(runner, [running])[running].returncode == 4

    def test_what_is_queued_is_not_told_to_run(self, runner, make_job):
        """The first Ctrl-C takes back what is queued, and waits for what runs."""
        jobs = [make_job("while [ ! -e gate ]; do sleep 0.01; done") for _ in range(4)]
        tokens = runner.submit(jobs)
        running = {update.token for update in runner.poll(0)}
        assert running == set(tokens[:2])
        for job in jobs[:2]:
            Path(job.directory, "gate").touch()
        updates = []

        def told() -> set[str]:
            updates.extend(runner.poll(0.1))
            return {item.token for item in updates if item.state is State.RUNNING}

        wait_until(lambda: told() >= set(tokens[2:]))
        for job in jobs[2:]:
            Path(job.directory, "gate").touch()
        ended = {item.token for item in updates if item.outcome is not None}
        self.collect(runner, [token for token in tokens if token not in ended])

    def test_a_worker_that_dies_costs_its_run_and_no_other(self, runner, make_job):
        lost = make_job("touch up; while [ ! -e gate ]; do sleep 0.01; done")
        (token,) = runner.submit([lost])
        wait_until(lambda: [runner.poll(0.05)] and Path(lost.directory, "up").exists())
        slot = runner._where[token]
        others = list(runner.submit([make_job("exit 3") for _ in range(3)]))
        wait_until(lambda: [runner.poll(0.0)] and slot.inner)

        os.kill(slot.inner, signal.SIGKILL)

        ended = {}
        limit = time.monotonic() + self.patience
        while token not in ended:
            assert time.monotonic() < limit
            ended.update({u.token: u.outcome for u in runner.poll(0.1) if u.outcome})
        assert ended[token].state is State.LOST
        more = list(runner.submit([make_job("exit 3") for _ in range(runner.capacity())]))
        waiting = [name for name in others + more if name not in ended]
        ended.update(self.collect(runner, waiting))
        assert {ended[name].returncode for name in others + more} == {3}

    def test_jobs_of_different_launches_share_the_workers(
        self, runner, make_job, tmp_path, monkeypatch
    ):
        (tmp_path / "second.py").write_text("from soops.kernel.runs.launch import main\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        launches = ["second:main", "", "second:main", ""]
        for _ in range(3):
            jobs = [make_job("exit 5", launch=launch) for launch in launches]
            ended = self.collect(runner, list(runner.submit(jobs)))
            assert {outcome.returncode for outcome in ended.values()} == {5}
            assert len(runner._slots) <= 2

    def test_a_launch_that_is_not_there_breaks_the_runner(self, runner, make_job, capfd):
        runner.submit([make_job("true", launch="no.such:thing")])
        with pytest.raises(RunnerError, match="before it could take a job"):
            self.collect(runner, ["x"])
        assert "No module named 'no'" in capfd.readouterr().err

    def test_it_says_what_the_system_does_not_offer(self, monkeypatch):
        said: list[str] = []
        LocalRunner(RunnerSetup(say=said.append)).close()
        assert said == ([] if sys.platform == "linux" else said)
        monkeypatch.setattr(Slot, "ends_trees", lambda: False)
        LocalRunner(RunnerSetup(say=said.append)).close()
        assert "process groups only" in said[-1]

    def test_there_is_no_cluster(self):
        with pytest.raises(UsageError, match="processes"):
            LocalRunner(RunnerSetup(cluster_kwargs={"processes": False}))


def dask_setup(tmp_path: Path, **fields) -> RunnerSetup:
    given = {"n_workers": 2, "root": tmp_path, "cluster_kwargs": {"processes": False}}
    return RunnerSetup(**{**given, **fields})


class TestDaskThreads(RunnerContract):
    """Workers in threads of this process: quick to make."""

    @pytest.fixture
    def runner(self, tmp_path) -> Iterator[DaskRunner]:
        runner = DaskRunner(dask_setup(tmp_path))
        yield runner
        runner.close()

    def test_the_token_of_an_attempt_stays_until_its_record_is_there(self, runner, make_job, run):
        """A late copy finds one or the other; the driver removes the tokens of recorded runs."""
        job = make_job("ls -A", attempt=1)
        assert run(job).state is State.DONE
        assert ".soops-attempt-1" in Path(job.stdout).read_text()
        token = read_attempt(job.directory, 1)
        assert token.ended and token.over

    def test_short_jobs_come_in_batches_and_long_ones_hold_up_none(
        self, runner, make_job, monkeypatch
    ):
        monkeypatch.setattr("soops_builtin.runners.dask.runner.TASK_SECONDS", 100.0)
        for _ in range(12):
            tokens = runner.submit([make_job("true") for _ in range(runner.capacity())])
            self.collect(runner, list(tokens))
        assert runner._batch > 3
        gate = Path(make_job("true").directory, "gate")
        long = make_job(f"while [ ! -e '{gate}' ]; do sleep 0.01; done")
        short = [make_job("exit 3") for _ in range(2 * runner._batch - 1)]

        long_token, *tokens = runner.submit([long, *short])

        assert len(runner._tasks) < len(short)
        ended = self.collect(runner, tokens)
        assert {outcome.returncode for outcome in ended.values()} == {3}
        gate.touch()
        assert self.collect(runner, [long_token])[long_token].state is State.DONE

    def test_a_run_whose_driver_went_away_is_ended(self, runner, make_job):
        """As a task that is released: its thread is not told by dask."""
        job = make_job("echo $$ > pid; while :; do sleep 0.01; done")
        (token,) = runner.submit([job])
        pid = Path(job.directory, "pid")
        wait_until(lambda: [runner.poll(0.05)] and self.written(pid))

        runner._tasks[runner._task_of[token]].future.cancel()

        wait_until(lambda: not self.lives(pid))

    def test_a_scheduler_that_is_gone_breaks_the_runner(self, runner, make_job):
        (token,) = runner.submit([make_job("while :; do sleep 0.01; done")])
        wait_until(lambda: runner.poll(0.05))
        runner._connection.cluster.close()

        assert self.collect(runner, [token])[token].state in (State.LOST, State.CANCELLED)
        with pytest.raises(RunnerError, match="scheduler is gone"):
            wait_until(lambda: runner.submit([make_job("true")]) and False)


# --- dask: which cluster ---------------------------------------------------------------------


def test_its_options_exclude_each_other():
    with pytest.raises(ValueError, match="scheduler and cluster exclude each other"):
        DaskOptions(scheduler="tcp://h:1", cluster="a:b")


def test_its_options_have_their_place():
    spec = App.create().registry("runner").get("dask")

    assert spec.options == "soops_builtin.runners.dask.options:DaskOptions"


def test_a_running_scheduler_by_address_and_by_file(tmp_path):
    from distributed import LocalCluster

    file = tmp_path / "scheduler.json"
    with LocalCluster(
        n_workers=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp"
    ) as cluster:
        cluster.scheduler.scheduler_file = str(file)
        file.write_text(json.dumps({"address": cluster.scheduler_address}))
        for options in (
            DaskOptions(scheduler=cluster.scheduler_address),
            DaskOptions(scheduler_file=str(file)),
        ):
            runner = DaskRunner(dask_setup(tmp_path, options=options, cluster_kwargs={}))
            assert runner.capacity() >= 2
            runner.close()
            assert cluster.status.name == "running"


def test_a_cluster_is_made_by_what_is_named(tmp_path):
    options = DaskOptions(cluster="distributed:LocalCluster")
    kwargs = {"processes": False, "n_workers": 1, "dashboard_address": "127.0.0.1:0"}
    said: list[str] = []

    runner = DaskRunner(
        dask_setup(tmp_path, options=options, cluster_kwargs=kwargs, say=said.append)
    )
    cluster = runner._connection.cluster
    runner.close()

    assert cluster.status.name == "closed"
    assert len(said) == 1 and said[0].startswith("dask dashboard: ")


def test_a_cluster_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "CONNECT", 0.3)

    with pytest.raises(RunnerError, match="no dask cluster"):
        options = DaskOptions(scheduler="tcp://127.0.0.1:9")
        DaskRunner(dask_setup(tmp_path, options=options, cluster_kwargs={}))
    with pytest.raises(UsageError, match="no_such"):
        DaskRunner(dask_setup(tmp_path, options=DaskOptions(cluster="no_such:thing")))
    with pytest.raises(UsageError, match="runs already"):
        DaskRunner(dask_setup(tmp_path, options=DaskOptions(scheduler="tcp://127.0.0.1:9")))
    with pytest.raises(RunnerError, match="nonsense"):
        DaskRunner(dask_setup(tmp_path, cluster_kwargs={"nonsense": 1}))


def test_it_opens_no_dashboard_unless_asked(tmp_path):
    said: list[str] = []

    runner = DaskRunner(dask_setup(tmp_path, say=said.append))
    port = runner._connection.cluster.scheduler_info["services"]["dashboard"]
    runner.close()

    assert not said
    assert port != 8787


# --- dask: workers that are processes --------------------------------------------------------


class TestDaskProcesses:
    make_job = RunnerContract.make_job
    collect = RunnerContract.collect
    lives = staticmethod(RunnerContract.lives)
    patience = 60.0

    @pytest.fixture
    def runner(self, tmp_path) -> Iterator[DaskRunner]:
        runner = DaskRunner(dask_setup(tmp_path, cluster_kwargs={}))
        yield runner
        runner.close()

    def test_a_run_whose_worker_dies_is_lost_and_not_begun_again(self, runner, make_job):
        job = make_job("echo $$ >> pids; cat pids > pid; while [ ! -e gate ]; do sleep 0.01; done")
        (token,) = runner.submit([job])
        pid, pids = Path(job.directory, "pid"), Path(job.directory, "pids")
        wait_until(lambda: [runner.poll(0.05)] and RunnerContract.written(pid))
        workers = runner._client.run(os.getpid)
        assert all(os.getpgid(worker) != os.getpgid(0) for worker in workers.values())
        (address,) = [name for name, keys in runner._client.processing().items() if keys]

        os.kill(workers[address], signal.SIGKILL)

        outcome = self.collect(runner, [token])[token]
        assert outcome.state is State.LOST
        assert outcome.cause in ("copy", "lost")  # whether the first slot has ended already
        assert len(pids.read_text().split()) == 1, "a second copy was begun"
        Path(job.directory, "gate").touch()
        again = make_job(f"kill -0 $(cat '{pid}') || exit 9", attempt=2, directory=job.directory)
        (token,) = runner.submit([again])
        assert self.collect(runner, [token])[token].returncode == 9, "two at once"

    def test_it_can_be_closed_while_a_worker_hangs(self, runner, make_job, monkeypatch):
        monkeypatch.setattr("soops_builtin.runners.dask.runner.PATIENCE", 2.0)
        job = make_job("echo $$ > pid; while :; do sleep 0.01; done")
        runner.submit([job])
        pid = Path(job.directory, "pid")
        wait_until(lambda: [runner.poll(0.05)] and RunnerContract.written(pid))
        for worker in runner._client.run(os.getpid).values():
            os.kill(worker, signal.SIGSTOP)
        done = threading.Event()

        threading.Thread(target=lambda: [runner.close(), done.set()], daemon=True).start()

        assert done.wait(self.patience)
        wait_until(lambda: not self.lives(pid))

    def test_nothing_is_left_when_the_driver_is_killed(self, make_job, tmp_path):
        script = tmp_path / "driver.py"
        script.write_text(
            textwrap.dedent(
                """
                import sys
                from pathlib import Path
                from soops.api import Job, RunnerSetup
                from soops_builtin.runners.dask.runner import DaskRunner

                if __name__ == "__main__":
                    runner = DaskRunner(RunnerSetup(n_workers=1, root=Path(sys.argv[1])))
                    command = "echo $$ > pid; while :; do sleep 0.01; done"
                    runner.submit([Job(key="k", attempt=1, command=command, launch="",
                                       directory=sys.argv[1], cwd=sys.argv[1], grace=0.3)])
                    while True:
                        runner.poll(1.0)
                """
            )
        )
        pid = tmp_path / "pid"
        with subprocess.Popen([sys.executable, str(script), str(tmp_path)]) as driver:
            wait_until(lambda: RunnerContract.written(pid))
            driver.kill()

        wait_until(lambda: not self.lives(pid))
