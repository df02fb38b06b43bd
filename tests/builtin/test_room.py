"""The local runner keeps within the machine: what runs at once, in which order, with what share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from soops.api import Outcome, RunnerError, RunnerSetup, State
from soops.testing import RunnerContract, wait_until
from soops_builtin.run_functions.preload import preload
from soops_builtin.runners import machine
from soops_builtin.runners.local import LocalRunner
from soops_builtin.runners.local_options import LocalOptions

HOLD = "touch up; while [ ! -e gate ]; do sleep 0.01; done"
ECHO = 'echo "$CUDA_VISIBLE_DEVICES/$OMP_NUM_THREADS/$MKL_NUM_THREADS"'


class TestRoom(RunnerContract):
    """The whole contract holds for jobs that name resources."""

    @pytest.fixture
    def make(self, tmp_path) -> Iterator[Callable[..., LocalRunner]]:
        made: list[LocalRunner] = []

        def make(n_workers: int = 4, say=lambda text: None, **options) -> LocalRunner:
            given = LocalOptions(**options)
            setup = RunnerSetup(n_workers=n_workers, root=tmp_path, options=given, say=say)
            made.append(LocalRunner(setup))
            return made[-1]

        yield make
        for runner in made:
            runner.close()

    @pytest.fixture
    def runner(self, make, monkeypatch) -> LocalRunner:
        runner = make(2, cpus=2, gpus=2, memory=1e9)
        submit = runner.submit

        def submit_needy(jobs):
            needs = {"cpus": 1, "gpus": 1}
            return submit([replace(job, resources=job.resources or needs) for job in jobs])

        monkeypatch.setattr(runner, "submit", submit_needy)
        return runner

    def begun(self, runner, jobs) -> list[bool]:
        runner.poll(0.01)
        return [Path(job.directory, "up").exists() for job in jobs]

    def let_go(self, job) -> None:
        Path(job.directory, "gate").touch()

    def texts(self, jobs) -> list[str]:
        return [Path(job.stdout).read_text().strip() for job in jobs]

    @pytest.mark.parametrize(
        ("options", "needs"),
        [
            ({"cpus": 4}, {"cpus": 2}),
            ({"cpus": 0.2}, {"cpus": 0.1}),
            ({"memory": 100}, {"memory": 50}),
            ({"gpus": 2}, {"gpus": 1}),
            ({"offers": ("licence=2",)}, {"licence": 1}),
        ],
    )
    def test_so_many_run_at_once_as_there_is_room_for(self, make, make_job, options, needs):
        runner = make(4, **options)
        jobs = [make_job(HOLD, resources=needs) for _ in range(3)]
        tokens = runner.submit(jobs)
        wait_until(lambda: self.begun(runner, jobs) == [True, True, False])
        assert len(runner._where) == 2

        self.let_go(jobs[0])

        wait_until(lambda: all(self.begun(runner, jobs)))
        for job in jobs:
            self.let_go(job)
        wait_until(lambda: not [runner.poll(0.01), *runner._where][1:])
        assert len(tokens) == 3

    def test_nothing_overtakes_what_waits(self, make, make_job):
        runner = make(4, cpus=2)
        large = [make_job(HOLD, resources={"cpus": count}) for count in (1, 2)]
        small = [make_job(HOLD, resources={"cpus": 1}), make_job(HOLD, resources={})]
        tokens = runner.submit([*large, *small])
        wait_until(lambda: self.begun(runner, large)[0])
        assert list(runner._where) == [tokens[0]]

        runner.withdraw([tokens[1]])

        wait_until(lambda: all(self.begun(runner, small)))
        for job in (large[0], *small):
            self.let_go(job)
        assert not self.begun(runner, [large[1]])[0]

    def test_each_gpu_has_one_run(self, make, make_job, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,3")
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setenv("MKL_NUM_THREADS", "7")
        runner = make(4)
        needs = {"gpus": 1, "cpus": 0.5}
        jobs = [make_job(f"{ECHO}; {HOLD}", resources=needs) for _ in range(2)]
        both = make_job(ECHO, resources={"gpus": 2})
        own = make_job(ECHO, resources=needs, env={"OMP_NUM_THREADS": "5"})
        tokens = list(runner.submit([*jobs, both, own]))
        wait_until(lambda: all(self.begun(runner, jobs)))
        for job in jobs:
            self.let_go(job)
        self.collect(runner, tokens)

        assert sorted(self.texts(jobs)) == ["3/1/7", "GPU-a/1/7"]
        assert self.texts([both]) == ["GPU-a,3//7"]
        assert self.texts([own])[0] in ("GPU-a/5/7", "3/5/7")

    def test_a_run_that_names_gpus_and_wants_none_sees_none(self, make, make_job, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        runner = make()
        jobs = [make_job(ECHO, resources=needs) for needs in ({"gpus": 0}, {}, {"cpus": 1})]
        self.collect(runner, runner.submit(jobs))

        assert [text.split("/")[0] for text in self.texts(jobs)] == ["", "0", "0"]

    @pytest.mark.parametrize(
        ("needs", "words"),
        [
            ({"cpus": 3}, "needs cpus=3, but there are 2 in all"),
            ({"memory": 2e9}, "memory"),
            ({"GPU": 1}, "no 'GPU'"),
            ({"gpus": 0.5}, "a GPU has one run"),
        ],
    )
    def test_what_can_never_run_is_refused_when_all_before_has_ended(
        self, runner, make_job, needs, words
    ):
        first, never = make_job(HOLD), make_job("touch up", resources=needs)
        tokens = runner.submit([first, never, make_job("touch up")])
        wait_until(lambda: self.begun(runner, [first])[0])
        self.let_go(first)
        assert self.collect(runner, [tokens[0]])[tokens[0]].state is State.DONE

        with pytest.raises(RunnerError, match=words) as caught:
            runner.poll(0.1)

        assert list(caught.value.unbegun) == tokens[1:]
        assert caught.value.hint
        assert not Path(never.directory, "up").exists()

    def test_a_run_waits_for_memory_unless_it_is_alone(self, make, make_job, monkeypatch):
        free = [10.0]
        monkeypatch.setattr(machine, "free_memory", lambda: free[0])
        said: list[str] = []
        runner = make(4, say=said.append, memory=1000)
        jobs = [make_job(HOLD, resources={"memory": 100}) for _ in range(3)]
        runner.submit(jobs)
        wait_until(lambda: self.begun(runner, jobs) == [True, False, False])
        assert len(runner._where) == 1 and len(said) == 1

        free[0] = 100.0

        wait_until(lambda: all(self.begun(runner, jobs)))
        for job in jobs:
            self.let_go(job)

    @pytest.mark.skipif(sys.platform != "linux", reason="needs subreapers")
    def test_preloaded_runs_keep_their_gpu(self, make, make_job, tmp_path, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
        (tmp_path / "s.py").write_text("import json, os\nprint(os.environ['CUDA_VISIBLE_DEVICES'])")
        command = (sys.executable, str(tmp_path / "s.py"))
        runner = make(3)
        jobs = [
            preload(make_job(command, resources={"gpus": 1}, cwd=str(tmp_path))) for _ in range(6)
        ]
        ended: dict[str, Outcome] = {}
        for batch in (jobs[:3], jobs[3:]):
            ended |= self.collect(runner, list(runner.submit(batch)))

        assert {(outcome.state, outcome.message) for outcome in ended.values()} == {
            (State.DONE, "")
        }
        assert set(self.texts(jobs)) <= {"4", "5"}


# --- the machine


@pytest.fixture
def root(tmp_path) -> Path:
    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n")
    write("proc/self/cgroup", "0::/user/app\n")
    write("sys/fs/cgroup/user/memory.max", "300000\n")
    write("sys/fs/cgroup/user/memory.current", "250000\n")
    write("sys/fs/cgroup/user/memory.stat", "anon 5\ninactive_file 50000\n")
    write("sys/fs/cgroup/user/app/memory.max", "max\n")
    write("sys/fs/cgroup/user/app/cpu.max", "50000 100000\n")
    return tmp_path


def test_the_lower_limit_counts(root):
    assert machine.memory(root) == 300000
    assert machine.free_memory(root) == 100000
    assert machine.cpus(root) == 1

    (root / "proc/self/cgroup").write_text("0::/\n")

    assert machine.memory(root) == 1000 * 1024
    assert machine.free_memory(root) == 400 * 1024
    assert machine.cpus(root) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("visible", "found"),
    [("", ()), ("-1", ()), ("0,2", ("0", "2")), ("1,-1,2", ("1",)), (None, ("0", "1"))],
)
def test_gpus_are_those_that_programs_see(root, monkeypatch, visible, found):
    for name in ("0000:01", "0000:02"):
        (root / "proc/driver/nvidia/gpus" / name).mkdir(parents=True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert machine.gpus(root) == found


@pytest.mark.parametrize(
    "options", [{"cpus": -1}, {"memory": float("nan")}, {"offers": ("x",)}, {"offers": ("cpus=1",)}]
)
def test_options_that_are_no_amounts_are_refused(options):
    with pytest.raises(ValueError, match=r"amount|AMOUNT"):
        LocalOptions(**options)
