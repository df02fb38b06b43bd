"""The runner does what soops expects of each, and what it promises itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from soops_nice.runner import NiceOptions, NiceRunner

from soops.api import App, RunnerSetup, UsageError
from soops.testing import RunnerContract, assert_light

CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
needs_affinity = pytest.mark.skipif(not CPUS, reason="this system binds no process to a CPU")


class TestContract(RunnerContract):
    """What soops expects of each runner, and the priority on top."""

    @pytest.fixture
    def runner(self, tmp_path):
        options = NiceOptions(niceness=7)
        runner = NiceRunner(RunnerSetup(n_workers=2, options=options, root=tmp_path))
        yield runner
        runner.close()

    def test_a_run_and_its_children_have_the_priority(self, run, make_job):
        here = os.getpriority(os.PRIO_PROCESS, 0)
        code = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"
        job = make_job(f"'{sys.executable}' -c '{code}'; sh -c \"'{sys.executable}' -c '{code}'\"")

        run(job)

        assert Path(job.stdout).read_text().split() == [str(min(19, here + 7))] * 2


@needs_affinity
@pytest.mark.skipif(len(CPUS) < 2, reason="there is one CPU")
def test_each_worker_has_a_cpu_of_its_own(soops_project):
    soops_project.write("show.py", "import os; print(*sorted(os.sched_getaffinity(0)))")
    soops_project.write(
        "study.toml",
        f"""
        [study]
        command = [{sys.executable!r}, "{{script_dir}}/show.py", "{{output_dir}}", "{{n}}"]
        output_dir = "runs/%s"
        finished = "exit:0"

        [parameters]
        n = [1, 2, 3, 4, 5, 6]
        """,
    )

    soops_project.run(
        "soops-run", "--runner", "nice", "-n", "2", "--runner-opt", "pin=yes", "study.toml"
    )

    shown = [path.read_text().split() for path in soops_project.path.glob("runs/*/stdout.txt")]
    assert len(shown) == 6
    assert {tuple(cpus) for cpus in shown} <= {(str(CPUS[0]),), (str(CPUS[1]),)}


@needs_affinity
def test_more_workers_than_cpus_cannot_be_pinned():
    with pytest.raises(UsageError, match="cannot have a CPU each"):
        NiceRunner(RunnerSetup(n_workers=len(CPUS) + 1, options=NiceOptions(pin=True)))


@pytest.mark.parametrize("niceness", [-1, 20])
def test_a_niceness_out_of_bounds_is_refused(niceness):
    with pytest.raises(ValueError, match="niceness must be 0 to 19"):
        NiceOptions(niceness=niceness)


def test_wrong_options_are_a_mistake_of_the_command_line(soops_project):
    soops_project.write(
        "study.toml",
        """
        [study]
        command = ["true", "{output_dir}"]
        output_dir = "runs/%s"
        finished = "exit:0"

        [parameters]
        """,
    )
    for option, words in (
        ("nicenes=3", "did you mean 'niceness'"),
        ("niceness=much", "is not of type int"),
        ("niceness=99", "niceness must be 0 to 19"),
    ):
        called = soops_project.run(
            "soops-run", "--runner", "nice", "--runner-opt", option, "study.toml", code=2
        )
        assert words in called.err
        assert not (soops_project.path / "runs").exists()


def test_it_is_found_by_its_entry_point():
    spec = App.create().registry("runner").get("nice")

    assert spec.provider == "nice"
    assert App.create().resolve("runner", "nice") is NiceRunner


def test_it_costs_nothing_at_start_up():
    assert_light("soops_nice.plugin")
    assert_light("soops_nice.plugin", heavy=["soops_nice.runner"])
