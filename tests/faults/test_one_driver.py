"""Many drivers want one study, many readers look at it: one works, all others are told."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import soops
import soops.cli
from soops.testing import wait_until

QUICK = """\
def get_run_info():
    run_cmd = "sh {script_dir}/quick.sh {output_dir}"
    opt_args = {"--num": "{--num}"}
    return run_cmd, opt_args, "output_dir", "done.txt"

def get_scoop_info():
    return [("log.txt", count_lines)]

def count_lines(path, rdata=None):
    with open(path) as file:
        return {"ran": len(file.read().split())}
"""

#: Ends at once; every fifth fails, and succeeds when it is tried again.
PROGRAM = """\
echo ran >> "$1/log.txt"
[ $(( ${2:-1} % 5 )) -ne 0 ] || [ "$(wc -l < "$1/log.txt")" -gt 1 ] || exit 3
: > "$1/done.txt"
"""

#: Looks at the study again and again, and says so after each time.
READER = """\
import sys
import soops
while True:
    soops.find(["out"])
    print("looked", flush=True)
"""


@pytest.fixture
def quick(mini):
    """The small study, with a program that ends at once."""
    mini.write("quick.py", QUICK)
    mini.write("quick.sh", PROGRAM)
    return mini


def assert_whole(run, under_way: bool = True) -> None:
    """A run as it was found contradicts itself nowhere."""
    assert set(run.parameters) <= {"--num", "output_dir"}, run
    match run.state:
        case "done":
            assert (run.returncode, run.cause, run.signal) == (0, "exit", None), run
            assert run.attempts == (2 if run.parameters["--num"] % 5 == 0 else 1), run
        case "failed":
            assert (run.returncode, run.cause, run.attempts) == (3, "exit", 1), run
        case "queued" | "running":
            assert under_way, run
            assert (run.returncode, run.ended, run.elapsed) == (None, None, None), run
            assert run.attempts in (1, 2), run
        case "unknown":
            assert under_way, run
            assert (run.returncode, run.started, run.ended) == (None, None, None), run
        case _:
            raise AssertionError(run)
    if run.state in ("done", "failed"):
        assert run.started and run.ended and run.ended >= run.started, run
        assert run.elapsed >= 0 and run.host, run
        assert "--num" in run.parameters, run


# --- many drivers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        12,
        pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_of_many_starts_of_one_study_exactly_one_works(mini, number):
    """The others leave with a code of their own, and say who does."""
    drivers = [mini.start("--aa=[1, 2], --hold=gate", "-n", "2") for _ in range(number)]
    limit = 60.0 + number
    wait_until(lambda: sum(item.poll() is None for item in drivers) == 1, limit)
    (holder,) = [item for item in drivers if item.poll() is None]
    mini.wait_until(lambda: True)
    wait_until(lambda: len(mini.pids()) == 2)
    refused = [item for item in drivers if item is not holder]
    said = [item.communicate() for item in refused]

    assert [item.returncode for item in refused] == [6] * (number - 1), said
    for out, err in said:
        assert re.search(rf"pid {holder.pid} of \S+ on \S+ since 20", err), err
        assert "Traceback" not in err
        assert out == ""
    mini.gate.touch()
    out, err = holder.communicate(timeout=60)
    assert holder.returncode == 0, (out, err)
    assert mini.states() == ["done"] * 2
    assert mini.logs() == [["start", "end"]] * 2, "nobody else ran anything"
    assert not list(mini.root.glob("*/beside.txt"))


def test_two_studies_of_one_root_never_share_a_number(quick):
    """The second is refused while the first runs; then its sets get the next numbers."""
    texts = ["--num=@range(0, 40)", "--num=@range(20, 60)"]
    refusals = 0
    waiting = list(texts)
    while waiting:
        drivers = [quick.start(text, "--retries", "1", module="quick.py") for text in waiting]
        said = [driver.communicate(timeout=60) for driver in drivers]
        codes = [driver.returncode for driver in drivers]
        assert 0 in codes and set(codes) <= {0, 6}, said
        refusals += codes.count(6)
        waiting = [text for text, code in zip(waiting, codes, strict=True) if code]

    assert refusals <= 1
    found = quick.found()
    assert [run.number for run in found] == list(range(60))
    assert sorted(run.parameters["--num"] for run in found) == list(range(60))
    names = [path.name for path in quick.directories()]
    assert len({name.partition("-")[0] for name in names}) == len(names) == 60
    ran = Counter(len(log) for log in quick.logs())
    assert ran == {1: 48, 2: 12}, "each once, and those that failed once more"


def test_the_second_study_of_a_root_is_refused_while_the_first_runs(mini):
    """Whatever its sets are."""
    first = mini.start("--aa=1, --hold=gate")
    mini.wait_for_runs(1)
    second = mini.start("--aa=2, --hold=gate")
    err = second.communicate(timeout=60)[1]
    assert second.returncode == 6
    assert f"pid {first.pid} of" in err
    assert len(mini.directories()) == 1
    mini.gate.touch()
    assert first.wait(60) == 0

    third = mini.start("--aa=[1, 2], --hold=gate")
    assert third.wait(60) == 0
    assert [path.name[:3] for path in mini.directories()] == ["000", "001"]
    assert [run.parameters["--aa"] for run in mini.found()] == [1, 2]
    assert mini.logs() == [["start", "end"]] * 2


# --- readers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        250,
        pytest.param(3000, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_readers_see_whole_runs_at_every_moment(quick, number):
    """Each look finds at least what the last one did; nothing is said to be lost."""
    driver = quick.start(
        f"--num=@range({number})", "-n", "2", "--retries", "1", "--silent", module="quick.py"
    )
    looks = ended = 0
    moments: Counter[str] = Counter()
    while driver.poll() is None:
        runs = soops.find(["out"]) if quick.root.is_dir() else []
        for run in runs:
            assert_whole(run)
        moments.update(run.state for run in runs)
        assert len({run.number for run in runs}) == len({run.pkey for run in runs}) == len(runs)
        done = sum(run.state == "done" for run in runs)
        assert done >= ended, "a run that was done is not any more"
        ended = done
        looks += 1
        if quick.root.is_dir() and looks % 4 == 0:
            looked_at = [str(path) for path in quick.directories()[:2]]
            for command, *words in (
                (soops.cli.find_main, "out"),
                (soops.cli.jobs_main, "out"),
                (soops.cli.info_main, "quick.py", *(["-v", "-e", *looked_at] if looked_at else [])),
            ):
                called = quick.call(command, "--json", *words)
                assert called.code == 0, (words, called.err)
                for line in called.out.splitlines():
                    json.loads(line)
    out, err = driver.communicate()
    assert driver.returncode == 0, (out, err)
    assert looks > 4 and moments["done"], moments
    found = quick.found()
    assert [run.number for run in found] == list(range(number))
    for run in found:
        assert_whole(run, under_way=False)
    assert quick.call(soops.cli.main, "index", "--check", "out").code == 0


def test_a_scoop_in_mid_study_gives_whole_rows(quick):
    """Those of the runs that ended; the table is one that can be made."""
    driver = quick.start("--num=@range(150)", "--retries", "1", module="quick.py")
    tables = []
    while driver.poll() is None:
        if list(quick.root.glob("*/soops-run.json")):
            tables.append(soops.scoop("quick.py", ["out"]).frame)
    assert driver.returncode == 0, driver.communicate()
    tables.append(soops.scoop("quick.py", ["out"]).frame)
    assert len(tables[-1]) == 150
    for frame in tables:
        for state, code in zip(frame["state"], frame["returncode"], strict=True):
            assert {"done": code == 0, "failed": code == 3}.get(state, code != code or code is None)


def test_a_reader_that_stands_still_does_not_hold_the_driver_up(quick):
    """Stopped wherever it happens to be; the driver ends as ever."""
    assert quick.run("--num=0", "--retries", "1", module="quick.py").code == 0
    readers = [
        subprocess.Popen([sys.executable, "-c", READER], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        for reader in readers:
            assert reader.stdout.readline() == "looked\n"
            reader.send_signal(signal.SIGSTOP)
        driver = quick.start("--num=@range(60)", "--retries", "1", module="quick.py")
        assert driver.wait(60) == 0, driver.communicate()
        for reader in readers:
            reader.send_signal(signal.SIGCONT)
            assert reader.stdout.readline() == "looked\n"
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()
    assert quick.states() == ["done"] * 60


def test_a_program_that_keeps_the_index_open_does_not_hold_the_driver_up(quick):
    """A database browser in the middle of a query, say: the directories have it all."""
    assert quick.run("--num=0", "--retries", "1", module="quick.py").code == 0
    browser = sqlite3.connect(quick.root / ".soops" / "index.sqlite3", isolation_level=None)
    browser.execute("BEGIN")
    assert browser.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    try:
        driver = quick.start("--num=@range(60)", "--retries", "1", module="quick.py")
        out, err = driver.communicate(timeout=60)
        assert driver.returncode == 0, (out, err)
        assert quick.states() == ["done"] * 60, "what readers see meanwhile"
    finally:
        browser.close()
    assert quick.run("--num=@range(60)", module="quick.py").code == 0
    assert Counter(len(log) for log in quick.logs()) == {1: 48, 2: 12}, "nothing was run again"
    assert [run.number for run in quick.found()] == list(range(60))
    assert quick.call(soops.cli.main, "index", "--check", "out").code == 0
    assert Path(quick.root, ".soops", "index.sqlite3").exists()


@pytest.mark.parametrize("alive", [True, False])
def test_a_run_between_two_attempts_is_lost_only_when_its_driver_is(quick, monkeypatch, alive):
    """The reader comes just when the first attempt was set aside, with an older journal."""
    from soops.kernel.records import journal, reading
    from soops.kernel.records.lock import Lock
    from soops.kernel.records.record import set_aside

    assert quick.run("--num=5", module="quick.py").code == 1
    (run,) = quick.found()
    (quick.root / ".soops" / "index.sqlite3").unlink()
    entry = {"directory": Path(run.path).name, "number": 0, "pkey": run.pkey, "time": run.started}
    old, new = (journal.Entry(attempt=attempt, **entry) for attempt in (1, 2))
    later = iter([[old], [new]]) if alive else iter([[old]])
    monkeypatch.setattr(reading, "read_under_way", lambda root: next(later))
    set_aside(run.path, 1)
    lock = Lock(quick.root)
    if alive:
        lock.acquire()
    try:
        (found,) = quick.found()
    finally:
        lock.release()
    assert (found.state, found.attempts) == (("queued", 2) if alive else ("lost", 1))


def test_a_driver_that_begins_while_one_reads_has_lost_nothing(mini, monkeypatch):
    """The reader saw nobody hold the study, and then what is under way."""
    from soops.kernel.records import reading

    driver = mini.start("--aa=1, --hold=gate")
    mini.wait_for_runs(1)
    holders = iter([None, reading.read_holder(mini.root)])
    monkeypatch.setattr(reading, "read_holder", lambda root: next(holders))
    (run,) = mini.found()
    assert run.state in ("queued", "running")
    mini.gate.touch()
    assert driver.wait(60) == 0
