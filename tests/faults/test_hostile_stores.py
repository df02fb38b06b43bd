"""Files of ours that fuzzing found too much for those who read them; each in three lines now."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import pytest

import soops.study
from soops.api import StudyError
from soops.cli import main, run_main
from soops.kernel.records.attempts import read_attempt, token_path
from soops_builtin.stores import csv_store

MODULE = """\
def get_run_info():
    return "echo {n} > {output_dir}/out", {}, "output_dir", "out"
"""


def stored(folder: Path, cell: str, meta: str = ",mtimes\n0,[]\n") -> Path:
    """Write a table of one cell, and its meta table."""
    path = folder / "results.csv"
    path.write_text(f",a\n0,{cell}\n")
    csv_store.meta_path(path).write_text(meta)
    return path


@pytest.mark.parametrize(
    "cell", ["2027-99-99 00:00:00", "2027-02-30 10:00:00", "0000-01-01 00:00:00"]
)
def test_a_time_that_cannot_be_is_a_text(tmp_path: Path, cell: str) -> None:
    assert csv_store.read(stored(tmp_path, cell)).frame["a"].tolist() == [cell]


@pytest.mark.parametrize("time", ["2027, 99, 1", "1,,2", "", "1", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"])
def test_the_time_of_a_file_that_cannot_be_is_unknown(tmp_path: Path, time: str) -> None:
    meta = f',mtimes\n0,"[datetime.datetime({time}), datetime.datetime(2027, 1, 2)]"\n'

    *first, last = csv_store.read(stored(tmp_path, "1", meta)).meta["mtimes"][0]

    assert (last.year, last.day) == (2027, 2)
    # A call without numbers is no time at all.
    assert all(math.isnan(unknown) for unknown in first) and len(first) == (time != "")


def test_a_meta_table_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path, "1", ",mtimes,mtimes\n0,1,2\n")

    with pytest.raises(StudyError, match="two columns of the same name") as caught:
        csv_store.read(path)
    assert "results-meta.csv" in str(caught.value)


@pytest.mark.parametrize("line", ["[" * 60_000, "{" * 60_000, '{"a":' * 60_000, "\0", "1e999"])
def test_a_token_that_says_nothing_is_one_that_says_nothing(tmp_path: Path, line: str) -> None:
    Path(token_path(tmp_path, 1)).write_text(f"{line}\n{line}\n")

    token = read_attempt(tmp_path, 1)

    assert token is not None
    assert (token.outcome, token.pid, token.survives) == (None, 0, False)


@pytest.fixture
def migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the log of a migration of the study in the directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("mod.py").write_text(MODULE)
    assert run_main(["--silent", "n=[1, 2], output_dir='out/%s'", "mod.py"]) == 0
    soops.study.migrate("out", rename=["n:m"], apply=True)
    (log,) = Path("out/.soops/migrations").iterdir()
    return log


def summed(line: bytes) -> bytes:
    """Return a line of a log that is not damaged, whatever it says."""
    return b"%08x %b\n" % (zlib.crc32(line), line)


HEAD = summed(b'{"schema": 1, "changes": {}}')


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        summed(b"[" * 60_000),
        summed(b"[]") * 2,
        HEAD + summed(b"{}"),
        HEAD + summed(b'{"files": []}'),
        HEAD + summed(b'{"old": 1, "new": "b", "files": {}}'),
        HEAD + summed(b'{"old": "a\\u0000", "new": "b", "files": {}}'),
        HEAD + summed(b'{"old": "a", "new": "\\ud800", "files": {}}'),
        HEAD + summed(b'{"old": "a", "new": "b", "files": {"f": ["\\ud800", ""]}}'),
        HEAD + summed(b'{"old": "a", "new": "b", "files": {"f": "xyz"}}'),
        HEAD + summed(b'{"old": "a", "new": "b", "other": "c", "files": {}}'),
    ],
)
def test_a_damaged_log_of_a_migration_is_named(
    migrated: Path, capfd: pytest.CaptureFixture[str], content: bytes
) -> None:
    migrated.write_bytes(content)
    before = sorted(Path("out").rglob("*"))

    for words in ((), ("--apply",)):
        code = main(["migrate", "out", "--undo", *words])

        err = capfd.readouterr().err
        assert code == 3, err
        assert f"{str(migrated)!r} is damaged" in err.replace(str(Path.cwd()) + "/", "")
        assert len(err.splitlines()) <= 3
    assert sorted(Path("out").rglob("*")) == before


@pytest.mark.parametrize(
    "step",
    [
        '{"old": "../victim", "new": "../victim", "files": {"f": ["after", "before"]}}',
        '{"old": "../victim", "new": "taken", "files": {}}',
        '{"old": "VICTIM", "new": "VICTIM", "files": {"f": ["after", "before"]}}',
        '{"old": "a", "new": "a", "files": {"../../victim/f": ["after", "before"]}}',
        '{"old": "a", "new": "a", "files": {"VICTIM/f": ["after", "before"]}}',
        '{"old": "a/../../victim", "new": "a", "files": {}}',
        '{"old": ".", "new": "..", "files": {}}',
    ],
)
def test_a_log_that_names_what_is_outside_changes_nothing(
    migrated: Path, capfd: pytest.CaptureFixture[str], step: str
) -> None:
    victim = Path("victim").resolve()
    victim.mkdir()
    (victim / "f").write_text("before")
    migrated.write_bytes(HEAD + summed(step.replace("VICTIM", str(victim)).encode()))

    for words in (("--undo", "--apply"), ("--undo",)):
        code = main(["migrate", "out", *words])

        err = capfd.readouterr().err
        assert code == 3, err
        assert "is damaged" in err
        assert len(err.splitlines()) <= 3
    assert (victim / "f").read_text() == "before"
