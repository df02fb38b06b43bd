"""What schedulers say, and what is made of it: with programs that say what the fixtures hold."""

from __future__ import annotations

import shlex
from collections import deque
from pathlib import Path

import pytest
from soops_slurm.lsf import Lsf
from soops_slurm.options import LsfOptions, PbsOptions, SlurmOptions
from soops_slurm.outbox import Outbox
from soops_slurm.pbs import Pbs
from soops_slurm.runners import LsfRunner, PbsRunner, SlurmRunner
from soops_slurm.scheduler import Busy, Phase, TaskState
from soops_slurm.script import submission
from soops_slurm.slurm import Slurm, meaning
from soops_slurm.spool import Array
from soops_slurm.tasks import Run, cut
from soops_slurm.verdict import explained

from soops.api import App, Job, Outcome, RunnerError, RunnerSetup, State, UsageError
from soops.testing import assert_light

FIXTURES = Path(__file__).parent / "fixtures"
PROGRAMS = {
    Slurm: {"sbatch": "", "squeue": "", "scancel": "", "scontrol": "slurm/config.out"},
    Pbs: {"qsub": "", "qstat": "pbs/server.out", "qselect": "", "qdel": ""},
    Lsf: {"bsub": "", "bjobs": "", "bkill": "", "bparams": "lsf/bparams.out"},
}


def text_of(name: str) -> str:
    return (FIXTURES / name).read_text()


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put programs in the place of the scheduler's: ``fake(Slurm, squeue="slurm/squeue.out")``.

    They print a fixture, note their words, and fail when the fixture is one of errors. A name
    with another one after a blank prints both.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")

    def put(kind, **says):
        put_in(PROGRAMS[kind])
        scheduler = kind()
        put_in(says)
        return scheduler

    def put_in(says):
        for name, fixtures in says.items():
            lines = [
                "#!/bin/sh",
                f'printf "%s\\n" "$*" >> {tmp_path}/said-{name}',
                "cat >/dev/null",
            ]
            for fixture in fixtures.split():
                where = shlex.quote(str(FIXTURES / fixture))
                lines.append(f"cat {where}" + (" >&2" if fixture.endswith(".err") else ""))
            lines.append("exit 1" if ".err" in fixtures else "exit 0")
            path = programs / name
            path.write_text("\n".join(lines) + "\n")
            path.chmod(0o755)

    put.said = lambda name: (tmp_path / f"said-{name}").read_text().splitlines()
    return put


def test_states_of_slurm(fake):
    slurm = fake(Slurm, squeue="slurm/squeue.out")
    assert slurm.max_array == 10
    states = slurm.states(["3"])
    assert states["3", 0] == TaskState(name="COMPLETED", phase=Phase.DONE, nodes="n1")
    assert states["3", 1] == TaskState(name="FAILED", phase=Phase.FAILED, nodes="n1")
    assert states["3", 4] == TaskState(name="PENDING", phase=Phase.WAITS)

    ended = fake(Slurm, squeue="slurm/squeue-ended.out").states(["3"])
    assert (ended["3", 2].was_cancelled, ended["3", 2].nodes) == (True, "n2")
    assert len(ended) == 10 and all(state.ended for state in ended.values())


def test_states_of_pbs(fake):
    pbs = fake(Pbs, qstat="pbs/qstat.json")
    assert pbs.max_array == 10000
    assert pbs.states(["1234[].pbs", "1235.pbs"]) == {
        ("1234[].pbs", 0): TaskState(name="Exit_status=0", phase=Phase.DONE, nodes="node1"),
        ("1234[].pbs", 1): TaskState(name="Exit_status=3", phase=Phase.FAILED, nodes="node2"),
        ("1234[].pbs", 2): TaskState(name="R", phase=Phase.RUNS, nodes="node1"),
        ("1234[].pbs", 3): TaskState(name="Q", phase=Phase.WAITS),
        ("1235.pbs", 0): TaskState(name="H", phase=Phase.WAITS),
    }


def test_states_of_lsf(fake):
    lsf = fake(Lsf, bjobs="lsf/bjobs.out")
    assert lsf.max_array == 2000
    assert lsf.states(["512", "513"]) == {
        ("512", 0): TaskState(name="DONE", phase=Phase.DONE, nodes="hostA"),
        ("512", 1): TaskState(name="EXIT 3", phase=Phase.FAILED, nodes="hostB"),
        ("512", 2): TaskState(name="RUN", phase=Phase.RUNS, nodes="hostA"),
        ("512", 3): TaskState(name="PEND", phase=Phase.WAITS),
        ("513", 0): TaskState(name="PSUSP", phase=Phase.WAITS),
        ("513", 1): TaskState(name="SSUSP", phase=Phase.RUNS, nodes="hostA"),
        ("513", 2): TaskState(name="UNKWN", phase=Phase.RUNS, nodes="hostC"),
    }


@pytest.mark.parametrize(
    ("kind", "says", "job", "kinds"),
    [
        (
            Pbs,
            {"qstat": "pbs/qstat-ended.json"},
            "1234[].pbs",
            ["cancelled", "timeout", "oom", "node", "cancelled", "timeout", "node"],
        ),
        (
            Lsf,
            {"bjobs": "lsf/bjobs-ended.out"},
            "512",
            ["timeout", "oom", "cancelled", "cancelled", "preempted", "node", "node"],
        ),
    ],
)
def test_why_tasks_of_others_were_ended(fake, kind, says, job, kinds):
    states = fake(kind, **says).states([job])
    assert [states[job, number].cause for number in range(7)] == kinds
    assert all(state.was_ended for state in states.values())
    never_began = [number for number in range(7) if not states[job, number].nodes]
    assert len(never_began) == 1 and states[job, never_began[0]].was_cancelled


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Slurm, {"squeue": "slurm/squeue-forgotten.err"}),
        (Pbs, {"qstat": "pbs/qstat-unknown.err"}),
        (Lsf, {"bjobs": "lsf/bjobs-unknown.err"}),
    ],
)
def test_a_job_that_is_forgotten_is_no_failure_of_the_question(fake, kind, says):
    assert fake(kind, **says).states(["77"]) == {}


@pytest.mark.parametrize(
    ("kind", "says", "jobs", "known"),
    [
        (Pbs, {"qstat": "pbs/qstat.json pbs/qstat-unknown.err"}, ["1234[].pbs", "77.pbs"], 4),
        (Lsf, {"bjobs": "lsf/bjobs.out lsf/bjobs-unknown.err"}, ["512", "77"], 7),
    ],
)
def test_what_is_known_is_read_beside_what_is_forgotten(fake, kind, says, jobs, known):
    assert len(fake(kind, **says).states(jobs)) == known


@pytest.mark.parametrize(
    ("kind", "says", "words"),
    [
        (Slurm, {"squeue": "slurm/squeue-down.err"}, "Unable to contact"),
        (Pbs, {"qstat": "pbs/qstat-down.err"}, "cannot connect"),
        (Pbs, {"qstat": "pbs/qsub.out"}, "no JSON"),
        (Lsf, {"bjobs": "lsf/bjobs-down.err"}, "LSF is down"),
    ],
)
def test_a_failed_question_is_no_answer(fake, kind, says, words):
    with pytest.raises(Busy, match=words):
        fake(kind, **says).states(["7"])


@pytest.mark.parametrize(
    ("kind", "says", "job"),
    [
        (Slurm, {"sbatch": "slurm/sbatch-accepted.out"}, "3"),
        (Pbs, {"qsub": "pbs/qsub.out"}, "1234[].pbs"),
        (Lsf, {"bsub": "lsf/bsub.out"}, "512"),
    ],
)
def test_the_id_is_in_what_is_printed(fake, kind, says, job):
    assert fake(kind, **says).submit("#!/bin/sh\n", []) == job


@pytest.mark.parametrize(
    ("kind", "says", "error"),
    [
        (Slurm, {"sbatch": "slurm/sbatch-partition.err"}, RunnerError),
        (Slurm, {"sbatch": "slurm/sbatch-nodes.err"}, RunnerError),
        (Slurm, {"sbatch": "slurm/sbatch-memory.err"}, RunnerError),
        (Slurm, {"sbatch": "slurm/sbatch-array.err"}, RunnerError),
        (Slurm, {"sbatch": "slurm/sbatch-option.err"}, RunnerError),
        (Slurm, {"sbatch": "slurm/sbatch-time.err"}, RunnerError),
        (Slurm, {"sbatch": "slurm/sbatch-down.err"}, Busy),
        (Slurm, {"sbatch": "slurm/sbatch-maxjobcount.err"}, Busy),
        (Pbs, {"qsub": "pbs/qsub-queue.err"}, RunnerError),
        (Pbs, {"qsub": "pbs/qsub-limit.err"}, Busy),
        (Lsf, {"bsub": "lsf/bsub-queue.err"}, RunnerError),
        (Lsf, {"bsub": "lsf/bsub-limit.err"}, Busy),
    ],
)
def test_a_refusal_is_told_from_what_may_work_later(fake, kind, says, error):
    (fixture,) = says.values()
    last = text_of(fixture).splitlines()[0].split("error: ")[-1]
    with pytest.raises(error) as caught:
        fake(kind, **says).submit("#!/bin/sh\n", [])
    assert last in str(caught.value)


@pytest.mark.parametrize(
    ("name", "state", "cause"),
    [
        ("TIMEOUT", State.TIMEOUT, "timeout"),
        ("OUT_OF_MEMORY", State.FAILED, "oom"),
        ("NODE_FAIL", State.LOST, "node"),
        ("PREEMPTED", State.LOST, "preempted"),
        ("CANCELLED", State.CANCELLED, "cancelled"),
    ],
)
def test_the_end_of_a_task_is_the_reason_for_that_of_its_runs(name, state, cause):
    outcome = Outcome(state=State.LOST, cause="lost", started=1.0)
    told = explained(outcome, meaning(name), False)
    assert (told.state, told.cause, told.started) == (state, cause, 1.0)
    assert name in told.message


def test_a_state_that_nobody_knows_is_waited_for():
    assert not meaning("SOMETHING_NEW").ended


@pytest.mark.parametrize(
    ("kind", "program", "fixture"),
    [
        (Slurm, "scontrol", "slurm/scontrol-down.err"),
        (Pbs, "qstat", "pbs/qstat-down.err"),
        (Lsf, "bparams", "lsf/bjobs-down.err"),
    ],
)
def test_no_answer_at_the_start_is_an_error(fake, monkeypatch, kind, program, fixture):
    monkeypatch.setitem(PROGRAMS[kind], program, fixture)
    with pytest.raises(RunnerError, match=f"{kind.title} does not answer: "):
        fake(kind)


@pytest.mark.parametrize(
    ("kind", "program", "jobs", "words"),
    [
        (Slurm, "scancel", ["7", "7"], "--quiet 7_0 7_1"),
        (Pbs, "qdel", ["7[].pbs", "7[].pbs"], "7[0].pbs 7[1].pbs"),
        (Pbs, "qdel", ["7.pbs"], "7.pbs"),
        (Lsf, "bkill", ["7", "7"], "7[1] 7[2]"),
    ],
)
def test_tasks_are_cancelled_by_their_names(fake, kind, program, jobs, words):
    fake(kind).cancel((job, index) for index, job in enumerate(jobs))
    assert fake.said(program) == [words]


@pytest.mark.parametrize(
    ("kind", "says", "job", "program", "words"),
    [
        (Pbs, {"qstat": "pbs/qstat.json"}, "1234[].pbs", "qdel", "1234[3].pbs"),
        (Lsf, {"bjobs": "lsf/bjobs.out"}, "512", "bkill", "512[4]"),
    ],
)
def test_only_those_that_wait_are_cancelled(fake, kind, says, job, program, words):
    fake(kind, **says).cancel([(job, number) for number in range(4)], pending_only=True)
    assert fake.said(program) == [words]


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


def test_options_become_words_of_the_others():
    pbs = PbsOptions(queue="long", account="x", time="00:10:00", memory="2gb", cpus=2, parallel=2)
    assert shlex.join(pbs.words()) == (
        "-q long -A x -l walltime=00:10:00 -l select=1:ncpus=4:mem=2gb"
    )
    lsf = LsfOptions(queue="long", project="x", time="10", memory="2000", cpus=2, extra="-m hostA")
    assert shlex.join(lsf.words()) == (
        "-q long -P x -W 10 -M 2000 -n 2 -R 'span[hosts=1]' -m hostA"
    )


@pytest.mark.parametrize(
    ("options", "needs", "words"),
    [
        (SlurmOptions(memory="1G", cpus=9), {"cpus": 2, "memory": 2**30}, "--mem=1024M "),
        (SlurmOptions(cpus=9), {"cpus": 1.5}, "--cpus-per-task=2"),
        (SlurmOptions(parallel=3), {"gpus": 1, "memory": 1e6}, "--mem=3M --gres=gpu:3 --cpus"),
        (SlurmOptions(cpus=4), {"gpus": 0}, "--cpus-per-task=4"),
        (PbsOptions(), {"cpus": 2, "gpus": 1, "memory": 1}, "select=1:ncpus=2:mem=1mb:ngpus=1"),
        (LsfOptions(), {"cpus": 2, "gpus": 1, "memory": 2**30}, "-M 1024MB -gpu num=1 -n 2"),
    ],
)
def test_what_a_run_needs_goes_before_the_options(options, needs, words):
    assert words in shlex.join(options.words(needs)) + " "


def test_what_a_batch_system_is_not_asked_for_is_refused():
    with pytest.raises(RunnerError, match="needs GPU=1") as caught:
        SlurmOptions().words({"GPU": 1})

    assert caught.value.hint == "did you mean 'gpus'?"


def test_runs_of_different_needs_are_in_different_arrays(tmp_path):
    def run(number, needs):
        folder = str(tmp_path / str(number))
        job = Job(
            key=str(number), attempt=1, command="true", launch="", directory=folder, cwd=folder,
            resources=needs,
        )  # fmt: skip
        return Run(str(number), job)

    backlog = deque([run(n, {"cpus": cpus}) for n, cpus in enumerate([1, 1, 1, 2, 2, 1])])
    tasks = cut(backlog, bundle=2, room=9)

    assert [[int(item.token) for item in task] for task in tasks] == [[0], [1], [2], [3], [4], [5]]
    backlog.extend(item for task in tasks for item in task)
    tasks = cut(backlog, bundle=2, room=4)
    assert [[int(item.token) for item in task] for task in tasks] == [[0, 1], [2], [3, 4], [5]]
    outbox = Outbox(FakeScheduler(), SlurmOptions(), tmp_path, None, 9, False)
    arrays = outbox._arrays(tasks)
    assert [[len(task) for task in array] for array in arrays] == [[2, 1], [2], [1]]


class FakeScheduler:
    max_array = 100


@pytest.mark.parametrize(
    ("kind", "options", "tasks", "words", "line"),
    [
        (Slurm, SlurmOptions(), 3, "--array=0-2", 'task="$SLURM_ARRAY_TASK_ID"'),
        (Pbs, PbsOptions(), 3, "-J 0-2 -N s0123456789abcd", 'task="${PBS_ARRAY_INDEX:-0}"'),
        (Lsf, LsfOptions(), 3, "-J soops-0123456789abcdef[1-3]", "task=$((LSB_JOBINDEX - 1))"),
    ],
)
def test_what_is_submitted(fake, tmp_path, kind, options, tasks, words, line):
    array = Array(directory=tmp_path / "soops-0123456789abcdef", tasks=[[]] * tasks)
    script, said = submission(array, options, fake(kind))
    assert words in " ".join(said)
    assert line in script.splitlines()


def test_pbs_has_no_array_of_one_task(fake, tmp_path):
    array = Array(directory=tmp_path / "soops-0123456789abcdef", tasks=[[]])
    _, words = submission(array, PbsOptions(), fake(Pbs))
    assert "-J" not in words


def test_cluster_arguments_are_refused(tmp_path):
    with pytest.raises(UsageError, match="Slurm takes no cluster arguments"):
        SlurmRunner(RunnerSetup(cluster_kwargs={"queue": "main"}, root=tmp_path))


def test_it_is_found_by_its_entry_point():
    app = App.create()
    found = [app.resolve("runner", name) for name in ("slurm", "pbs", "lsf")]
    assert found == [SlurmRunner, PbsRunner, LsfRunner]


def test_it_costs_nothing_at_start_up():
    assert_light("soops_slurm.plugin")
    assert_light("soops_slurm.plugin", heavy=["soops_slurm.runner"])
