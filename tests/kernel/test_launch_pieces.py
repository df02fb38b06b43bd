"""The pieces of the slot side by themselves: the pump, finding programs, killing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.runs.launch import command, processes, streams, system

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


def test_features_are_said():
    assert system.features().keys() == {"tree", "driver"}
    assert system.features()["tree"] is (sys.platform == "linux")


@settings(deadline=None, max_examples=60)
@given(
    pieces=st.lists(st.binary(max_size=300), max_size=12),
    limit=st.integers(min_value=0, max_value=1000),
)
def test_a_pump_keeps_the_beginning_and_the_end(tmp_path_factory, pieces, limit):
    path = tmp_path_factory.mktemp("pump") / "out.txt"
    pump = streams.Pump(str(path), limit)
    for piece in pieces:
        os.write(pump.sink, piece)
        assert pump.carry() in ((True,) if piece else (True, None))
    said = pump.finish()

    data, kept = b"".join(pieces), path.read_bytes()
    if len(data) <= limit:
        assert kept == data
        assert said == ""
        return
    lost = len(data) - limit
    tail = min(streams.TAIL, limit // 2)
    note = b"\n[... %d bytes left out ...]\n" % lost
    assert kept == data[: limit - tail] + note + data[len(data) - tail :]
    assert str(lost) in said


def test_a_pump_says_when_its_stream_has_ended(tmp_path):
    pump = streams.Pump(str(tmp_path / "out.txt"), 100)

    assert pump.carry() is None
    pump.started()
    assert pump.carry() is False
    assert pump.finish() == ""


def test_a_program_is_found_as_a_shell_finds_it(tmp_path, monkeypatch):
    for folder, mode in (("one", 0o644), ("two", 0o755), ("three", 0o755)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "prog").touch(mode)
        (tmp_path / folder / "prog").chmod(mode)
    (tmp_path / "one" / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "three")
    path = f"{tmp_path}/none:{tmp_path}/one:{tmp_path}/two"

    assert command.find_program("prog", path) == f"{tmp_path}/two/prog"
    assert command.find_program("prog", ":" + path) == "./prog"
    assert command.find_program("./any/thing", path) == "./any/thing"
    with pytest.raises(PermissionError):
        command.find_program("prog", f"{tmp_path}/one")
    with pytest.raises(FileNotFoundError):
        command.find_program("folder", f"{tmp_path}/one")


@linux
def test_killing_gives_up_on_what_cannot_be_killed(monkeypatch):
    monkeypatch.setattr(processes, "KILL_LIMIT", 0.05)
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    only = {process.pid: processes.processes()[process.pid]}
    monkeypatch.setattr(processes, "descendants", lambda root: only)

    everything_went = processes.kill_descendants(os.getpid(), lambda: True, time.sleep)

    assert everything_went is False
    assert process.wait() == -signal.SIGKILL


@linux
def test_a_group_is_killed_as_one(monkeypatch):
    """So that nothing outruns it that was born after the look."""
    process = subprocess.Popen(
        ["sh", "-c", "sleep 1000 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE
    )
    child = int(process.stdout.readline())
    process.stdout.close()
    seen = {process.pid: processes.descendants(os.getpid())[process.pid]}
    monkeypatch.setattr(processes, "descendants", lambda root: seen)
    monkeypatch.setattr(processes, "KILL_LIMIT", 5.0)

    def alive() -> bool:
        return process.poll() is None or child in processes.processes()

    assert processes.kill_descendants(os.getpid(), alive, time.sleep) is True


@linux
def test_descendants_are_found_over_any_number_of_generations():
    code = "import os, time\nfor _ in range(4):\n    if os.fork(): break\ntime.sleep(1000)"
    process = subprocess.Popen(python(code), start_new_session=True)
    limit = time.monotonic() + 30
    while len(found := processes.descendants(process.pid)) < 4:
        assert time.monotonic() < limit

    assert {entry[2] for entry in found.values()} == {process.pid}
    assert processes.descendants(process.pid).keys() <= processes.descendants(os.getpid()).keys()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
