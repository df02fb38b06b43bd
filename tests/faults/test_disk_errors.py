"""The system itself kills the driver, or fails it, at its Nth call: ``strace -e inject``.

Unlike in ``test_every_write`` the calls of SQLite are among them, and calls that are interrupted
can be told from calls that fail.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import soops
from soops.cli import main

MODULE = """\
def get_run_info():
    return "sh {script_dir}/program.sh {output_dir}", {"--n": "--n={--n}"}, "output_dir", "done.txt"
"""
PROGRAM = 'echo x >> "$1/starts"; echo y > "$1/done.txt"\n'
RUN = ("run", "-n", "1", "--silent", "--n=[0, 1], output_dir='out/%s'", "mod.py")
NAMES = "/^(rename|unlink|mkdir)"
#: How many calls of a kind are tried in the short mode, evenly spread.
TRIED = 3


@pytest.fixture
def traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of an empty study, and be in it; skip where nothing can be traced."""
    if sys.platform != "linux" or shutil.which("strace") is None:
        pytest.skip("there is no strace to inject faults with")
    line = ["strace", "-o", str(tmp_path / "probe"), "-e", "inject=chdir:error=EIO", "true"]
    probe = subprocess.run(line, capture_output=True, text=True, timeout=60)
    if probe.returncode:
        pytest.skip(f"strace is not permitted here: {probe.stderr.strip()}")
    folder = tmp_path / "a study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # Neither the import system's files are written, nor do their calls count.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    Path("mod.py").write_text(MODULE)
    Path("program.sh").write_text(PROGRAM)
    return folder


def drive(calls: str = "", fault: str = "", *more: str) -> tuple[int, str, int]:
    """Return exit code, standard error, and how many of these calls the driver made.

    ``more`` are options of strace: with ``-f`` slots and programs are traced, too.
    """
    line = [sys.executable, "-m", "soops", *RUN]
    trace = Path("..", "trace.txt")
    if calls:
        inject = [f"inject={calls}:{fault}"] if fault else []
        options = [word for rule in (f"trace={calls}", *inject) for word in ("-e", rule)]
        line = ["strace", "-qq", "-o", str(trace), "-e", "signal=none", *more, *options, *line]
    done = subprocess.run(line, capture_output=True, text=True, timeout=100)
    made = sum("(" in text for text in trace.read_text().splitlines()) if calls else 0
    return done.returncode, done.stderr, made


def assert_three_lines(said: str, what: str) -> None:
    """Check that the last thing that is said is an error; warnings may come before."""
    lines = said.splitlines()
    errors = [place for place, line in enumerate(lines) if line.startswith("error: '")]
    assert len(errors) == 1 and len(lines) - errors[0] <= 3, f"{what}: {said}"
    assert all(line.startswith("warning: ") for line in lines[: errors[0]]), f"{what}: {said}"


def count(calls: str, pytestconfig: pytest.Config) -> list[int]:
    """Return the numbers of the calls of an undisturbed study that are tried."""
    code, said, total = drive(calls)
    assert code == 0, said
    assert total >= TRIED, "these calls are made"
    if pytestconfig.getoption("--long"):
        return list(range(1, total + 1))
    return sorted({1 + round(i * (total - 1) / (TRIED - 1)) for i in range(TRIED)})


def starts() -> Counter[str]:
    """Return how often programs say that they were begun, by directory."""
    return Counter(
        {p.parent.name: len(p.read_text().split()) for p in Path("out").glob("*/starts")}
    )


def done_runs() -> set[str]:
    """Return the directories of runs whose record says that they are done."""
    if not Path("out").is_dir():
        return set()
    return {Path(run.path).name for run in soops.find(["out"]) if run.state == "done"}


def clear() -> None:
    for name in ("out", "output"):
        shutil.rmtree(name, ignore_errors=True)


def check_goes_on(what: str) -> None:
    """Check that the same command, without a fault, finishes the study and no more."""
    before, done = starts(), done_runs()
    code, said, _ = drive()
    assert code == 0, f"{what}: {said}"
    found = soops.find(["out"])
    assert [(run.number, run.parameters["--n"]) for run in found] == [(0, 0), (1, 1)], what
    assert all(run.finished for run in found), what
    after = starts()
    assert {name: after[name] for name in done} == {name: before[name] for name in done}, what
    assert main(["index", "out", "--check"]) == 0, what


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("calls", ["write", "pwrite64"])
def test_the_driver_is_killed_by_the_system_at_every_call(traced, pytestconfig, calls):
    numbers = count(calls, pytestconfig)
    killed = 0
    for number in numbers:
        clear()
        code, said, made = drive(calls, f"signal=SIGKILL:when={number}")
        killed += code in (-9, 137)
        # How often it is told of an end, and so the number of calls, differs a little.
        assert code in (-9, 137) or made < number, f"{calls} {number}: exit {code}: {said}"
        check_goes_on(f"killed at {calls} {number}")
    assert killed >= len(numbers) / 2


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("more", ["", "+"], ids=["once", "for good"])
def test_what_cannot_be_written_at_a_position_is_told_or_made_anew(
    traced, pytestconfig, error, more
):
    """The index is written like this, which is a cache, and the row that tools of 2026.2 read."""
    for number in count("pwrite64", pytestconfig):
        clear()
        code, said, _ = drive("pwrite64", f"error={error}:when={number}{more}")
        what = f"{error} at pwrite64 {number}{more}: exit {code}: {said}"
        assert code in (0, 3) and "Traceback" not in said and "internal" not in said, what
        if code == 3:
            assert_three_lines(said, what)
        else:
            assert len(done_runs()) == 2, what
        check_goes_on(what)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    "more", ["", pytest.param("+", marks=pytest.mark.slow)], ids=["once", "for good"]
)
def test_what_fails_after_a_kill_is_made_good_by_the_third_start(traced, pytestconfig, more):
    """Recovery itself meets a disk that refuses to make, rename or remove names."""
    numbers = count("pwrite64", pytestconfig)
    killed = failed = 0
    for number in numbers:
        for failing in (1, 2, 3):
            clear()
            killed += drive("pwrite64", f"signal=SIGKILL:when={number}")[0] in (-9, 137)
            what = f"killed at {number}, then {NAMES} {failing}{more}"
            code, said, _ = drive(NAMES, f"error=ENOSPC:when={failing}{more}")
            assert code in (0, 3), f"{what}: exit {code}: {said}"
            failed += code == 3
            assert "Traceback" not in said and "internal" not in said, f"{what}: {said}"
            if code == 3:
                assert_three_lines(said, what)
            check_goes_on(what)
    assert killed > len(numbers) and failed, "both happened"


@pytest.mark.parametrize("calls", ["write", "pwrite64"])
def test_interrupted_calls_are_made_again_and_not_seen(traced, calls):
    code, said, _ = drive(calls)
    assert code == 0, said
    expected = said
    clear()

    code, said, made = drive(calls, "error=EINTR:when=1+2")

    assert code == 0, said
    assert made > 2 and "Interrupted" not in said
    assert len(said.splitlines()) == len(expected.splitlines())
    assert len(done_runs()) == 2 and set(starts().values()) == {1}
    check_goes_on(f"interrupted {calls}")


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("calls", ["write", "read", "openat"])
def test_all_processes_are_killed_at_their_nth_call(traced, pytestconfig, calls):
    """Driver, slots and programs alike: each that comes so far dies."""
    disturbed = 0
    # A driver opens and reads many files before it is one.
    first = {"write": 1, "read": 60, "openat": 120}[calls]
    tried = range(first, first + (40 if pytestconfig.getoption("--long") else 4))
    for number in tried:
        clear()
        code, said, _ = drive(calls, f"signal=SIGKILL:when={number}", "-f")
        disturbed += code != 0
        assert "Traceback" not in said and "internal" not in said, said
        check_goes_on(f"all killed at {calls} {number}: exit {code}")
    assert disturbed


@pytest.mark.parametrize(("error", "cause"), [("ENOSPC", "output"), ("EIO", "output")])
def test_a_slot_that_cannot_make_the_output_file_says_so(traced, error, cause):
    """The other run goes on, and the same command makes it good."""
    code, said, _ = drive()
    assert code == 0, said
    first, second = sorted(done_runs())
    path = str(Path("out", second, "stdout.txt").absolute())
    clear()

    code, said, _ = drive("openat", f"error={error}", "-f", "-P", path)

    assert code == 1, said
    runs = {Path(run.path).name: run for run in soops.find(["out"])}
    assert runs[first].state == "done"
    assert (runs[second].state, runs[second].cause) == ("failed", cause)
    assert starts()[second] == 0
    check_goes_on(said)
