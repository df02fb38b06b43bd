"""After a study: a word about preloading where it would gain, and where it did not happen."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from soops.api import RunRecord, Source, State, Study, StudyRun, Summary, UserModule
from soops_builtin.hints import RUNS, SECONDS, PreloadHint
from soops_builtin.progress import Progress

HINT = "hint: --run-function preload would import matplotlib, numpy once for each worker"


@pytest.fixture
def record(tmp_path) -> RunRecord:
    script = tmp_path / "plot.py"
    script.write_text("import os\nimport numpy as np\n\ndef f():\n    from matplotlib import cm\n")
    return RunRecord(
        identity="i",
        pkey="p",
        number=0,
        directory="000-p",
        parameters={},
        command=f'python3 {script} out "--num=1"',
        state=State.DONE,
        elapsed=1.0,
    )


def lines(record: RunRecord, runs: int = RUNS + 1, function: str = "subprocess.run") -> list[str]:
    hint = PreloadHint(function)
    for _ in range(runs):
        hint.run_ended(record)
    return hint.lines()


def test_many_short_runs_of_a_script_with_slow_imports_would_gain(record):
    assert lines(record) == lines(record, function="psutil.Popen") == [HINT]


@pytest.mark.parametrize(
    "change",
    [
        {"elapsed": SECONDS},
        {"state": State.FAILED},
        {"command": "sleep 1"},
        {"command": "python3 gone.py"},
        {"command": ("python3", "-c", "import numpy")},
    ],
    ids=str,
)
def test_others_would_not(record, change):
    assert lines(replace(record, **change)) == []


def test_a_command_with_shell_syntax_would_not(record):
    assert lines(replace(record, command=f"rm -f x; {record.command}")) == []


def test_few_runs_would_not(record):
    assert lines(record, runs=RUNS) == []


@pytest.mark.parametrize("function", ["preload", "os.system", "mine"])
def test_those_who_chose_otherwise_are_told_nothing(record, function):
    assert lines(record, function=function) == []


def test_a_script_without_slow_imports_would_not(record, tmp_path):
    (tmp_path / "plot.py").write_text("import os, json\nfrom . import numpy\n")

    assert lines(record) == []


def test_it_is_said_why_runs_were_not_preloaded(record):
    message = "1 process was left behind and ended; not preloaded: the command names no file"
    hint = PreloadHint("preload")
    hint.run_ended(replace(record, message=message))
    hint.run_ended(record)

    text = "preload: something was started or imported as ever: the command names no file"
    assert hint.lines() == [text]
    hint.run_ended(replace(record, message="not preloaded: another reason"))
    assert hint.lines() == [text + " (1 more in the records)"]


def test_it_follows_the_summary(record, tmp_path):
    study = StudyRun(
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
    progress = Progress(study=study, total=30, stream=io.StringIO())
    for _ in range(30):
        progress.run_ended(record)
    progress.ended(Summary(total=30, skipped=0, counts={State.DONE: 30}, elapsed=30.0))

    assert progress.stream.getvalue().splitlines()[-1] == HINT
