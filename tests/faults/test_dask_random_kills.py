"""Workers of a dask cluster are killed at random moments: nothing recorded as done is begun again.

What a program notes as its end it may note just before it is ended: that is not its end.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

STUDY = "--aa=[{}], --bb=[1, 2, 3, 4]"


def kill_at_random(mini, cluster, rng, kills):
    """Run a study, its workers being killed meanwhile, until all is done; return the kills."""
    study = STUDY.format(", ".join(str(number) for number in range(10)))
    hits = 0
    for _ in range(30):
        driver = mini.start(study, "-n", "3", "--grace", "0.3", *cluster.options())
        while driver.poll() is None:
            time.sleep(rng.uniform(0.0, 0.8))  # the moment of the kill, not a wait
            if hits < kills and mini.root.exists():
                busy = [worker for pid in mini.pids() for worker in over(cluster, pid)]
                if busy:
                    with suppress(ProcessLookupError):
                        os.kill(rng.choice(busy), rng.choice((signal.SIGKILL, signal.SIGTERM)))
                        hits += 1
        out, err = driver.communicate()
        assert driver.returncode in (0, 1), out + err
        assert "Traceback" not in err
        if driver.returncode == 0:
            return hits
    raise AssertionError("it does not come to an end")


def over(cluster, pid):
    with suppress(OSError):
        return [cluster.worker_of(pid)]
    return []


def check(mini):
    assert mini.states() == ["done"] * 40
    for found, directory, log in zip(mini.found(), mini.directories(), mini.logs(), strict=True):
        earlier = [json.loads(path.read_text()) for path in directory.glob("soops-run.json.*")]
        assert [record["state"] for record in earlier] == ["lost"] * (found.attempts - 1)
        assert log[-2:] == ["start", "end"]
        assert log.count("start") <= found.attempts, "a copy of an attempt was begun"
    assert not list(mini.root.glob("*/beside.txt")), "two at once in a directory"
    assert not list(mini.root.glob("*/.soops-attempt-*"))


@pytest.fixture
def crowd(start_cluster):
    cluster = start_cluster()
    cluster.add(3, "--nanny")
    return cluster


@pytest.fixture
def slow_program(mini):
    """Runs last a moment, so that kills hit them; what is killed while it sleeps says no end."""
    text = (mini.folder / "program.sh").read_text()
    mini.write(
        "program.sh",
        text.replace('touch "$dir/done.txt"', 'sleep 0.3 || exit 1; touch "$dir/done.txt"'),
    )


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", range(4))
def test_workers_are_killed_at_random_again_and_again(mini, crowd, slow_program, seed):
    hits = kill_at_random(mini, crowd, random.Random(seed), kills=40)

    print(f"{hits} kills")
    assert hits > 10
    check(mini)
