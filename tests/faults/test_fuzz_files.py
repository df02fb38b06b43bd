"""Files that soops wrote, whatever is in them: understood or refused, never executed.

A damaged file of one run must not keep the others from being seen, so nearly all of these are
*understood*: the run is shown as unfinished.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import soops
import soops.study
from soops.base import import_file
from soops.kernel.records.attempts import read_attempt
from soops.kernel.runs.survivors import outcome_in

fuzzing = import_file(Path(__file__).with_name("fuzzing.py"), can_reload=False)
JSON, WORDS, Target = fuzzing.JSON, fuzzing.WORDS, fuzzing.Target

STATE = Path("out/.soops")


@contextmanager
def unrecorded(study: Any) -> Iterator[None]:
    """Take the record of a run away for a while."""
    path = study.run / "soops-run.json"
    before = path.read_bytes()
    path.unlink()
    try:
        yield
    finally:
        path.write_bytes(before)


def record(study: Any, text: str) -> None:
    """A record, with and without the checksum of what it says."""
    for content in (text, with_checksum(text)):
        with study.instead(study.run / "soops-run.json", content):
            study.look()
            study.plan()


def parameters_csv(study: Any, text: str) -> None:
    """A run of an older soops: this is all that is known of it."""
    with unrecorded(study), study.instead(study.run / "soops-parameters.csv", text):
        study.look()
        study.plan()


def all_parameters(study: Any, text: str) -> None:
    """A pass writes the files of the study anew, whatever is in them and in those of runs."""
    study.write("files/options.txt", text)
    study.write("files/output_log.txt", text)
    with (
        study.instead("files/all_parameters.csv", text),
        study.instead(study.run / "soops-parameters.csv", text),
    ):
        assert study.pass_over().ok
        table = Path("files/all_parameters.csv").read_text("utf-8", "surrogateescape")
        assert all(path.name[4:] in table for path in Path("out").glob("00[123]-*"))
        assert len(soops.load_options("files/options.txt")) > 5


def journal(study: Any, text: str) -> None:
    """Lines of a journal, as they are and with their checksums."""
    lines = "".join(f"{with_line_checksum(line)}\n" for line in text.split("\n"))
    for content in (text, lines):
        with study.instead(STATE / "journal.jsonl", content):
            study.look()


def attempt(study: Any, text: str) -> None:
    """What a slot that no driver listened to left of its attempt."""
    path = study.run / ".soops-attempt-1"
    study.write(path, text)
    with unrecorded(study), under_way(study):
        study.look()
        study.plan()
    token = read_attempt(study.run, 1)
    if token is not None:
        outcome_in(token)
    path.unlink()


def attempt_taken_on(study: Any, text: str) -> None:
    """A driver makes a record of what the token of an attempt says, or runs it again."""
    study.write(study.run / ".soops-attempt-1", text)
    with unrecorded(study), under_way(study):
        assert study.pass_over().ok
        study.look()
    for path in (*study.run.glob("*.attempt-*"), *study.run.glob(".soops-attempt-*")):
        path.unlink()


@contextmanager
def under_way(study: Any) -> Iterator[None]:
    """Let the journal say for a while that an attempt has not ended."""
    submitted, running, _ = JOURNAL.splitlines()
    names = ("000-206452fce7516314dacc3241884f17d8", study.run.name)
    keys = (names[0][4:], study.run.name[4:])
    lines = [line.replace(*names).replace(*keys) for line in (submitted, running)]
    text = "".join(f"{with_line_checksum(line)}\n" for line in lines)
    with study.instead(STATE / "journal.jsonl", text):
        yield


def study_json(study: Any, text: str) -> None:
    with study.instead(STATE / "study.json", text):
        study.look()


def index_state(study: Any, text: str) -> None:
    with indexed(study), study.instead(STATE / "index.state", text):
        study.look()


def index(study: Any, text: str) -> None:
    """An index some of whose bytes were written over."""
    data = text.encode("utf-8", "surrogateescape")
    with indexed(study):
        before = study.index.read_bytes()
        state = (STATE / "index.state").read_bytes()
        place = zlib.crc32(data) % len(before)
        study.index.write_bytes(before[:place] + data + before[place + len(data) :])
        try:
            study.look()
            study.plan()
        finally:
            study.index.write_bytes(before)
            (STATE / "index.state").write_bytes(state)


@contextmanager
def indexed(study: Any) -> Iterator[None]:
    """Let the study have its index for a while."""
    Path("index").rename(study.index)
    try:
        yield
    finally:
        study.index.rename("index")


def lock(study: Any, text: str) -> None:
    with study.instead(STATE / "lock", text):
        study.look()


def roots(study: Any, text: str) -> None:
    """The list of the studies of a user."""
    with study.instead("state/soops/roots", text):
        for status in soops.study.jobs():
            json.dumps(status.as_json())


def migration_log(study: Any, text: str) -> None:
    """The log of a migration, with and without the checksums of its lines."""
    folder = STATE / "migrations"
    folder.mkdir(exist_ok=True)
    lines = text.encode("utf-8", "surrogateescape").split(b"\n")
    summed = b"".join(b"%08x %b\n" % (zlib.crc32(line[9:]), line[9:]) for line in lines)
    refusals = []
    for content in (text.encode("utf-8", "surrogateescape"), summed):
        (folder / "0001.done.jsonl").write_bytes(content)
        try:
            soops.study.undo_migration("out")
        except soops.study.SoopsError as exc:
            refusals.append(exc)
    (folder / "0001.done.jsonl").unlink()
    if len(refusals) > 1:
        raise refusals[-1]


# --- texts -------------------------------------------------------------------------------


def with_checksum(text: str) -> str:
    """Return a record that says what a text says, and is not damaged."""
    body = text.encode("utf-8", "surrogateescape").rstrip()
    mark = body.rfind(b'\n"checksum": "')
    body = body[:mark] if mark >= 0 else body.removesuffix(b"}").rstrip(b",\n") + b","
    whole = b'%b\n"checksum": "%08x"\n}\n' % (body, zlib.crc32(body))
    return whole.decode("utf-8", "surrogateescape")


def with_line_checksum(line: str) -> str:
    """Return a line of a journal that says what a text says, and is not damaged."""
    mark = line.rfind(',"checksum":"')
    body = (line[:mark] if mark >= 0 else line.rstrip().removesuffix("}")).encode(
        "utf-8", "surrogateescape"
    )
    return (b'%b,"checksum":"%08x"}' % (body, zlib.crc32(body))).decode("utf-8", "surrogateescape")


RECORD = """\
{"schema": 1,
"identity": "f2e45b0c7c8b2d9cdc53780588fa4882",
"pkey": "206452fce7516314dacc3241884f17d8",
"number": 0,
"directory": "000-206452fce7516314dacc3241884f17d8",
"state": "failed",
"cause": "exit",
"returncode": 1,
"signal": null,
"started": "2026-11-25T03:13:47.889+00:00",
"ended": "2026-11-25T03:13:47.894+00:00",
"elapsed": 0.005,
"cpu_time": 0.002,
"max_rss": null,
"host": "here",
"attempts": 1,
"runner": "local",
"run_function": "subprocess.run",
"message": "",
"output_key": "output_dir",
"command": ["touch", "x"],
"parameters": {"--flag": true,
"--name": "x y",
"--num": {"@": "tuple", "v": [1, 2.5]}},
"provenance": {"soops": "2027.1"},
"checksum": "7a302e69"
}
"""
JOURNAL = (
    '{"event":"submitted","directory":"000-206452fce7516314dacc3241884f17d8","attempt":1,'
    '"number":0,"pkey":"206452fce7516314dacc3241884f17d8","time":"2026-11-25T03:13:47.889+00:00"'
    ',"checksum":"01234567"}\n'
    '{"event":"running","directory":"000-206452fce7516314dacc3241884f17d8","token":"t","pid":1,'
    '"host":"here","pid_started":1,"checksum":"01234567"}\n'
    '{"event":"ended","directory":"001-x","checksum":"01234567"}\n'
)
ATTEMPT = """\
{"host": "here", "pid": 4194303, "survives": true, "command": ["touch", "x"]}
{"state": "done", "cause": "exit", "returncode": 0, "signal": null, "started": 1.5, \
"ended": 2.5, "elapsed": 1.0, "cpu_time": 0.5, "max_rss": 1024, "tree_rss": null, "message": ""}
"""
STUDY_JSON = json.dumps(
    {
        **{"template": "out/%s", "name": "study", "output_key": "output_dir", "pid": 12345},
        **{"key_order": ["--num"], "started": "2026-11-25T03:13:47.889+00:00", "host": "here"},
        **{"cwd": "/tmp", "output_dir": "/tmp/files", "total": 2, "unhashed": []},
        **{"argv": ["soops", "run"], "runner": "local", "ended": None},
    }
)
PARAMETERS = (
    "pkey,finished,iset,--flag,--name,--num,output_dir,script_dir\n"
    '206452fce7516314dacc3241884f17d8,True,000,,"x, y",1,out/000-x,.\n'
)
LOCK = '{"host": "here", "pid": 1, "user": "me", "time": "2027-01-01T00:00:00.000+00:00"}\n'
MIGRATION = (
    '00000000 {"schema":1,"changes":{"add":{"--new":"1"},"rename":{},"drop":[]}}\n'
    '00000000 {"old":"000-206452fce7516314dacc3241884f17d8","new":"000-x","old_pkey":"a",'
    '"new_pkey":"b","files":{"run.py":["old","new"]}}'
)
ROW = ("True", "False", "\n", '"', "iset", ",", *WORDS)
TARGETS = (
    Target(record, (RECORD,), JSON, 20),
    Target(parameters_csv, (PARAMETERS,), ROW, 20),
    Target(all_parameters, (PARAMETERS,), ROW, 10, 1000),
    Target(journal, (JOURNAL,), (*JSON, '"event"', '"submitted"', "\n"), 20),
    Target(attempt, (ATTEMPT,), (*JSON, '"survives"', "\n", '"timeout"'), 20),
    Target(attempt_taken_on, (ATTEMPT,), (*JSON, '"survives"', "\n", '"timeout"'), 10, 1000),
    Target(study_json, (STUDY_JSON,), JSON, 20),
    Target(index_state, ("clean 1 32768 dcf9494e\n",), ("clean", " ", "1", "\n"), 20),
    Target(index, ("CREATE TABLE runs", "done"), JSON, 20),
    Target(lock, (LOCK,), JSON, 20),
    Target(roots, ('"/tmp"\n"/no/such/root"\n',), JSON),
    Target(migration_log, (MIGRATION,), (*JSON, "\n00000000 "), 40),
)
each_target = pytest.mark.parametrize("target", TARGETS, ids=str)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with fuzzing.finished_study(tmp_path_factory.mktemp("fuzz")) as study:
        yield study


@each_target
def test_texts_are_understood_or_refused(study, target):
    fuzzing.try_texts(study, target)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@each_target
def test_thousands_of_texts_are_understood_or_refused(study, target):
    fuzzing.try_texts(study, target, long=True)


@each_target
def test_what_the_texts_are_made_from_is_understood(study, target):
    # Otherwise nothing beyond the first look at a text would ever be tried.
    for text in target.starts:
        assert fuzzing.understood(study, target, text), text


# --- what such texts have found ----------------------------------------------------------


@pytest.mark.parametrize(
    "name, value",
    [
        *(("returncode", "x"), ("returncode", [1]), ("cause", 2**70), ("signal", {"a": 1})),
        *(("started", "x"), ("started", 1e999), ("ended", 2**70), ("ended", -1)),
        *(("elapsed", 2**70), ("cpu_time", "x"), ("max_rss", 1.5), ("state", "odd")),
    ],
)
def test_an_outcome_that_no_record_can_have_is_none(study, name, value):
    path = study.run / ".soops-attempt-1"
    who, outcome = ATTEMPT.splitlines()
    path.write_text(f"{who}\n{json.dumps({**json.loads(outcome), name: value})}\n")
    with unrecorded(study), under_way(study):
        (found,) = soops.find([study.run])
        assert (found.state, found.cause) == ("lost", "interrupted")
    path.unlink()


@pytest.mark.parametrize("pid", [-1, 0, True, 2**31, 1.5, "1"])
def test_a_token_names_no_group_of_processes(study, pid):
    # kill(-1) would end all that this user may end.
    path = study.run / ".soops-attempt-1"
    path.write_text(json.dumps({"host": "here", "pid": pid, "survives": True}) + "\n")
    assert read_attempt(study.run, 1).pid == 0
    path.unlink()


@pytest.mark.parametrize("name", ["cause", "signal", "host", "started", "identity"])
def test_half_a_character_in_a_record_hides_no_run(study, name):
    fields = json.loads((study.run / "soops-run.json").read_text())
    text = json.dumps({**fields, name: "\ud800"}, separators=(",\n", ": "))
    with study.instead(study.run / "soops-run.json", with_checksum(text)):
        found = soops.find(["out"])
        assert len(found) == 4
        json.dumps([run.as_json() for run in found])
