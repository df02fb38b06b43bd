"""Nothing piles up in a driver or a slot: descriptors, threads, processes, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

MODULE = """\
def get_run_info():
    run_cmd = "sh {script_dir}/quick.sh {output_dir}"
    opt_args = {"--num": "{--num}"}
    return run_cmd, opt_args, "output_dir", "done.txt"
"""

PROGRAM = """\
: > "$1/done.txt"
[ $(( ${2:-1} % 5 )) -ne 0 ]
"""

#: A notebook: one process that runs many studies, and looks at itself after each.
NOTEBOOK = """\
import json, os, sys
import soops

def children():
    found = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                text = open(f"/proc/{name}/stat").read()
            except OSError:
                continue
            found += int(text.rpartition(")")[2].split()[1]) == os.getpid()
    return found

for turn in range(int(sys.argv[1])):
    text = f"output_dir='out/%s', --num=[1, {turn + 6}]"
    summary = soops.run(text, "quick.py", recompute=2, silent=True)
    assert sum(summary.counts.values()) == 2, summary
    fds = sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                 if os.path.lexists(f"/proc/self/fd/{fd}"))
    print(json.dumps([len(fds), len(os.listdir("/proc/self/task")), children()]), flush=True)
"""


@dataclass
class Look:
    """What a process had when it was looked at."""

    fds: int
    threads: int
    children: int
    zombies: int
    memory: int


def processes() -> dict[int, tuple[int, str]]:
    """Return parent and state of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = path.read_text().rpartition(")")[2].split()
            found[int(path.parent.name)] = int(fields[1]), fields[0]
    return found


def look(pid: int, table: dict[int, tuple[int, str]]) -> Look:
    """Look at one process."""
    children = [state for parent, state in table.values() if parent == pid]
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Look(
        fds=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(status["Threads"]),
        children=len(children),
        zombies=children.count("Z"),
        memory=int(status["VmRSS"].split()[0]) * 1024,
    )


def slots_of(driver: int, table: dict[int, tuple[int, str]]) -> list[int]:
    """Return the processes of the slots: the children of the driver, and theirs."""
    outer = [pid for pid, (parent, _) in table.items() if parent == driver]
    inner = [pid for pid, (parent, _) in table.items() if parent in outer]
    return [
        pid
        for pid in [*outer, *inner]
        if b"kernel/runs/launch" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def watch(driver: subprocess.Popen[str], number: int) -> dict[int, list[Look]]:
    """Look at the driver and its slots ten times, at least, while runs come to their ends."""
    looks: dict[int, list[Look]] = {}
    step = number // 60
    told = set()
    for count, line in enumerate(driver.stdout):
        told.add(json.loads(line)["number"])
        if count % step or count < number // 10:
            continue
        with suppress(FileNotFoundError, ProcessLookupError, KeyError):  # it is ending
            table = processes()
            for pid in [driver.pid, *slots_of(driver.pid, table)]:
                looks.setdefault(pid, []).append(look(pid, table))
    assert told == set(range(number))
    return looks


@pytest.mark.parametrize(
    "number",
    [
        600,
        pytest.param(20000, marks=[pytest.mark.slow, pytest.mark.timeout(1200)]),
    ],
)
def test_a_driver_and_its_slots_stay_as_they_are(mini, number, record_property):
    """The least of the first third of the looks is compared with the least of the last."""
    mini.write("quick.py", MODULE)
    mini.write("quick.sh", PROGRAM)
    driver = mini.start(f"--num=@range({number})", "-n", "2", "--json", module="quick.py")
    looks = watch(driver, number)
    assert driver.wait(60) == 1, driver.communicate()

    lasting = {pid: seen for pid, seen in looks.items() if len(seen) >= 12}
    assert driver.pid in lasting
    assert len(lasting) >= 3, "the driver and two slots"
    for pid, seen in lasting.items():
        who = "driver" if pid == driver.pid else "slot"
        third = len(seen) // 3
        for what, allowed in (("fds", 0), ("threads", 0), ("children", 0), ("zombies", 0)):
            first = min(getattr(item, what) for item in seen[:third])
            last = min(getattr(item, what) for item in seen[-third:])
            assert last <= first + allowed, f"{what} of the {who}: {first}, then {last}"
        first = min(item.memory for item in seen[:third])
        last = min(item.memory for item in seen[-third:])
        record_property(f"memory of {who} {pid}", f"{first} -> {last}")
        assert last <= first + 4 * 2**20, f"memory of the {who}: {first}, then {last}"


@pytest.mark.parametrize("turns", [50])
def test_many_studies_in_one_process_leave_nothing_in_it(mini, turns):
    """A notebook in which the same cell is run again and again."""
    mini.write("quick.py", MODULE)
    mini.write("quick.sh", PROGRAM)
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, str(turns)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(looks) == turns
    assert all(item == looks[1] for item in looks[1:]), looks
    assert looks[1][1:] == [1, 0], "one thread, no children"
