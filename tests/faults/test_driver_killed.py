"""SIGKILL to the driver at random moments, again and again, until its study is done.

What happened is told by the programs themselves: each appends a line to a file when it starts
and when it ends. The seeds are fixed; ``pytest --long`` kills ten times as often.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import soops
from soops.cli import main
from soops.kernel.records.journal import read_under_way
from soops.testing import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

MODULE = """\
def get_run_info():
    run_cmd = "sh {script_dir}/program.sh {output_dir} $SOOPS_TEST_LOG"
    return run_cmd, {"--n": "--n={--n}", "--wait": "--wait={--wait}"}, "output_dir", "done.txt"
"""
#: Says when another one is at work in its directory; done.txt is there when it has ended well.
PROGRAM = """\
dir=$1; log=$2; n=${3#--n=}; wait=${4#--wait=}
if ! mkdir "$dir/at work" 2> /dev/null; then
    kill -0 "$(cat "$dir/at work/pid")" 2> /dev/null && echo "beside $n" >> "$log"
fi
echo $$ > "$dir/at work/pid"
echo "start $n" >> "$log"
sleep "$wait"
echo result > "$dir/done.txt"
echo "end $n" >> "$log"
rm -r "$dir/at work"
"""
N_SETS = 28
STUDY = (
    f"--n=@range({N_SETS}), --wait=[{', '.join(['0', '0.05', '0', '0.2', '0', '0', '0.1'] * 4)}], "
    "output_dir='out/%s'"
)
COMMAND = (sys.executable, "-m", "soops", "run", "-n", "3", "--grace", "0.2", "--silent")
COMMAND += ("-c", "--n + --wait", STUDY, "mod.py")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which programs say what they do, in the directory of a study."""
    folder = tmp_path / "a study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "mod.py").write_text(MODULE)
    (folder / "program.sh").write_text(PROGRAM)
    path = tmp_path / "log.txt"
    path.touch()
    monkeypatch.setenv("SOOPS_TEST_LOG", str(path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return path


def living(folder: Path) -> list[int]:
    """Return the processes that work for runs below a directory."""
    mark = os.fsencode(folder / "out") + b"/"
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark in Path("/proc", name, "environ").read_bytes():
                found.append(int(name))
        except OSError:
            continue
    return found


def finished() -> set[int]:
    """Return the sets whose record says that they are done."""
    if not Path("out").exists():
        return set()
    return {run.parameters["--n"] for run in soops.find(["out"]) if run.state == "done"}


def check_whole(log: Path, cut_off: Counter[int]) -> None:
    """Check that all is done, nothing twice without need, and everything readable.

    ``cut_off`` tells of each number how often it was under way when a driver was killed.
    """
    lines = Counter(log.read_text().split("\n")[:-1])
    assert not [line for line in lines if line.startswith("beside")]
    starts = {n: lines[f"start {n}"] for n in range(N_SETS)}
    ends = {n: lines[f"end {n}"] for n in range(N_SETS)}
    assert min(ends.values()) >= 1
    found = soops.find(["out"])
    assert [run.number for run in found] == list(range(N_SETS)), "numbers are unique"
    assert sorted(run.parameters["--n"] for run in found) == list(range(N_SETS))
    assert {run.state for run in found} == {"done"}
    for run in found:
        again = cut_off[run.number]
        assert starts[run.parameters["--n"]] <= 1 + again, "only what was under way is begun again"
        assert run.attempts <= 1 + again
    assert main(["index", "out", "--check"]) == 0
    wait_until(lambda: not living(Path.cwd()))


def await_moment(
    rng: random.Random, log: Path, driver: subprocess.Popen[bytes], first: bool
) -> None:
    """Wait for a random moment: of the start, or of the study, by what its programs say.

    The first one is in the middle of the study.
    """
    if rng.random() < 0.3 and not first:
        time.sleep(rng.uniform(0.0, 0.4))
        return
    enough = log.stat().st_size + rng.randint(1, 80)
    wait_until(lambda: log.stat().st_size >= enough or driver.poll() is not None)
    time.sleep(rng.uniform(0.0, 0.05))


def kill_and_go_on(log: Path, times: int, seed: int, *options: str) -> None:
    """Start the study and kill its driver, so many times; then let it end, and check."""
    command = [*COMMAND, *options]
    rng = random.Random(seed)
    done_before: list[dict[int, int]] = []
    cut_off: Counter[int] = Counter()
    killed = at_work = 0
    while killed < times:  # a driver that had ended by itself was not killed
        driver = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)
        await_moment(rng, log, driver, first=not done_before)
        driver.kill()
        _, err = driver.communicate()
        was_killed = driver.returncode == -signal.SIGKILL
        killed += was_killed
        assert b"error" not in err, err
        done = finished()  # first: programs that survive go on
        text = log.read_text()
        done_before.append({n: text.count(f"start {n}\n") for n in done})
        at_work += was_killed and bool(text) and len(done_before[-1]) < N_SETS
        if Path("out").exists():
            cut_off.update(entry.number for entry in read_under_way("out"))

    last = subprocess.run(command, capture_output=True, text=True, timeout=100)

    assert last.returncode == 0, last.stderr
    assert at_work, "one of them at least was in the middle of the study"
    check_whole(log, cut_off)
    text = log.read_text()
    for before in done_before:
        assert {n: text.count(f"start {n}\n") for n in before} == before, "none was done again"


@pytest.mark.parametrize("seed", range(5))
def test_a_study_survives_that_its_driver_is_killed_again_and_again(log, seed):
    kill_and_go_on(log, 4, seed)


@pytest.mark.parametrize("seed", range(3))
def test_with_survive_no_program_is_started_twice(log, seed):
    kill_and_go_on(log, 4, seed, "--survive")

    starts = Counter(log.read_text().split("\n")[:-1])
    assert [starts[f"start {n}"] for n in range(N_SETS)] == [1] * N_SETS


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(200, 240))
def test_with_survive_no_program_is_started_twice_in_two_hundred_kills(log, seed):
    test_with_survive_no_program_is_started_twice(log, seed)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(100, 140))
def test_studies_survive_two_hundred_kills(log, seed):
    kill_and_go_on(log, 5, seed)
