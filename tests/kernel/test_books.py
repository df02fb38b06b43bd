"""Lock, journal and index of a runs root, by what another process would see of them."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soops.kernel.errors import LockedError
from soops.kernel.records import index_file
from soops.kernel.records.disk import DiskError
from soops.kernel.records.index import Index, record_row
from soops.kernel.records.journal import Entry, Journal, read_under_way
from soops.kernel.records.lock import Lock, read_holder
from soops.kernel.records.record import set_aside, write_record
from soops.kernel.records.rundir import RunDirWriter, RunTemplate
from soops.kernel.study.identity import identity, pkey
from soops.kernel.values import RunRecord, State

HOLD = """
    import sys
    from soops.kernel.errors import LockedError
    from soops.kernel.records.lock import Lock

    try:
        with Lock(sys.argv[1]):
            print("held", flush=True)
            sys.stdin.read()
    except LockedError as exc:
        print("refused", exc.code.value, flush=True)
"""


def start(root) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> None:
    process.communicate()


# --- lock --------------------------------------------------------------------------------


def test_a_second_driver_is_refused_and_told_who_holds_it(tmp_path):
    with Lock(tmp_path):
        other = start(tmp_path)
        assert other.stdout.readline() == "refused 6\n"
        finish(other)
        assert read_holder(tmp_path).pid == os.getpid()
    other = start(tmp_path)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=str(other.pid)):
        Lock(tmp_path).acquire()
    finish(other)


def test_the_lock_of_a_killed_driver_is_taken_over(tmp_path):
    other = start(tmp_path)
    assert other.stdout.readline() == "held\n"
    other.send_signal(signal.SIGKILL)
    finish(other)
    with Lock(tmp_path):
        assert read_holder(tmp_path).pid == os.getpid()


def test_of_many_that_start_at_once_exactly_one_works(tmp_path):
    processes = [start(tmp_path) for _ in range(16)]
    said = [process.stdout.readline().split()[0] for process in processes]
    for process in processes:
        finish(process)
    assert sorted(said) == ["held"] + ["refused"] * 15


# --- journal -----------------------------------------------------------------------------


def entry(name: str, attempt: int = 1) -> Entry:
    return Entry(
        directory=name, attempt=attempt, number=0, pkey="0" * 32, time="2027-01-01T00:00:00+00:00"
    )


def test_what_was_submitted_and_not_ended_is_under_way(tmp_path):
    with Journal(tmp_path) as journal:
        journal.submitted([entry("a"), entry("b")])
        journal.running("b", token="t", pid=os.getpid(), host="elsewhere")
        journal.ended(["a"])
        journal.flush()
        assert [item.directory for item in read_under_way(tmp_path)] == ["b"]
    (kept,) = read_under_way(tmp_path)
    assert (kept.directory, kept.token, kept.host) == ("b", "t", "elsewhere")


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(min_value=0, max_value=2000))
def test_a_journal_cut_anywhere_still_tells_of_every_whole_line(tmp_path, cut):
    path = tmp_path / ".soops" / "journal.jsonl"
    path.unlink(missing_ok=True)
    with Journal(tmp_path) as journal:
        for name in "abc":
            journal.submitted([entry(name)])
    data = path.read_bytes()
    kept = data[: min(cut, len(data))]
    path.write_bytes(kept)
    whole = [json.loads(line)["directory"] for line in kept.split(b"\n")[:-1]]
    with Journal(tmp_path) as journal:
        assert [item.directory for item in journal.under_way()] == whole
        journal.submitted([entry("d")])
        assert [item.directory for item in journal.under_way()] == [*whole, "d"]


# --- index -------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path):
    """A root with five ended runs, as a driver leaves them."""
    template = RunTemplate(str(tmp_path / "%s"))
    writer = RunDirWriter(str(tmp_path), {}, True)
    for number in range(5):
        values = {"--a": number, "--b": "x"}
        directory = template.directory(number, pkey(values))
        writer.prepare(directory, pkey=pkey(values), number=number, values=values, command="true")
        write_record(directory, record(number, values))
    return tmp_path


def record(number: int, values: dict) -> RunRecord:
    return RunRecord(
        identity=identity(values),
        pkey=pkey(values),
        number=number,
        directory=f"{number:03d}-{pkey(values)}",
        parameters=values,
        command="true",
        state=State.DONE if number else State.FAILED,
        cause="exit",
        returncode=0 if number else 1,
    )


def test_the_directories_alone_make_the_index(root):
    template = RunTemplate(str(root / "%s"))
    with Lock(root), Index(root, write=True) as index:
        index.sync(template)
        rows = list(index.rows())
        assert [row["number"] for row in rows] == list(range(5))
        assert rows[3]["parameters"] == {"--a": 3, "--b": "x"}
        assert Counter(row["state"] for row in index.rows()) == {"done": 4, "failed": 1}
        assert index.next_number() == 5
        found = index.lookup_pkeys([pkey({"--a": 2, "--b": "x"}), "f" * 32])
        assert [row["number"] for row in found.values()] == [2]
        marks = index.lookup_identities([identity({"--b": "x", "--a": 4})])
        assert [row["number"] for row in marks.values()] == [4]


def test_an_index_that_was_closed_is_used_and_a_lost_one_is_made_again(root):
    template = RunTemplate(str(root / "%s"))
    with Lock(root), Index(root, write=True) as index:
        assert index.sync(template).read == 5
    with Lock(root), Index(root, write=True) as index:
        assert index.sync(template).read == 0
    (root / ".soops" / "index.sqlite3").unlink()
    with Lock(root), Index(root, write=True) as index:
        assert index.sync(template).read == 5


def test_readers_write_nothing(root):
    with Index(root, write=False) as index:
        index.sync(RunTemplate(str(root / "%s")))
        assert index.next_number() == 5
    assert not (root / ".soops").exists()


def test_rows_put_in_are_found_before_they_are_written(root):
    template = RunTemplate(str(root / "%s"))
    values = {"--a": 9, "--b": "x"}
    with Lock(root), Index(root, write=True) as index:
        index.sync(template)
        index.upsert([record_row(record(9, values), output_dir="o")])
        assert index.next_number() == 10
        assert list(index.lookup_pkeys([pkey(values)])) == [pkey(values)]


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_index_is_made_anew(root, damage):
    template = RunTemplate(str(root / "%s"))
    with Lock(root), Index(root, write=True) as index:
        index.sync(template)
    path = root / ".soops" / "index.sqlite3"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data) if damage is None else damage)
    with Lock(root), Index(root, write=True) as index:
        index.sync(template)
        assert [row["number"] for row in index.rows()] == list(range(5))


def test_check_tells_what_differs(root):
    template = RunTemplate(str(root / "%s"))
    with Lock(root), Index(root, write=True) as index:
        index.sync(template)
        assert index.check(template) == []
        values = {"--a": 0, "--b": "x"}
        index.upsert([record_row(record(7, values), output_dir="o")])
        assert index.check(template) != []


def failing(real, path):
    """Return a system call that fails for a path, as on a damaged disk."""

    def call(given, *rest):
        if os.fspath(given) == str(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(given, *rest)

    return call


@pytest.mark.parametrize("calls", [["unlink"], ["unlink", "truncate"]], ids=len)
def test_an_index_that_was_not_kept_is_never_believed(root, monkeypatch, calls):
    template = RunTemplate(str(root / "%s"))
    with Lock(root), Index(root, write=True) as index:
        index.sync(template)
    state = root / ".soops" / "index.state"
    changed = dataclasses.replace(record(3, {"--a": 3, "--b": "x"}), state=State.FAILED)
    with Lock(root), Index(root, write=True) as index, monkeypatch.context() as patch:
        index.sync(template)
        for name in calls:
            patch.setattr(os, name, failing(getattr(os, name), state))
        index.upsert([record_row(changed, output_dir="o")])
        if len(calls) == 1:
            assert index.commit()
        else:  # nothing may be called ended that readers would not see
            for end in (index.commit, index.close):
                with pytest.raises(DiskError, match=r"index\.state' cannot be removed"):
                    end()
            return

    with Index(root, write=False) as index:
        assert index.sync(template).read == 5, "the directories are read"


def test_of_a_large_index_readers_take_a_copy_that_is_not_in_memory(root, monkeypatch):
    template = RunTemplate(str(root / "%s"))
    with Lock(root), Index(root, write=True) as index:
        index.sync(template)
    monkeypatch.setattr(index_file, "LARGE", 100)
    path = root / ".soops" / "index.sqlite3"

    with Index(root, write=False) as copy:
        (_, _, file), *_ = copy._open.execute("PRAGMA database_list").fetchall()
        assert file == ""
        assert copy.sync(template).read == 0
        copy.upsert([record_row(record(9, {"--a": 9, "--b": "x"}), output_dir="o")])
        assert len(list(copy.rows())) == 6
    with Index(root, write=False) as again:
        assert again.sync(template).read == 0
        assert len(list(again.rows())) == 5, "the file is as it was"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with Index(root, write=False) as anew:
        assert anew.sync(template).read == 5, "a damaged one is not believed"


def test_an_attempt_without_parameters_does_not_hide_those_of_the_next(tmp_path):
    """A driver was killed as it wrote the parameters of attempt 1, another one in attempt 2."""
    values = {"--a": 3, "output_dir": "x", "script_dir": "."}
    key = pkey({"--a": 3})
    directory = tmp_path / f"000-{key}"
    directory.mkdir()
    lost = RunRecord(
        identity="",
        pkey=key,
        number=0,
        directory=directory.name,
        parameters={},
        command="",
        state=State.LOST,
    )
    write_record(directory, lost)
    set_aside(directory, 1)
    writer = RunDirWriter(str(tmp_path), {}, True)
    writer.prepare(str(directory), pkey=key, number=0, values=values, command="true")

    with Index(tmp_path, write=False) as index:
        index.sync(RunTemplate(str(tmp_path / "%s")))
        (row,) = index.rows()

    assert (row["parameters"], row["attempts"], row["state"]) == ({"--a": 3}, 1, "lost")
