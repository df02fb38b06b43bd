"""The lock of a runs root: one driver, with real processes; dead holders; no flock at all."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from soops.kernel.errors import ExitCode, LockedError
from soops.kernel.records import lock as lock_module
from soops.kernel.records import machine
from soops.kernel.records.disk import DiskError
from soops.kernel.records.lock import Holder, Lock, read_holder

#: Takes the lock when told to, and says what came of it. ``FLOCK=no``: as where it fails.
CONTENDER = """
    import os, sys
    from soops.kernel.errors import LockedError
    from soops.kernel.records import lock

    if os.environ.get("FLOCK") == "no":
        lock._flock = lambda fd: None
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with lock.Lock(sys.argv[1], break_lock="--break-lock" in sys.argv):
            print("held", flush=True)
            sys.stdin.readline()
        print("released", flush=True)
    except LockedError as exc:
        print("refused", exc.message, flush=True)
    sys.stdin.readline()
"""


class Contender:
    """Another process that wants the lock."""

    def __init__(self, root, *words: str, flock: bool = True) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CONTENDER), str(root), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "FLOCK": "yes" if flock else "no"},
        )
        assert self.process.stdout.readline() == "ready\n"

    @property
    def pid(self) -> int:
        return self.process.pid

    def go(self) -> None:
        """Let it take its next step."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def says(self) -> str:
        return self.process.stdout.readline().strip()

    def take(self) -> str:
        self.go()
        return self.says()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


@pytest.fixture
def contend(tmp_path):
    """Start another process, ready to take the lock."""
    started = []

    def start(*words, **options) -> Contender:
        contender = Contender(tmp_path, *words, **options)
        started.append(contender)
        return contender

    yield start
    for contender in started:
        contender.close()


def no_flock(monkeypatch):
    monkeypatch.setattr(lock_module, "_flock", lambda fd: None)


@pytest.fixture(params=["flock", "without flock"])
def flock(request, monkeypatch) -> bool:
    """Both ways in which a lock is held; the tests are the same."""
    if request.param == "flock":
        return True
    no_flock(monkeypatch)
    return False


def write_holder(root, **changes) -> Holder:
    """Write the lock file that another holder would have left."""
    holder = dataclasses.replace(Holder.here(), **changes)
    (root / ".soops").mkdir(exist_ok=True)
    (root / ".soops" / "lock").write_text(json.dumps(dataclasses.asdict(holder)) + "\n")
    return holder


# --- one holder --------------------------------------------------------------------------


def test_it_names_this_process_while_it_is_held(tmp_path, flock):
    with Lock(tmp_path) as held:
        holder = read_holder(tmp_path)
        assert held.still_held()

    assert (holder.pid, holder.host) == (os.getpid(), os.uname().nodename)
    assert holder.user
    assert holder.time.endswith("+00:00")
    assert holder.boot == machine.boot_id()
    assert read_holder(tmp_path) is None


def test_people_can_read_it(tmp_path):
    with Lock(tmp_path):
        text = (tmp_path / ".soops" / "lock").read_text()

    assert json.loads(text)["pid"] == os.getpid()


def test_the_root_is_made_when_it_is_not_there(tmp_path):
    with Lock(tmp_path / "new" / "root"):
        assert (tmp_path / "new" / "root" / ".soops" / "lock").is_file()


def test_it_can_be_taken_again_and_again(tmp_path, flock):
    for _ in range(3):
        with Lock(tmp_path):
            pass


def test_a_second_one_in_this_process_is_refused_too(tmp_path, flock):
    """Two threads, or two cells of a notebook."""
    with Lock(tmp_path):
        with pytest.raises(LockedError, match=f"pid {os.getpid()} "):
            Lock(tmp_path).acquire()
        assert read_holder(tmp_path) is not None
    with Lock(tmp_path):
        pass


def test_the_refused_is_told_who_holds_it_since_when(tmp_path, contend, flock):
    other = contend(flock=flock)
    assert other.take() == "held"

    with pytest.raises(LockedError) as caught:
        Lock(tmp_path).acquire()

    holder = read_holder(tmp_path)
    for word in (str(tmp_path), str(other.pid), holder.host, holder.user, holder.time):
        assert word in caught.value.message
    assert caught.value.code is ExitCode.LOCKED == 6
    assert caught.value.hint


def test_the_refused_takes_nothing_away(tmp_path, contend, flock):
    other = contend(flock=flock)
    assert other.take() == "held"
    with pytest.raises(LockedError):
        Lock(tmp_path).acquire()
    with pytest.raises(LockedError):
        Lock(tmp_path).acquire()

    other.go()
    assert other.says() == "released"
    with Lock(tmp_path) as held:
        assert held.still_held()


def test_a_living_holder_of_this_machine_is_never_broken(tmp_path, contend, flock):
    other = contend(flock=flock)
    assert other.take() == "held"

    with pytest.raises(LockedError, match=str(other.pid)):
        Lock(tmp_path, break_lock=True).acquire()


def test_releasing_what_is_not_held_does_nothing(tmp_path):
    held = Lock(tmp_path)
    held.release()
    with Lock(tmp_path) as first:
        held.release()
        assert first.still_held()


@pytest.mark.parametrize("number", [40])
def test_of_many_that_start_at_once_exactly_one_works(tmp_path, contend, flock, number):
    contenders = [contend(flock=flock) for _ in range(number)]

    for contender in contenders:
        contender.go()
    said = [contender.says().split()[0] for contender in contenders]

    assert sorted(said) == ["held"] + ["refused"] * (number - 1)


def test_of_many_that_find_a_dead_holder_exactly_one_works(tmp_path, contend, flock):
    dead = contend(flock=flock)
    assert dead.take() == "held"
    contenders = [contend(flock=flock) for _ in range(12)]
    dead.kill()

    for contender in contenders:
        contender.go()
    said = [contender.says().split()[0] for contender in contenders]

    assert sorted(said) == ["held"] + ["refused"] * 11


# --- holders that are gone ---------------------------------------------------------------


def test_a_killed_holder_is_replaced_without_asking(tmp_path, contend, flock):
    other = contend(flock=flock)
    assert other.take() == "held"
    other.kill()

    assert read_holder(tmp_path).is_alive() is False
    with Lock(tmp_path) as held:
        assert held.still_held()
        assert read_holder(tmp_path).pid == os.getpid()


def test_a_holder_that_waits_to_be_collected_is_dead(tmp_path, contend):
    other = contend()
    assert other.take() == "held"
    os.kill(other.pid, signal.SIGKILL)  # and not waited for: a zombie
    limit = time.monotonic() + 10
    while read_holder(tmp_path).is_alive() and time.monotonic() < limit:
        time.sleep(0.01)

    with Lock(tmp_path):
        pass


def test_another_process_with_the_same_id_is_not_the_holder(tmp_path, flock):
    started = machine.process_start(os.getppid())
    write_holder(tmp_path, pid=os.getppid(), started=started - 1)

    with Lock(tmp_path):
        assert read_holder(tmp_path).pid == os.getpid()


def test_after_a_reboot_of_this_machine_the_holder_is_dead(tmp_path, flock):
    write_holder(tmp_path, boot="11111111-2222", pid=os.getppid())

    with Lock(tmp_path):
        pass


def test_where_flock_lies_the_content_decides(tmp_path, monkeypatch):
    """A file system that lets everybody lock: a living holder named in it is believed."""
    holder = write_holder(tmp_path, pid=os.getppid(), started=machine.process_start(os.getppid()))
    monkeypatch.setattr(lock_module, "_flock", lambda fd: True)

    with pytest.raises(LockedError, match=f"pid {holder.pid} "):
        Lock(tmp_path).acquire()


def test_a_child_that_outlives_the_driver_is_waited_for_then_named(tmp_path, monkeypatch):
    """It holds the open file, so that the lock is not free although its holder is dead."""
    import fcntl

    monkeypatch.setattr(lock_module, "PATIENCE", 0.05)
    dead = subprocess.Popen(["true"])
    dead.wait()
    write_holder(tmp_path, pid=dead.pid, started=1)
    with (tmp_path / ".soops" / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockedError) as caught:
            Lock(tmp_path).acquire()
        assert "has died" in caught.value.hint
        assert "--break-lock" in caught.value.hint

        with Lock(tmp_path, break_lock=True) as held:
            assert held.still_held()
    with Lock(tmp_path):
        pass


def test_a_forked_child_does_not_keep_what_was_released(tmp_path):
    reader, writer = os.pipe()
    with Lock(tmp_path):
        child = os.fork()
        if not child:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
    try:
        with Lock(tmp_path) as held:
            assert held.still_held()
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(child, 0)


# --- other machines ----------------------------------------------------------------------

ELSEWHERE = {"host": "node17", "boot": "other-boot", "space": "pid:[1]", "pid": 4711, "started": 5}


def test_of_a_holder_on_another_machine_nothing_is_assumed(tmp_path, flock):
    holder = write_holder(tmp_path, **ELSEWHERE)
    assert holder.is_alive() is None

    with pytest.raises(LockedError, match=r"pid 4711 of .* on node17") as caught:
        Lock(tmp_path).acquire()

    assert "--break-lock" in caught.value.hint
    assert read_holder(tmp_path) == holder, "it is still locked"


def test_it_is_broken_when_the_person_says_so(tmp_path, flock, caplog):
    write_holder(tmp_path, **ELSEWHERE)

    with Lock(tmp_path, break_lock=True) as held:
        assert held.still_held()
        assert read_holder(tmp_path).pid == os.getpid()
    assert "node17" in caplog.text


def test_a_container_on_this_machine_is_another_machine(tmp_path):
    """Its process ids mean nothing here."""
    holder = write_holder(tmp_path, space="pid:[1]", pid=os.getpid())

    assert holder.is_alive() is None
    with pytest.raises(LockedError):
        Lock(tmp_path).acquire()


def test_a_lock_that_another_machine_holds_open_is_broken_when_asked(tmp_path):
    """A network disk on which flock reaches all machines."""
    import fcntl

    write_holder(tmp_path, **ELSEWHERE)
    with (tmp_path / ".soops" / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockedError, match="node17"):
            Lock(tmp_path).acquire()
        with Lock(tmp_path, break_lock=True) as held:
            assert held.still_held()
            assert (tmp_path / ".soops" / "lock.broken").exists()


def test_the_one_whose_lock_was_broken_can_tell(tmp_path):
    with Lock(tmp_path) as held:
        write_holder(tmp_path, **ELSEWHERE)

        assert not held.still_held()


def test_without_flock_only_an_exclusive_file_decides(tmp_path, monkeypatch):
    no_flock(monkeypatch)
    with Lock(tmp_path):
        names = {path.name for path in (tmp_path / ".soops").iterdir()}
        assert names == {"lock", "lock.file"}
    assert {path.name for path in (tmp_path / ".soops").iterdir()} == {"lock"}


def test_without_flock_and_without_hard_links(tmp_path, monkeypatch, contend):
    no_flock(monkeypatch)

    def none(*args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    with Lock(tmp_path) as held:
        assert held.still_held()
        assert contend(flock=False).take().startswith("refused")
    with Lock(tmp_path):
        pass


def test_both_kinds_of_lock_respect_each_other(tmp_path, contend):
    """One disk, mounted with flock here and without it there."""
    without = contend(flock=False)
    assert without.take() == "held"
    with pytest.raises(LockedError, match=str(without.pid)):
        Lock(tmp_path).acquire()
    without.go()
    assert without.says() == "released"

    with Lock(tmp_path):
        assert contend(flock=False).take().startswith("refused")


def test_a_takeover_that_was_cut_short_needs_the_person(tmp_path, monkeypatch, contend):
    dead = contend(flock=False)
    assert dead.take() == "held"
    dead.kill()
    (tmp_path / ".soops" / "lock.takeover").write_text("someone was here")
    monkeypatch.setattr(lock_module, "PATIENCE", 0.05)
    no_flock(monkeypatch)

    with pytest.raises(LockedError, match=str(dead.pid)) as caught:
        Lock(tmp_path).acquire()
    assert "--break-lock" in caught.value.hint
    with Lock(tmp_path, break_lock=True) as held:
        assert held.still_held()


# --- damage and disks --------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\0" * 100, '{"pid": "x"}'])
def test_a_damaged_file_that_nobody_holds_is_free(tmp_path, content):
    (tmp_path / ".soops").mkdir()
    (tmp_path / ".soops" / "lock").write_text(content)

    assert read_holder(tmp_path) is None
    with Lock(tmp_path):
        assert read_holder(tmp_path).pid == os.getpid()


def test_a_directory_in_the_way_is_named(tmp_path):
    (tmp_path / ".soops" / "lock").mkdir(parents=True)

    with pytest.raises(DiskError, match="lock"):
        Lock(tmp_path).acquire()


def test_a_file_in_the_place_of_the_root_is_named(tmp_path):
    (tmp_path / "root").write_text("")

    with pytest.raises(DiskError, match="root"):
        Lock(tmp_path / "root").acquire()


def test_a_full_disk_leaves_the_lock_free(tmp_path, monkeypatch):
    import errno

    def full(fd, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DiskError, match="No space left"):
            Lock(tmp_path).acquire()
    with Lock(tmp_path) as held:
        assert held.still_held()
