"""``soops-run.json``: what is written is what is read, whole or not at all."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.errors import StudyError
from soops.kernel.records import disk, record
from soops.kernel.records.disk import DamagedFileError, DiskError
from soops.kernel.records.record import (
    last_attempt,
    read_record,
    record_from_dict,
    record_to_dict,
    set_aside,
    write_record,
)
from soops.kernel.values import RunRecord, State


def make(**changes) -> RunRecord:
    base = RunRecord(
        identity="1" * 32,
        pkey="a" * 32,
        number=7,
        directory="007-" + "a" * 32,
        parameters={"--num": 10, "--name": "x y", "--seed": "@undefined"},
        command='python3 prog.py out/007 "--num=10"',
        state=State.DONE,
        cause="exit",
        returncode=0,
        started="2026-11-24T10:00:00.000+00:00",
        ended="2026-11-24T10:00:01.500+00:00",
        elapsed=1.5,
        cpu_time=0.25,
        max_rss=10_000_000,
        host="node1",
        attempts=1,
        runner="local",
        run_function="subprocess.run",
        provenance={"soops": "2027.1", "git_changed": False},
    )
    return dataclasses.replace(base, **changes)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_what_was_written_is_read(tmp_path):
    given = make()

    write_record(tmp_path, given)

    assert read_record(tmp_path) == given
    assert names(tmp_path) == {"soops-run.json"}


def test_people_and_other_programs_can_read_it(tmp_path):
    write_record(tmp_path, make(state=State.FAILED, returncode=3))

    text = (tmp_path / "soops-run.json").read_text(encoding="utf-8")

    plain = json.loads(text)
    assert plain["state"] == "failed"
    assert plain["parameters"] == {"--num": 10, "--name": "x y", "--seed": "@undefined"}
    assert '\n"returncode": 3,\n' in text, "a line for each member"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        1.0,
        "1",
        "",
        "žluť",
        "a\nb",
        (1, (2.5,)),
        [1, [2]],
        {"a": 1, 2: (3,)},
        1e-300,
        -0.0,
        math.inf,
        2**70,
        1j,
        "\udcff",
        "x" * 300_000,
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12]!r}",
)
def test_parameters_come_back_with_their_types(tmp_path, value):
    write_record(tmp_path, make(parameters={"p": value}))

    (back,) = read_record(tmp_path).parameters.values()

    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_an_argument_list_comes_back_as_one(tmp_path):
    command = ("prog", "--name=a b", "", "\udce9")
    write_record(tmp_path, make(command=command))

    assert read_record(tmp_path).command == command


def test_without_a_record_there_is_none(tmp_path):
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "absent") is None
    (tmp_path / "file").touch()
    assert read_record(tmp_path / "file") is None


def test_numbers_that_json_has_not_are_not_written(tmp_path):
    write_record(tmp_path, make(elapsed=math.nan, cpu_time=math.inf))

    back = read_record(tmp_path)

    assert (back.elapsed, back.cpu_time) == (None, None)


def test_a_value_that_cannot_be_written_is_an_error_not_a_half_file(tmp_path):
    with pytest.raises(StudyError, match="cannot be written"):
        write_record(tmp_path, make(returncode=object()))

    assert names(tmp_path) == set()


# --- attempts ----------------------------------------------------------------------------


def test_an_older_record_is_kept(tmp_path):
    write_record(tmp_path, make(attempts=1, state=State.FAILED))
    write_record(tmp_path, make(attempts=2))

    assert read_record(tmp_path).attempts == 2
    assert names(tmp_path) == {"soops-run.json", "soops-run.json.attempt-1"}
    old = json.loads((tmp_path / "soops-run.json.attempt-1").read_text())
    assert old["state"] == "failed"


def test_what_a_run_put_there_itself_is_moved_away(tmp_path):
    (tmp_path / "soops-run.json").write_text("{}")

    write_record(tmp_path, make(attempts=3))

    assert read_record(tmp_path).attempts == 3
    assert (tmp_path / "soops-run.json.attempt-2").read_text() == "{}"


def test_a_directory_under_the_name_is_moved_away(tmp_path):
    (tmp_path / "soops-run.json").mkdir()

    write_record(tmp_path, make())

    assert read_record(tmp_path) == make()


def test_set_aside_keeps_all_of_an_attempt(tmp_path):
    for name in ("stdout.txt", "stderr.txt", "result.dat"):
        (tmp_path / name).write_text(f"{name} of the first")
    write_record(tmp_path, make())

    set_aside(tmp_path, 1)

    assert names(tmp_path) == {
        "stdout.txt.attempt-1",
        "stderr.txt.attempt-1",
        "soops-run.json.attempt-1",
        "result.dat",
    }
    assert read_record(tmp_path) is None
    assert last_attempt(str(tmp_path))[0] == 1


def test_set_aside_overwrites_nothing(tmp_path):
    for text in ("one", "two", "three"):
        (tmp_path / "stdout.txt").write_text(text)
        set_aside(tmp_path, 1)

    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert texts == {
        "stdout.txt.attempt-1": "one",
        "stdout.txt.attempt-1.1": "two",
        "stdout.txt.attempt-1.2": "three",
    }


def test_set_aside_where_nothing_is(tmp_path):
    set_aside(tmp_path / "absent", 1)
    set_aside(tmp_path, 1)

    assert names(tmp_path) == set()


def test_the_last_attempt_is_the_highest_not_the_last_in_the_alphabet(tmp_path):
    for attempt in (2, 9, 10):
        write_record(tmp_path, make(attempts=attempt))
        set_aside(tmp_path, attempt)

    attempt, content = last_attempt(str(tmp_path))

    assert (attempt, content["attempts"]) == (10, 10)


def test_a_last_attempt_that_is_damaged_still_counts(tmp_path):
    write_record(tmp_path, make(attempts=4))
    set_aside(tmp_path, 4)
    (tmp_path / "soops-run.json.attempt-4").write_text("")

    assert last_attempt(str(tmp_path)) == (4, {})


# --- killed drivers and directories that went ---------------------------------------------


def test_what_a_killed_driver_left_is_no_obstacle(tmp_path):
    (tmp_path / "soops-run.json.tmp").write_text("torn")

    write_record(tmp_path, make())

    assert read_record(tmp_path) == make()
    assert names(tmp_path) == {"soops-run.json"}


def test_a_record_that_was_whole_but_had_not_its_name_yet_counts(tmp_path):
    write_record(tmp_path, make())
    (tmp_path / "soops-run.json").rename(tmp_path / "soops-run.json.tmp")

    assert read_record(tmp_path) == make()

    (tmp_path / "soops-run.json.tmp").write_bytes(
        (tmp_path / "soops-run.json.tmp").read_bytes()[:-1]
    )
    assert read_record(tmp_path) is None


def test_an_unnamed_record_of_an_earlier_attempt_does_not_count(tmp_path):
    write_record(tmp_path, make())
    (tmp_path / "soops-run.json").rename(tmp_path / "soops-run.json.tmp")

    set_aside(tmp_path, 1)

    assert read_record(tmp_path) is None


def test_a_directory_that_the_run_removed_is_made_again(tmp_path):
    directory = tmp_path / "runs" / "007-x"

    write_record(directory, make())

    assert read_record(directory) == make()


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path):
    (tmp_path / "run").write_text("")

    with pytest.raises(DiskError) as caught:
        write_record(tmp_path / "run", make())

    assert str(tmp_path / "run") in caught.value.message
    assert caught.value.concerns_one_run


# --- power -------------------------------------------------------------------------------


def test_durable_flushes_the_file_before_its_name_and_the_names_up_to_the_root(
    tmp_path, monkeypatch
):
    events = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(fd):
        events.append(("fsync", os.readlink(f"/proc/self/fd/{fd}")))
        fsync(fd)

    def watched_rename(source, target):
        events.append(("rename", os.fspath(target)))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    root = tmp_path / "runs"
    directory = root / "007-x" / "sub"
    directory.mkdir(parents=True)

    write_record(directory, make(directory="007-x/sub"), durable=True)

    assert events == [
        ("fsync", f"{directory}/soops-run.json.tmp"),
        ("rename", f"{directory}/soops-run.json"),
        ("fsync", str(directory)),
        ("fsync", str(root / "007-x")),
        ("fsync", str(root)),
    ]


def test_nothing_is_flushed_when_nobody_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: pytest.fail("flushed"))

    write_record(tmp_path, make())


# --- disk --------------------------------------------------------------------------------

CALLS = ("open", "write", "close", "rename")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("call", CALLS)
def test_a_failing_call_names_the_file_and_leaves_what_was(tmp_path, monkeypatch, call, code):
    write_record(tmp_path, make(attempts=1))
    real = getattr(os, call)
    count = 0

    def failing(*args, **kwargs):
        nonlocal count
        if call in ("open", "rename") and not os.fspath(args[0]).startswith(str(tmp_path)):
            return real(*args, **kwargs)
        if call == "open" and not args[1] & os.O_CREAT:
            return real(*args, **kwargs)
        count += 1
        if call == "close":
            real(*args, **kwargs)
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        with pytest.raises(DiskError) as caught:
            write_record(tmp_path, make(attempts=2))

    assert count == 1
    assert caught.value.errno == code
    assert f"{tmp_path}/soops-run.json" in caught.value.message
    assert caught.value.hint
    assert not caught.value.concerns_one_run
    assert read_record(tmp_path) == make(attempts=1)
    write_record(tmp_path, make(attempts=2))
    assert read_record(tmp_path) == make(attempts=2)


def test_writes_in_small_pieces_come_together(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))

    write_record(tmp_path, make())

    assert read_record(tmp_path) == make()


def test_a_pipe_under_the_name_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "soops-run.json")

    with pytest.raises(DamagedFileError, match="not a plain file"):
        read_record(tmp_path)


def test_a_file_of_many_gigabytes_is_not_read(tmp_path):
    with (tmp_path / "soops-run.json").open("wb") as file:
        file.truncate(disk.MAX_BYTES + 1)

    with pytest.raises(DamagedFileError, match="bytes"):
        read_record(tmp_path)


# --- what is believed --------------------------------------------------------------------


def test_a_changed_file_is_named(tmp_path):
    write_record(tmp_path, make(state=State.FAILED, returncode=1))
    path = tmp_path / "soops-run.json"
    path.write_text(path.read_text().replace('"returncode": 1', '"returncode": 0'))

    with pytest.raises(StudyError) as caught:
        read_record(tmp_path)

    assert str(path) in caught.value.message
    assert "checksum" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{", '{"state": "done"}', "\0" * 50])
def test_what_is_no_record_is_none(tmp_path, text):
    (tmp_path / "soops-run.json").write_text(text)

    with pytest.raises(DamagedFileError, match=r"soops-run\.json"):
        read_record(tmp_path)


def test_keys_of_a_newer_soops_are_left_out():
    given = {**record_to_dict(make()), "schema": 2, "weather": "fair"}

    assert record_from_dict(given) == make(schema=2)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("number", "7"),
        ("number", True),
        ("number", 7.0),
        ("number", 2**80),
        ("returncode", "0"),
        ("pkey", 12),
        ("pkey", None),
        ("state", "don"),
        ("state", None),
        ("command", ["a", 1]),
        ("command", {"a": "b"}),
        ("parameters", [1]),
        ("parameters", {"p": {"@": "tuple"}}),
        ("parameters", {"p": {"@": "unheard"}}),
        ("elapsed", "1"),
        ("attempts", None),
        ("host", 5),
    ],
)
def test_wrong_types_are_refused(key, value):
    with pytest.raises(ValueError):
        record_from_dict({**record_to_dict(make()), key: value})


@pytest.mark.parametrize("key", ["identity", "pkey", "number", "directory", "state", "parameters"])
def test_what_is_needed_must_be_there(key):
    plain = record_to_dict(make())
    del plain[key]

    with pytest.raises(ValueError, match=key):
        record_from_dict(plain)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    parameters=st.dictionaries(st.text(max_size=8), values, max_size=5),
    command=st.text() | st.lists(st.text()).map(tuple),
    message=st.text(),
    state=st.sampled_from(State),
    returncode=st.none() | st.integers(-255, 255),
)
@settings(deadline=None, max_examples=100)
def test_any_record_comes_back(parameters, command, message, state, returncode):
    given = make(
        parameters=parameters,
        command=command,
        message=message,
        state=state,
        returncode=returncode,
    )

    data = record._render(given)
    back = record_from_dict(record._parse("somewhere", data))

    assert back == given
    assert repr(back) == repr(given), "types included"
    assert data.isascii()
