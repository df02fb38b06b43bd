"""What Slurm says, and what is made of it: with programs that say what it was recorded to say."""

from __future__ import annotations

import pytest
from soops_slurm.commands import Busy, Slurm, TaskState, meaning
from soops_slurm.options import SlurmOptions
from soops_slurm.runner import SlurmRunner
from soops_slurm.verdict import explained

from soops.api import App, Outcome, RunnerError, RunnerSetup, State, UsageError
from soops.testing import assert_light

CONFIG = "echo 'MaxArraySize            = 1001'"


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put shell scripts in the place of Slurm's programs; `fake(squeue="...")`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")

    def put(**scripts: str) -> Slurm:
        all_of_them = dict.fromkeys(("sbatch", "squeue", "scancel"), "true")
        for name, script in {**all_of_them, "scontrol": CONFIG, **scripts}.items():
            path = programs / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        return Slurm()

    return put


def test_states_are_read_one_line_a_task(fake):
    slurm = fake(
        squeue="printf '%s\\n' '7|0|RUNNING|n1|None' '7|1|PENDING||Resources' "
        "'8|12|OUT_OF_MEMORY|n2|OutOfMemory' 'slurm_load_jobs: nonsense' '9|N/A|RUNNING|n1|None'"
    )
    assert slurm.max_array == 1000
    assert slurm.states(["7", "8"]) == {
        ("7", 0): TaskState(name="RUNNING", nodes="n1", reason="None"),
        ("7", 1): TaskState(name="PENDING", reason="Resources"),
        ("8", 12): TaskState(name="OUT_OF_MEMORY", nodes="n2", reason="OutOfMemory"),
    }


def test_a_job_that_slurm_has_forgotten_is_no_failure_of_the_question(fake):
    slurm = fake(squeue="echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert slurm.states(["7"]) == {}


def test_a_failed_question_is_no_answer(fake):
    text = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
    slurm = fake(squeue=f"echo '{text}' >&2; exit 1")
    with pytest.raises(Busy, match="Unable to contact"):
        slurm.states(["7"])


def test_the_id_is_what_sbatch_prints_perhaps_with_a_cluster(fake):
    assert fake(sbatch="cat > /dev/null; echo '42;far'").submit("#!/bin/sh\n", []) == "42"


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("sbatch: error: invalid partition specified: nowhere", RunnerError),
        ("sbatch: error: Batch job submission failed: Invalid account", RunnerError),
        (
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller "
            "(connect failure)",
            Busy,
        ),
        ("sbatch: error: AssocMaxSubmitJobLimit", Busy),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv", Busy),
    ],
)
def test_a_refusal_is_told_from_what_may_work_later(fake, says, error):
    with pytest.raises(error, match=says.rsplit("error: ", 1)[1].split(" (")[0]):
        fake(sbatch=f"cat > /dev/null; echo '{says}' >&2; exit 1").submit("#!/bin/sh\n", [])


@pytest.mark.parametrize(
    ("name", "state", "cause"),
    [
        ("TIMEOUT", State.TIMEOUT, "timeout"),
        ("OUT_OF_MEMORY", State.FAILED, "oom"),
        ("NODE_FAIL", State.LOST, "node"),
        ("PREEMPTED", State.LOST, "preempted"),
        ("CANCELLED", State.CANCELLED, "cancelled"),
        ("SOMETHING_NEW", State.LOST, "lost"),
    ],
)
def test_the_end_of_a_task_is_the_reason_for_that_of_its_runs(name, state, cause):
    outcome = Outcome(state=State.LOST, cause="lost", started=1.0)
    told = explained(outcome, TaskState(name=name), False)
    assert (told.state, told.cause, told.started) == (state, cause, 1.0)
    assert name in told.message
    assert meaning(name) == (state, cause)


def test_no_answer_at_the_start_is_an_error(fake):
    text = "slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)"
    with pytest.raises(RunnerError, match=r"Slurm does not answer: .*Unable to contact"):
        fake(scontrol=f"echo '{text}' >&2; exit 1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bundle": 0}, "bundle must be 1 or more"),
        ({"poll": 5.0, "poll_max": 1.0}, "do not fit"),
        ({"partition": "a b"}, "has blanks"),
        ({"extra": "--comment='open"}, "No closing quotation"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        SlurmOptions(**options)


def test_options_become_words_of_sbatch():
    options = SlurmOptions(
        partition="main", time="00:10:00", memory="2G", cpus=2, parallel=3, extra="--gres=gpu:1 -v"
    )
    assert options.words() == [
        *("--partition=main", "--time=00:10:00", "--mem=2G", "--cpus-per-task=6"),
        *("--gres=gpu:1", "-v"),
    ]


def test_cluster_arguments_are_refused(fake, tmp_path):
    fake()
    with pytest.raises(UsageError, match="mean nothing to Slurm"):
        SlurmRunner(RunnerSetup(cluster_kwargs={"queue": "main"}, root=tmp_path))


def test_it_is_found_by_its_entry_point():
    assert App.create().resolve("runner", "slurm") is SlurmRunner


def test_it_costs_nothing_at_start_up():
    assert_light("soops_slurm.plugin")
    assert_light("soops_slurm.plugin", heavy=["soops_slurm.runner"])
