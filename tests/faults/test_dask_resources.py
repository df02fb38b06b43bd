"""Runs that need resources: on dask workers that have them, and refused where nobody minds."""

from __future__ import annotations

import sys

import pytest

import soops
from soops.api import RunnerError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

NEEDS = ("--resources", "GPU=1,memory=4e9")
#: Of a worker that could have two runs at once, were it not for its GPU.
OFFERS = ("--no-nanny", "--nthreads", "2", "--resources", "GPU=1,memory=16e9")


def test_runs_wait_for_a_worker_that_has_what_they_need(mini, start_cluster):
    cluster = start_cluster(2)
    cluster.wait_for_workers(2)
    driver = mini.start("--aa=[1, 2, 3], --hold=gate", "-n", "3", *NEEDS, *cluster.options())
    assert driver.stderr is not None
    said: list[str] = []
    mini.wait_until(lambda: said.append(driver.stderr.readline()) or "no worker" in said[-1])
    assert "has GPU=1, memory=4e+09; the runs wait for one" in said[-1]
    assert not mini.pids()

    (worker,) = cluster.add(1, *OFFERS)

    (pid,) = mini.wait_for_runs(1)
    assert cluster.worker_of(pid) == worker.pid
    assert len(mini.pids()) == 1, "it has one GPU"
    mini.gate.touch()
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, err
    assert "no worker" not in err
    assert mini.states() == ["done"] * 3


def test_a_cluster_made_here_can_offer_them(mini):
    offers = "resources={'GPU': 1}"
    words = ("--runner", "dask", "-n", "1", "--resources=GPU=1", "--cluster-kwargs", offers)

    called = mini.run("--aa=[1, 2]", *words)

    assert called.code == 0, called.err
    assert "no worker" not in called.err
    assert mini.states() == ["done"] * 2


@pytest.mark.parametrize("runner", ["local", "inline"])
def test_this_machine_refuses_what_it_does_not_have(mini, runner):
    called = mini.run("--aa=1", "--runner", runner, *NEEDS)

    assert called.code == 5
    assert "this machine has no 'GPU'" in called.err and "did you mean 'gpus'" in called.err
    assert len([line for line in called.err.splitlines() if "error" in line]) == 1
    assert mini.logs() in ([], [[]]) and mini.states() == []


@pytest.mark.parametrize(
    "text",
    ["GPU", "GPU=", "GPU=x", "GPU=0", "GPU=-1", "GPU=nan", "GPU=inf", "=1", "a b=1", "GPU=1,GPU=2"],
)
def test_what_is_no_amount_is_refused(mini, text):
    called = mini.run("--aa=1", "--runner", "dask", "--resources", text)

    assert called.code == 2
    assert "--resources does not understand" in called.err
    assert "Traceback" not in called.err and len(called.err.splitlines()) <= 3
    assert not mini.root.exists()


def test_from_python_they_are_a_mapping(mini):
    study = "output_dir='out/%s', --aa=1"
    kwargs = {"resources": {"GPU": 1}, "processes": False}

    summary = soops.run(
        study, "mini.py", runner="dask", resources={"GPU": 0.5}, cluster_kwargs=kwargs, n_workers=1
    )

    assert summary.ok
    with pytest.raises(RunnerError, match="has no 'GPU'"):
        soops.run(study, "mini.py", resources={"GPU": 0.5}, recompute=2)


def test_jobs_of_a_task_need_the_same(tmp_path):
    from collections import deque

    from soops.api import Job
    from soops_builtin.runners.dask.batches import cut

    def job(number, needs):
        place = str(tmp_path)
        return f"t{number}", Job(
            key=str(number), attempt=1, command="true", launch="", directory=place, cwd=place,
            resources=needs,
        )  # fmt: skip

    needs = [{}, {}, {"GPU": 1}, {"GPU": 1}, {"GPU": 2}, {}, {}, {}]
    backlog = deque(job(number, given) for number, given in enumerate(needs))

    batches = cut(backlog, size=4, room=2)

    assert [[token for token, _ in batch] for batch in batches] == [["t0", "t1"], ["t2", "t3"]]
    assert [token for token, _ in backlog] == ["t4", "t5", "t6", "t7"]
