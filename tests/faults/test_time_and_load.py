"""The clock is set back in mid study; thousands of runs, sets and directories; endless output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

import soops
import soops.cli

QUICK = """\
def get_run_info():
    run_cmd = "sh {script_dir}/quick.sh {output_dir}"
    opt_args = {"--num": "{--num}", "--part": "{--part}"}
    return run_cmd, opt_args, "output_dir", "done.txt"
"""

#: Ends at once; every fifth fails.
QUICK_PROGRAM = """\
echo ran >> "$1/log.txt"
: > "$1/done.txt"
[ $(( ${2:-1} % 5 )) -ne 0 ]
"""

#: Prints $SIZE bytes, then waits for the file "gate".
LOUD_PROGRAM = """\
head -c "$SIZE" /dev/zero | tr '\\0' x
: > "$1/done.txt"
touch printed
while [ ! -e gate ]; do sleep 0.02; done
"""

#: Moves the clock of this Python as far as the file that $CLOCK_SHIFT names says.
PATCHED = """\
import os, time
real = time.time
def shifted():
    try:
        with open(os.environ["CLOCK_SHIFT"]) as file:
            return real() + float(file.read() or 0)
    except FileNotFoundError:
        return real()
time.time = shifted
"""

#: The same for every program: what libfaketime does, and while they run.
PRELOADED = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) {
    char *path = getenv("CLOCK_SHIFT");
    FILE *file = path ? fopen(path, "r") : NULL;
    long seconds = 0;
    if (file) {
        if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int code = syscall(SYS_clock_gettime, id, now);
    if (!code && id == CLOCK_REALTIME) now->tv_sec += shift();
    return code;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}
"""

#: Calls a command with the words given, and tells the peak of its memory on stderr.
MEASURED = """\
import re, sys
import soops.cli
code = getattr(soops.cli, sys.argv[1])(sys.argv[2:])
peak = re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]
print("peak", code, int(peak) * 1024, file=sys.stderr)
"""

MB = 2**20


def peak_of(pid: int) -> int:
    """Return the peak of the memory of a process, in bytes."""
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


def slots_of(driver: int) -> list[int]:
    """Return the processes of the slots of a driver, which do nothing but hold runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            words = path.read_bytes().split(b"\0")
            if str(driver).encode() in words and b"kernel/runs/launch" in b"".join(words):
                found.append(int(path.parent.name))
    assert found
    return found


def measured(command: str, *words: str) -> tuple[int, int]:
    """Return how many lines a command printed, and the peak of its memory in bytes."""
    with subprocess.Popen(
        [sys.executable, "-c", MEASURED, command, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        lines = sum(1 for _ in process.stdout)
        err = process.stderr.read().decode()
    word, code, peak = err.splitlines()[-1].split()
    assert (word, code) == ("peak", "0"), err
    return lines, int(peak)


@pytest.fixture
def quick(mini):
    """The small study, with a program that ends at once."""
    mini.write("quick.py", QUICK)
    mini.write("quick.sh", QUICK_PROGRAM)
    return mini


# --- the clock ---------------------------------------------------------------------------


@pytest.fixture(params=["of the driver", "of all programs"])
def clock(request, tmp_path) -> dict[str, str]:
    """Return the environment in which the file ``shift`` moves the clock."""
    env = {"CLOCK_SHIFT": str(tmp_path / "shift")}
    if request.param == "of the driver":
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(PATCHED)
        return {**env, "PYTHONPATH": str(tmp_path / "site")}
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (tmp_path / "clock.c").write_text(PRELOADED)
    library = str(tmp_path / "clock.so")
    words = [compiler, "-shared", "-fPIC", "-o", library, str(tmp_path / "clock.c")]
    subprocess.run(words, check=True, timeout=60)
    return {**env, "LD_PRELOAD": library}


@pytest.mark.parametrize("to", ["an hour back", "1970", "a year on"])
def test_a_clock_that_is_set_in_mid_study_changes_nothing(mini, clock, tmp_path, to):
    """Times that passed are right; nothing is run again; each record is whole."""
    begun = time.monotonic()
    driver = mini.start("--aa=@range(6), --hold=gate", "-n", "2", "-t", "1000", **clock)
    mini.wait_for_runs(2)
    held = time.monotonic()
    far = {"an hour back": -3600, "1970": -int(time.time()) + 7200, "a year on": 366 * 86400}
    shift = Path(clock["CLOCK_SHIFT"])
    shift.with_suffix(".new").write_text(str(far[to]))
    shift.with_suffix(".new").replace(shift)
    seen = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env={**os.environ, **clock},
        capture_output=True,
        text=True,
        check=True,
    )
    assert abs(float(seen.stdout) - time.time() - far[to]) < 300, "the clock was not set"
    held = time.monotonic() - held
    mini.gate.touch()
    out, err = driver.communicate(timeout=60)
    whole = time.monotonic() - begun

    assert driver.returncode == 0, (out, err)
    found = mini.found()
    assert [run.state for run in found] == ["done"] * 6
    assert mini.logs() == [["start", "end"]] * 6
    assert all(0 <= run.elapsed <= whole for run in found)
    assert all(run.elapsed >= held for run in found[:2])
    assert all(run.ended >= run.started for run in found)
    records = [json.loads(Path(run.path, "soops-run.json").read_text()) for run in found]
    assert [record["state"] for record in records] == ["done"] * 6
    assert mini.call(soops.cli.main, "index", "--check", "out").code == 0

    again = mini.start("--aa=@range(7), --hold=gate", **clock)
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert mini.logs() == [["start", "end"]] * 7, "only the new set was run"
    for command in (soops.cli.find_main, soops.cli.jobs_main):
        assert mini.call(command, "out").code == 0


# --- many runs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        300,
        pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_each_of_many_runs_that_end_at_once_is_recorded_once(quick, number):
    """A fifth of them fails."""
    driver = quick.start(f"--num=@range({number})", "-n", "4", "--json", module="quick.py")
    out, err = driver.communicate(timeout=500)

    assert driver.returncode == 1, err
    told = [json.loads(line) for line in out.splitlines()]
    assert sorted(item["number"] for item in told) == list(range(number))
    expected = {"done": number - number // 5, "failed": number // 5}
    found = quick.found()
    assert [run.number for run in found] == list(range(number))
    assert Counter(run.state for run in found) == expected
    assert all((run.parameters["--num"] % 5 == 0) == (run.state == "failed") for run in found)
    assert all(run.attempts == 1 and run.returncode == (run.state == "failed") for run in found)
    assert len({run.pkey for run in found}) == number
    assert quick.logs() == [["ran"]] * number
    assert len(list(quick.root.glob("*/soops-run.json"))) == number
    assert not (quick.root / ".soops" / "journal.jsonl").read_bytes()
    assert quick.call(soops.cli.main, "index", "--check", "out").code == 0


# --- much output -------------------------------------------------------------------------


@pytest.fixture(
    params=[
        50 * MB,
        pytest.param(1000 * MB, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ]
)
def loud(request, mini, monkeypatch):
    """A run that prints much, and what it takes to look at it when all is printed."""
    mini.write("loud.py", QUICK.replace("quick.sh", "loud.sh"))
    mini.write("loud.sh", LOUD_PROGRAM)

    def start(size: int, *options: str) -> int:
        monkeypatch.setenv("SIZE", str(size))
        mini.gate.unlink(missing_ok=True)
        mini.folder.joinpath("printed").unlink(missing_ok=True)
        shutil.rmtree(mini.root, ignore_errors=True)
        driver = mini.start("--num=1", *options, module="loud.py")
        mini.wait_until(mini.folder.joinpath("printed").exists)
        peak = max(map(peak_of, [driver.pid, *slots_of(driver.pid)]))
        mini.gate.touch()
        assert driver.wait(60) == 0, driver.communicate()
        return peak

    return request.param, start


def test_memory_does_not_grow_with_what_a_run_prints(mini, loud):
    """Nor does anything get lost."""
    size, start = loud
    quiet = start(10)
    assert start(size) < quiet + 16 * MB
    (run,) = mini.found()
    assert Path(run.path, "stdout.txt").stat().st_size == size
    assert (run.max_rss or 0) < 100 * MB


def test_no_more_is_kept_than_asked_for_and_it_says_so(mini, loud):
    """The process that cuts the stream does not keep it either."""
    size, start = loud
    quiet = start(10, "--max-output", "100000")
    assert start(size, "--max-output", "100000") < quiet + 16 * MB
    (run,) = mini.found()
    directory = Path(run.path)
    kept = (directory / "stdout.txt").read_bytes()
    assert kept.count(b"x") == 100000
    assert b"[... %d bytes left out ...]" % (size - 100000) in kept
    assert len(kept) < 100100
    message = json.loads((directory / "soops-run.json").read_text())["message"]
    assert f"{size - 100000} bytes of" in message and "left out" in message
    assert (directory / "stderr.txt").read_bytes() == b""


# --- many sets ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("few", "many"),
    [
        (1000, 10000),
        pytest.param(10000, 100000, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_planning_takes_no_more_memory_for_more_sets(quick, few, many):
    peaks = {}
    for number in (few, many):
        study = f"--num=@range({number // 100}), --part=@range(100)"
        words = quick.line(study, ["--dry-run"], "quick.py")
        lines, peaks[number] = measured("run_main", *words)
        assert lines >= number
    assert not quick.root.exists()
    assert peaks[many] < peaks[few] + 8 * MB


# --- many directories --------------------------------------------------------------------


def make_directories(study, number: int) -> None:
    """Write the directories of so many runs as a study leaves them, but for its index."""
    from soops.kernel.records.record import write_record
    from soops.kernel.records.rundir import write_parameters_csv
    from soops.kernel.values import RunRecord, State

    text = f"output_dir='out/%s', --num=@range({number})"
    for planned in soops.plan(text, "quick.py"):
        os.makedirs(planned.directory)
        pkey, values = planned.parameters.pkey, planned.values
        write_parameters_csv(planned.directory, pkey, True, planned.number, values)
        record = RunRecord(
            identity=planned.parameters.identity,
            pkey=pkey,
            number=planned.number,
            directory=Path(planned.directory).name,
            parameters=planned.parameters.values,
            command=planned.command,
            state=State.DONE,
            cause="exit",
            returncode=0,
        )
        write_record(planned.directory, record)
        Path(planned.directory, "done.txt").touch()


@pytest.mark.parametrize(
    "number",
    [
        1000,
        pytest.param(20000, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_a_root_with_very_many_directories(quick, number):
    """Without an index and with one: every look at it ends, and costs little for each run."""
    study = f"--num=@range({number + 1})"
    dry = quick.line(study, ["--explain"], "quick.py")
    looks = {
        "find": ("find_main", "-q", f"num >= {number - 10}", "out"),
        "jobs": ("jobs_main", "out"),
        "plan": ("run_main", *dry),
    }
    empty = {name: measured(*words)[1] for name, words in looks.items() if name == "plan"}["plan"]
    make_directories(quick, number)
    for index in ("no index", "an index"):
        for name, words in looks.items():
            lines, peak = measured(*words)
            assert lines, (index, name)
            per_run = (peak - empty - 24 * MB) / number
            assert per_run < 8192, f"{name} with {index}: {per_run:.0f} bytes a run"
        if index == "no index":
            assert quick.run(study, module="quick.py").code in (0, 1)
            assert (quick.root / ".soops" / "index.sqlite3").exists()
    logs = list(quick.root.glob("*/log.txt"))
    assert [path.parent.name.partition("-")[0] for path in logs] == [f"{number:03d}"]
    assert [run.number for run in soops.find(["out"])] == list(range(number + 1))
