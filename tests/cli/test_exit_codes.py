"""The one table of errors: what is said of each kind, and the code it gives."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import soops.cli
import soops.cli.scripts
from soops.cli import group
from soops.kernel.errors import (
    ExitCode,
    LockedError,
    PluginError,
    RunnerError,
    SoopsError,
    StudyError,
    UsageError,
)
from soops.kernel.values import Source


def raising(exc: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def invoke(program: str, words: list[str]) -> int:
        raise exc

    monkeypatch.setattr(group, "invoke", invoke)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (UsageError, ExitCode.USAGE),
        (StudyError, ExitCode.STUDY),
        (PluginError, ExitCode.PLUGIN),
        (RunnerError, ExitCode.RUNNER),
        (LockedError, ExitCode.LOCKED),
        (SoopsError, ExitCode.STUDY),
    ],
)
def test_a_mistake_of_the_user_is_three_lines(kind, code, monkeypatch, typed):
    raising(kind("what\nis wrong", source=Source(path="x.cfg", line=3), hint="do it"), monkeypatch)

    result = typed("soops")

    assert result.code == code
    assert result.err.splitlines() == [
        r"error: what\nis wrong",
        "  in x.cfg, line 3",
        "  hint: do it",
    ]
    assert result.out == ""


@pytest.mark.parametrize("exc", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_130(exc, monkeypatch, typed):
    raising(exc, monkeypatch)

    result = typed("soops")

    assert (result.code, result.err) == (130, "interrupted\n")


def test_a_reader_that_went_away_is_no_error(monkeypatch, typed):
    raising(BrokenPipeError(), monkeypatch)
    monkeypatch.setattr("soops.cli.common.mute_stdout", lambda: None)

    assert typed("soops").code == 0


@pytest.mark.parametrize(
    ("code", "expected", "said"),
    [(None, 0, ""), (7, 7, ""), ("a word", 1, "error: a word\n")],
)
def test_a_command_may_leave_by_sys_exit(code, expected, said, monkeypatch, typed):
    raising(SystemExit(code), monkeypatch)

    result = typed("soops")

    assert (result.code, result.err) == (expected, said)


def test_a_mistake_of_soops_is_one_line_and_a_file(monkeypatch, typed, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    raising(ValueError("inside\nand more"), monkeypatch)

    result = typed("soops")

    assert result.code == ExitCode.INTERNAL
    (line,) = result.err.splitlines()
    assert line.startswith("error: internal: ValueError: inside;")
    (log,) = (tmp_path / "state" / "soops" / "log").iterdir()
    assert str(log) in line
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text and "and more" in text


def test_the_file_goes_to_the_temporary_directory_when_it_has_to(monkeypatch, typed, tmp_path):
    import tempfile

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    raising(ValueError("inside"), monkeypatch)

    with monkeypatch.context() as patch:  # pytest makes temporary files, too
        patch.setattr(tempfile, "tempdir", str(tmp_path))
        result = typed("soops")

    assert str(tmp_path / "soops-") in result.err
    assert list(tmp_path.glob("soops-*.log"))


def test_no_file_at_all_is_said(monkeypatch, typed, tmp_path):
    import tempfile

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    raising(ValueError("inside"), monkeypatch)

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
        result = typed("soops")

    assert (result.code, "none could be written" in result.err) == (70, True)


@pytest.mark.parametrize(
    ("program", "words", "said"),
    [
        ("soops-run", [], "missing argument 'CONF'"),
        ("soops-run", ["a", "b", "c"], "unexpected extra argument"),
        ("soops-run", ["-n", "0", "a", "b"], "'-n' / '--n-workers'"),
        ("soops-run", ["-r", "3", "a", "b"], "3"),
        ("soops-run", ["--accept-exit", "x", "a", "b"], "a list of integers like 0,3"),
        ("soops-run", ["--runner-opt", "x", "a", "b"], "key=value"),
        ("soops-run", ["--nun", "a", "b"], "no such option: --nun"),
        ("soops-find", ["-m", "sngle", "."], "sngle"),
        ("soops", ["fnd"], "did you mean 'find'"),
        ("soops", ["--nothing"], "--nothing"),
        ("soops", ["run", "--disable-plugin", "biultin", "a", "b"], "did you mean 'builtin'"),
        ("soops", ["index", "--check", "--rebuild", "x"], "exclude each other"),
        ("soops-scoop", ["-r", "-u", "m", "d"], "exclude each other"),
        ("soops-scoop", ["--use-plugins=a", "--omit-plugins=b", "m", "d"], "exclude each other"),
    ],
)
def test_a_wrong_command_line_is_2_in_three_lines(program, words, said, typed, project):
    result = typed(program, *words)

    assert result.code == ExitCode.USAGE
    assert 1 <= len(result.err.splitlines()) <= 3
    assert said in result.err
    assert result.out == ""


def test_the_scripts_are_those_of_the_project():
    import tomllib

    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    for name, target in tomllib.loads(text)["project"]["scripts"].items():
        module, _, entry = target.partition(":")
        assert module == "soops.cli.scripts"
        assert entry in soops.cli.scripts.__all__
        assert name.removeprefix("soops-") == entry


@pytest.mark.parametrize("name", ["", "-run", "-scoop", "-find", "-info", "-jobs"])
def test_each_script_has_its_version_and_help(name, typed):
    from soops import __version__

    version = typed(f"soops{name}", "--version")
    assert (version.code, version.out) == (0, f"soops, version {__version__}\n")
    for word in ("-h", "--help"):
        shown = typed(f"soops{name}", word)
        assert shown.code == 0
        assert shown.out.startswith(f"Usage: soops{name} [OPTIONS]")
        assert "--disable-plugin" in shown.out


def test_soops_alone_shows_its_help(typed):
    result = typed("soops")

    assert result.code == 0
    for name in (
        "run",
        "scoop",
        "plugins",
        "find",
        "info",
        "jobs",
        "index",
        "new",
        "check",
        "preview",
        "demo",
    ):
        assert re.search(rf"^  {name} +\w", result.out, re.M), name


def test_the_log_goes_to_stderr_with_its_lines_and_without_escapes(monkeypatch, typed):
    def invoke(program: str, words: list[str]) -> int:
        logging.getLogger("soops").warning("two\nlines of \x1b[31mred")
        try:
            raise ValueError("oh")
        except ValueError:
            logging.getLogger("soops").error("failed", exc_info=True)
        return 0

    monkeypatch.setattr(group, "invoke", invoke)

    lines = typed("soops").err.splitlines()

    assert lines[:3] == ["warning: two", r"lines of \x1b[31mred", "error: failed"]
    assert lines[-1] == "ValueError: oh"


def test_the_log_is_left_as_it_was(typed):
    log = logging.getLogger("soops")
    before = (list(log.handlers), log.propagate)

    typed("soops", "--version")

    assert (list(log.handlers), log.propagate) == before


def test_a_pipe_that_is_closed_makes_no_noise(study_dir):
    code = "from soops.cli import find_main; raise SystemExit(find_main())"
    words = [sys.executable, "-c", code, "-m", "full", "out"]
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, cwd=study_dir, timeout=60)
    os.close(writing)

    assert done.returncode == 0
    assert done.stderr == b""


def test_a_closed_stdout_is_no_mistake_of_soops(study_dir):
    words = f"{sys.executable} -m soops --version >&-"

    done = subprocess.run(words, shell=True, capture_output=True, cwd=study_dir, timeout=60)

    assert b"internal" not in done.stderr


def test_a_stdout_that_does_not_know_all_characters_is_written_to(project, soops_process):
    (project / "žluť").mkdir()
    env = {
        **os.environ,
        "PYTHONIOENCODING": "iso8859-2",
        "XDG_STATE_HOME": str(project.parent / "s"),
    }
    study = "output_dir='žluť/%s', --n-cell=1, --mode='日本'"

    done = soops_process(project, "run", study, "mod.py", env=env)
    found = soops_process(project, "find", "žluť", "-q", "mode == '日本'", "-m", "full", env=env)

    assert (done.code, found.code) == (0, 0)
    assert "žluť/000-".encode("iso8859-2") in found.out.encode("utf-8", "surrogateescape")
    assert r"\u65e5\u672c" in found.out
