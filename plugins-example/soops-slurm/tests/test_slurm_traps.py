"""What leaves the Slurm of the tests in disorder; these come last."""

from __future__ import annotations

import os
import subprocess

import pytest

from soops.testing import wait_until


def give_nodes_back() -> None:
    resume = ["scontrol", "update", "nodename=n1,n2", "state=resume"]
    subprocess.run(resume, check=False, capture_output=True)


def test_a_killed_controller_makes_no_run_happen_twice_at_once(study, slurm):
    if not (slurm / "pids").exists():
        pytest.skip("this Slurm is not ours to kill")
    gate = study.path / "gate"
    study.write(2, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 2)
    pids = (slurm / "pids").read_text()
    (pid,) = [line.split()[0] for line in pids.splitlines() if line.endswith(" slurmctld")]
    os.kill(int(pid), 9)
    log = (slurm / "log" / "again.out").open("w")
    with log:
        again = subprocess.Popen(
            ["slurmctld", "-D"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (slurm / "pids").write_text(pids.replace(f"{pid} slurmctld", f"{again.pid} slurmctld"))
    again.returncode = 0  # whoever stops Slurm ends it
    gate.touch()
    # The new controller drains nodes on which it finds a job that it forgot: what it begins
    # again waits until somebody, here the test, gives them back.
    wait_until(lambda: give_nodes_back() or driver.poll() is not None, 200)
    said = driver.communicate()

    assert driver.returncode == 0, said
    assert {record["state"] for record in study.records()} == {"done"}
    for notes, record in zip(study.notes().values(), study.records(), strict=True):
        assert notes.count("end") == 1
        assert notes.count("start") == record["attempts"]
