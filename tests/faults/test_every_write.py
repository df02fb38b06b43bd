"""The driver is killed, or gets an error, at each call that changes a file.

The calls are counted and made to fail in the driver itself, whose slots and programs are other
processes. What SQLite writes is not among them: the index can be made anew from the records.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import soops
from soops.cli import main

DRIVER = """\
import builtins, errno, io, os, signal, stat, sys

kind, number, times, counted, *words = sys.argv[1:]
number = int(number)
calls = []

def due(what):
    calls.append(what)
    if len(calls) == number or (times == "always" and 0 < number <= len(calls)):
        if kind == "KILL":
            os.kill(os.getpid(), signal.SIGKILL)
        code = getattr(errno, kind)
        raise OSError(code, os.strerror(code))

def changes(name, args, kwargs):
    if name == "open":
        flags = args[1] if len(args) > 1 else kwargs.get("flags", 0)
        return flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if name in ("write", "ftruncate", "fsync"):
        return stat.S_ISREG(os.fstat(args[0]).st_mode)
    return True

def wrap(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        if changes(name, args, kwargs):
            due(f"{name} {args[0]!r}")
        return real(*args, **kwargs)
    setattr(os, name, call)

calling = "open write truncate ftruncate fsync mkdir rename replace unlink link symlink chmod"
for name in calling.split():
    wrap(name)
real_open = io.open

def open_(file, mode="r", *args, **kwargs):
    if set(mode) & set("wax+") and not isinstance(file, int):
        due(f"open {file!r}")
    return real_open(file, mode, *args, **kwargs)

io.open = builtins.open = open_

from soops.cli import main
code = main(words)
with real_open(counted, "w") as file:
    file.write("\\n".join(calls))
sys.exit(code)
"""
MODULE = """\
def get_run_info():
    return "sh {script_dir}/program.sh {output_dir}", {"--n": "--n={--n}"}, "output_dir", "done.txt"


def get_scoop_info():
    import soops.scoop_outputs as sc

    return [("soops-parameters.csv", sc.load_soops_parameters, True)]
"""
PROGRAM = 'echo x >> "$1/starts"; echo y > "$1/done.txt"\n'
RUN = ("run", "-n", "2", "--silent", "--n=[0, 1, 2], output_dir='out/%s'", "mod.py")
AGAIN = ("run", "-n", "2", "--silent", "-r", "2", *RUN[4:])
SCOOP = ("scoop", "--no-plugins", "-o", "results", "mod.py", "out")
#: How many of the calls are tried in the short mode, evenly spread.
TRIED = 6
RARE = [("EIO", "always"), ("EDQUOT", "once"), ("EDQUOT", "always"), ("EROFS", "once")]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty study, and be in its directory."""
    folder = tmp_path / "a study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("mod.py").write_text(MODULE)
    Path("program.sh").write_text(PROGRAM)
    (tmp_path / "driver.py").write_text(DRIVER)
    return folder


def drive(
    words: tuple[str, ...], kind: str = "EIO", number: int = 0, times: str = "once"
) -> tuple[int, str, list[str]]:
    """Return exit code, standard error and the calls of a driver with a fault."""
    counted = Path("..", "calls.txt")
    counted.unlink(missing_ok=True)
    line = [sys.executable, "../driver.py", kind, str(number), times, str(counted), *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=100)
    calls = counted.read_text().splitlines() if counted.exists() else []
    return done.returncode, done.stderr, calls


def starts() -> Counter[str]:
    return Counter(
        {path.parent.name: len(path.read_text().split()) for path in Path("out").glob("*/starts")}
    )


def done_runs() -> set[str]:
    if not Path("out").is_dir():
        return set()
    return {Path(run.path).name for run in soops.find(["out"]) if run.state == "done"}


def spread(total: int, pytestconfig: pytest.Config) -> list[int]:
    """Return the numbers of the calls that are tried."""
    if pytestconfig.getoption("--long"):
        return list(range(1, total + 1))
    return sorted({1 + round(i * (total - 1) / (TRIED - 1)) for i in range(TRIED)})


def check_goes_on(before: Counter[str], done: set[str]) -> None:
    """Check that the same command, without the fault, finishes the study and no more."""
    code, said, _ = drive(RUN)
    assert code == 0, said
    found = soops.find(["out"])
    assert sorted(run.parameters["--n"] for run in found) == [0, 1, 2]
    assert [run.number for run in found] == [0, 1, 2]
    assert {run.state for run in found} <= {"done", "unknown"}
    assert all(run.finished for run in found)
    after = starts()
    assert {name: after[name] for name in done} == {name: before[name] for name in done}
    assert main(["index", "out", "--check"]) == 0


@pytest.mark.timeout(3000)
def test_the_driver_is_killed_at_every_call(study, pytestconfig):
    _, _, calls = drive(RUN)
    assert len(calls) > 30
    numbers = spread(len(calls), pytestconfig)
    killed = 0
    for number in numbers:
        clear(study)
        code, _, made = drive(RUN, "KILL", number)
        # How often it is told of an end, and so the number of calls, differs a little.
        assert code == -9 or (code == 0 and len(made) < number), f"call {number}"
        killed += code == -9
        check_goes_on(starts(), done_runs())
    assert killed >= 0.8 * len(numbers)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    ("kind", "times"),
    [
        ("ENOSPC", "once"),
        ("ENOSPC", "always"),
        ("EIO", "once"),
        ("EROFS", "always"),
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in RARE),
    ],
)
def test_every_call_fails(study, pytestconfig, kind, times):
    _, _, calls = drive(RUN)
    told = 0
    for number in spread(len(calls), pytestconfig):
        clear(study)
        code, said, _ = drive(RUN, kind, number, times)
        told += code == 3
        what = f"call {number}: {calls[number - 1]}: exit {code}\n{said}"
        assert code in (0, 1, 3), what
        assert "Traceback" not in said and "internal" not in said, what
        if code == 3:
            assert "error: " in said and os.strerror(getattr(errno, kind)) in said, what
        check_goes_on(starts(), done_runs())
    assert told, "some of them cannot be made good"


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", ["ENOSPC", "KILL"])
def test_faults_when_everything_is_run_again(study, pytestconfig, kind):
    """The files of earlier attempts are kept; the one that was cut off is done by -r 1."""
    drive(RUN)
    _, _, calls = drive(AGAIN)
    for number in spread(len(calls), pytestconfig):
        clear(study)
        drive(RUN)
        code, said, _ = drive(AGAIN, kind, number, "once")
        assert code in (0, 1, 3, -9), f"call {number}: {said}"
        check_goes_on(starts(), done_runs())


@pytest.mark.parametrize(
    ("kind", "times"), [("EIO", "once"), ("EIO", "always"), ("EROFS", "always")]
)
def test_an_index_that_cannot_be_called_used_is_not_believed(study, kind, times):
    """The call that says so before its first change is the one that fails."""
    drive(RUN)
    _, _, calls = drive(AGAIN)
    (number,) = [
        number
        for number, call in enumerate(calls, 1)
        if call.startswith("unlink") and call.endswith("index.state'")
    ]
    clear(study)
    drive(RUN)
    code, said, made = drive(AGAIN, kind, number, times)
    assert "index.state" in made[number - 1] and made[number].startswith("truncate")
    assert code == (0 if times == "once" else 3), said
    if code:
        assert "index.state' cannot be removed" in said and "Traceback" not in said
    check_goes_on(starts(), done_runs())


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", ["ENOSPC", "KILL"])
def test_a_good_table_survives_every_fault_of_a_scoop(study, pytestconfig, kind):
    drive(RUN)
    assert drive(SCOOP)[0] == 0
    good = Path("results", "results.h5").read_bytes()
    _, _, calls = drive(SCOOP)
    for number in spread(len(calls), pytestconfig):
        Path("results", "results.h5").write_bytes(good)
        code, said, _ = drive(SCOOP, kind, number, "once")
        assert code in (0, 3, -9), f"call {number}: {calls[number - 1]}: {said}"
        assert "Traceback" not in said and "internal" not in said, said
        code, said, _ = drive((*SCOOP[:1], "-r", *SCOOP[1:]))
        assert code == 0, f"the table is whole after call {number}: {said}"


def clear(study: Path) -> None:
    """Remove what the study left."""
    import shutil

    for name in ("out", "output", "results"):
        shutil.rmtree(study / name, ignore_errors=True)
