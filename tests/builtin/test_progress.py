"""The live line and the summary, on a stream that is or is not a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from soops.api import (
    ParameterSet,
    PlannedRun,
    RunRecord,
    Source,
    State,
    Study,
    StudyRun,
    Summary,
    UserModule,
)
from soops_builtin.progress import Progress, duration, tail


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return StudyRun(
        study=Study(name="s", source=Source(), values={}),
        module=UserModule(name="m", path=Path("m.py")),
        root=tmp_path,
        template="%s",
        output_dir=tmp_path,
        key_order=(),
        runner="local",
        run_function="subprocess.run",
        n_workers=2,
        progress=True,
    )


RECORD = RunRecord(
    identity="i",
    pkey="p",
    number=7,
    directory="007-abc",
    parameters={},
    command="x",
    state=State.DONE,
    cause="exit",
    returncode=0,
)
PLANNED = PlannedRun(
    parameters=ParameterSet(index=0, values={}, pkey="p", identity="i"),
    number=0,
    directory="d",
    command="x",
    decision="run",
    reason="",
)


def test_the_live_line_counts(study):
    stream = Terminal()
    progress = Progress(study=study, total=4, stream=stream)
    for _ in range(3):
        progress.run_started(PLANNED)
    progress.last = 0.0
    progress.run_ended(RECORD)
    assert "1/4 ended, 2 running" in stream.getvalue()
    assert "left" in stream.getvalue()


def test_nothing_moves_where_there_is_no_terminal(study):
    stream = io.StringIO()
    progress = Progress(study=study, total=4, stream=stream)
    progress.run_started(PLANNED)
    progress.run_ended(RECORD)
    assert stream.getvalue() == ""
    progress.began -= 100.0
    progress.run_ended(RECORD)
    assert "2/4 ended" in stream.getvalue()
    assert "\r" not in stream.getvalue() and "\x1b" not in stream.getvalue()


def test_the_first_failures_are_shown_with_their_last_words(study, tmp_path):
    (tmp_path / "007-abc").mkdir()
    (tmp_path / "007-abc" / "stderr.txt").write_text("one\ntwo\x1b[31m red\n")
    stream = io.StringIO()
    progress = Progress(study=study, total=None, stream=stream)
    failed = replace(RECORD, state=State.FAILED, returncode=3)
    for _ in range(5):
        progress.run_ended(failed)
    text = stream.getvalue()
    assert text.count("run 007 failed (exit 3): 007-abc") == 3
    assert "  | two\\x1b[31m red" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": State.FAILED, "cause": "signal", "signal": "SIGSEGV"}, "failed (SIGSEGV)"),
        ({"state": State.TIMEOUT, "cause": "timeout"}, "timeout"),
        ({"state": State.FAILED, "cause": "missing"}, "failed (missing)"),
    ],
)
def test_failures_are_told_apart(study, change, words):
    stream = io.StringIO()
    Progress(study=study, total=1, stream=stream).run_ended(replace(RECORD, **change))
    assert words in stream.getvalue()


def test_the_summary_says_everything_once(study):
    stream = io.StringIO()
    summary = Summary(
        total=10,
        skipped=3,
        counts={State.DONE: 4, State.FAILED: 2},
        elapsed=75.0,
        failures=(replace(RECORD, state=State.FAILED, returncode=1),),
        interrupted=True,
        remaining=1,
    )
    Progress(study=study, total=10, stream=stream).ended(summary)
    lines = stream.getvalue().splitlines()
    assert lines[0] == (
        "10 parameter sets: 3 finished before, 4 done, 2 failed, 1 not started in 1:15; "
        "interrupted: the same command goes on where it stopped"
    )
    assert lines[1:] == ["  007 failed (exit 1): 007-abc", "  ... and 1 more"]


def test_durations():
    assert [duration(value) for value in (0.44, 12.3, 187, 3729)] == [
        "0.4 s",
        "12 s",
        "3:07",
        "1:02:09",
    ]


def test_tail_reads_little_of_a_large_file(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(b"x" * 10_000_000 + b"\nlast\n")
    assert tail(path)[-1] == "last"
    assert tail(tmp_path / "absent") == []
