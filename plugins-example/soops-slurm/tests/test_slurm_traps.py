"""What leaves the Slurm of the tests in disorder; the fixture ``daemons`` puts it right again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from soops.testing import wait_until


def tell(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def give_nodes_back() -> None:
    resume = ["scontrol", "update", "nodename=n1,n2", "state=resume"]
    subprocess.run(resume, check=False, capture_output=True)


def states_of(job: str) -> list[str]:
    return tell("squeue", "-h", "-r", "-a", "-t", "all", "-o", "%T", "-j", job).split()


def processes(program: str) -> list[int]:
    """Return the processes of a program of this Slurm."""
    config = os.environ["SLURM_CONF"]
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().strip() != program:
                continue
            # Those of jobs have no environment of their own; their files are enough.
            if config.rpartition("/")[0] in (path / "environ").read_text(errors="replace"):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def batch_scripts(root: Path) -> list[int]:
    """Return the processes on the nodes that keep the runs of a study."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            if b"soops_slurm.batch" in words and root in (path / "cwd").resolve().parents:
                found.append(int(path.name))
        except OSError:
            continue
    return found


def first_attempts(study) -> list[dict[str, object]]:
    """Return the records of runs that were begun again."""
    paths = sorted(study.path.glob("runs/*/soops-run.json.attempt-1"))
    return [json.loads(path.read_text()) for path in paths]


def finish(driver, code: int = 0) -> str:
    out, err = driver.communicate(timeout=100)
    assert driver.returncode == code, (out, err)
    return err


def test_a_node_that_goes_down_loses_its_runs_and_they_are_done_again(study, daemons):
    gate = study.path / "gate"
    study.write(2, str(gate))
    driver = study.start("--runner-opt", "extra=--no-requeue --nodelist=n2")
    wait_until(lambda: study.begun() == 2)
    (job,) = study.jobs()
    tell("scontrol", "update", "nodename=n2", "state=down", "reason=test")
    assert states_of(job) == ["NODE_FAIL"] * 2
    wait_until(lambda: len(first_attempts(study)) == 2 or driver.poll() is not None)
    daemons.wait()
    gate.touch()
    finish(driver)

    assert {record["cause"] for record in first_attempts(study)} == {"node"}
    assert {(record["state"], record["attempts"]) for record in study.records()} == {("done", 2)}
    assert list(study.notes().values()) == [["start", "start", "end"]] * 2


def test_a_task_that_slurm_begins_again(study, daemons):
    """What had begun is lost and done again; the second copy of the task does not do it."""
    gate = study.path / "gate"
    study.write(1, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 1)
    (job,) = study.jobs()
    tell("scontrol", "requeue", f"{job}_0")
    wait_until(lambda: states_of(job) == ["PENDING"])
    tell("scontrol", "update", f"jobid={job}_0", "starttime=now")
    gate.touch()
    finish(driver)

    (record,) = study.records()
    (notes,) = study.notes().values()
    assert record["state"] == "done"
    assert notes.count("end") == 1 and notes.count("start") == record["attempts"]


def test_a_node_that_is_drained_in_the_middle(study, daemons):
    gate = study.path / "gate"
    study.write(12, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 4)
    tell("scontrol", "update", "nodename=n2", "state=drain", "reason=test")
    gate.touch()
    finish(driver)

    assert list(study.notes().values()) == [["start", "end"]] * 12
    assert {(record["state"], record["attempts"]) for record in study.records()} == {("done", 1)}


def test_a_task_makes_way_for_an_urgent_one(study, daemons):
    daemons.configure(
        "PreemptType=preempt/partition_prio",
        "PreemptMode=CANCEL",
        "PartitionName=urgent Nodes=ALL PriorityTier=10 State=UP",
    )
    gate = study.path / "gate"
    study.write(4, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 4)
    (job,) = study.jobs()
    urgent = ("-p", "urgent", "-N2", "--exclusive", "-o", "/dev/null", "--wrap", "true")
    tell("sbatch", *urgent)
    wait_until(lambda: states_of(job) == ["PREEMPTED"] * 4)
    wait_until(lambda: len(first_attempts(study)) == 4 or driver.poll() is not None)
    gate.touch()
    finish(driver)

    assert {record["cause"] for record in first_attempts(study)} == {"preempted"}
    assert {(record["state"], record["attempts"]) for record in study.records()} == {("done", 2)}


def test_more_tasks_than_an_array_may_have(study, daemons):
    daemons.configure("MaxArraySize=4")
    gate = study.path / "gate"
    study.write(8, str(gate))
    driver = study.start(n=8)
    wait_until(lambda: study.begun() == 4)
    assert len(study.jobs()) == 3
    gate.touch()
    finish(driver)

    assert list(study.notes().values()) == [["start", "end"]] * 8


def test_the_directory_of_a_task_is_gone_before_it_begins(study, daemons):
    """To Slurm such a job ended well."""
    for node in ("n1", "n2"):
        tell("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    study.write(2)
    driver = study.start()
    wait_until(study.jobs)
    for path in (study.path / "runs/.soops/slurm").iterdir():
        shutil.rmtree(path)
    daemons.wait()
    err = finish(driver, 5)

    assert "the batch script failed on n" in err and "it does not see" in err
    assert "Traceback" not in err
    assert list(study.notes().values()) == [[]] * 2

    study.run()
    assert list(study.notes().values()) == [["start", "end"]] * 2


def test_slurm_has_forgotten_what_ended_without_a_driver(study, daemons):
    daemons.configure("MinJobAge=2")
    gate = study.path / "gate"
    study.write(4, str(gate))
    study.kill()
    (job,) = study.jobs()
    gate.touch()
    wait_until(lambda: list(study.notes().values()) == [["start", "end"]] * 4)
    known = ["squeue", "-h", "-a", "-t", "all", "-j", job]
    wait_until(lambda: not subprocess.run(known, capture_output=True).stdout, 200)

    study.run()

    assert list(study.notes().values()) == [["start", "end"]] * 4
    assert {(record["state"], record["attempts"]) for record in study.records()} == {("done", 1)}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_node_dies_with_everything_on_it(study, daemons):
    """Slurm notices when it does not answer for SlurmdTimeout, and more."""
    daemons.configure("SlurmdTimeout=5")
    gate = study.path / "gate"
    study.write(2, str(gate))
    driver = study.start("--runner-opt", "extra=--no-requeue --nodelist=n2")
    wait_until(lambda: study.begun() == 2)
    daemons.kill("slurmd-n2")
    for pid in processes("slurmstepd"):
        os.kill(pid, 9)
    for pid in batch_scripts(study.path):
        os.kill(pid, 9)  # their slots, and so the runs, go with them
    wait_until(lambda: first_attempts(study) or driver.poll() is not None, 200)
    daemons.start("slurmd-n2")
    daemons.wait()
    gate.touch()
    finish(driver)

    assert {record["state"] for record in study.records()} == {"done"}
    for notes in study.notes().values():
        assert notes.count("end") == 1


def test_the_daemons_of_the_nodes_are_killed(study, daemons):
    """The runs come to their ends all the same."""
    gate = study.path / "gate"
    study.write(4, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 4)
    for name in ("slurmd-n1", "slurmd-n2"):
        daemons.kill(name)
    gate.touch()
    wait_until(lambda: list(study.notes().values()) == [["start", "end"]] * 4)
    finish(driver)

    assert list(study.notes().values()) == [["start", "end"]] * 4
    assert {(record["state"], record["attempts"]) for record in study.records()} == {("done", 1)}


def test_the_keepers_of_the_tasks_are_killed(study, daemons):
    """Nothing watches the batch scripts any more; what they tell is what counts."""
    gate = study.path / "gate"
    study.write(4, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 4)
    keepers = processes("slurmstepd")
    assert keepers
    for pid in keepers:
        os.kill(pid, 9)
    gate.touch()
    finish(driver)

    assert {record["state"] for record in study.records()} == {"done"}
    for notes, record in zip(study.notes().values(), study.records(), strict=True):
        assert notes.count("end") == 1 and notes.count("start") == record["attempts"]
    # Slurm believes that they go on; its nodes are of no use until they forget it.
    tell("scontrol", "update", "nodename=n1,n2", "state=down", "reason=test")
    for name in ("slurmd-n1", "slurmd-n2"):
        daemons.kill(name)


def test_a_killed_controller_makes_no_run_happen_twice_at_once(study, daemons):
    gate = study.path / "gate"
    study.write(2, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 2)
    daemons.kill("slurmctld")
    daemons.start("slurmctld")
    gate.touch()
    # The new controller drains nodes on which it finds a job that it forgot: what it begins
    # again waits until somebody, here the test, gives them back.
    wait_until(lambda: give_nodes_back() or driver.poll() is not None, 200)
    finish(driver)

    assert {record["state"] for record in study.records()} == {"done"}
    for notes, record in zip(study.notes().values(), study.records(), strict=True):
        assert notes.count("end") == 1
        assert notes.count("start") == record["attempts"]
