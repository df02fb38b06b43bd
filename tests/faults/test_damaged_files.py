"""Each of our files, cut, with a byte flipped, emptied or gone: repaired or reported."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import soops
from soops.cli import find_main, info_main, jobs_main, main, run_main, scoop_main

MODULE = """\
def get_run_info():
    cmd = "sh {script_dir}/program.sh {output_dir}"
    return cmd, {"--aa": "--aa={--aa}"}, "output_dir", "done.txt"


def get_scoop_info():
    import soops.scoop_outputs as sc

    return [("soops-parameters.csv", sc.load_soops_parameters, True)]
"""
PROGRAM = 'echo x >> "$1/started.txt"; touch "$1/done.txt"\n'
STUDY = ["--silent", "output_dir='out/%s', --aa=[1, 2.5, 'x y', '007']", "mod.py"]
#: What identifies a record; the rest follows from the bytes its checksum covers.
FIELDS = ("number", "pkey", "state", "cause", "returncode", "started", "ended", "elapsed")

#: By their place in a study: what a driver wrote.
FILES = (
    "out/.soops/index.sqlite3",
    "out/.soops/index.state",
    "out/.soops/journal.jsonl",
    "out/.soops/lock",
    "out/.soops/study.json",
    "out/001-*/soops-run.json",
    "out/001-*/soops-parameters.csv",
    "out/001-*/run.py",
    "output/all_parameters.csv",
    "output/options.txt",
    "output/output_log.txt",
)


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    """Return a study that is done."""
    before = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="soops damaged "))
    study = folder / "study"
    study.mkdir()
    os.chdir(study)
    Path("mod.py").write_text(MODULE)
    Path("program.sh").write_text(PROGRAM)
    assert run_main(STUDY) == 0
    os.chdir(before)
    yield study
    shutil.rmtree(folder)


def cut(data: bytes, where: float) -> bytes:
    return data[: int(len(data) * where)]


def flip(data: bytes, where: float) -> bytes:
    if not data:
        return b"\xff"
    place = int((len(data) - 1) * where)
    return data[:place] + bytes([data[place] ^ (1 << int(where * 1000) % 8)]) + data[place + 1 :]


def noise(data: bytes, where: float) -> bytes:
    place = int(len(data) * where)
    return data[:place] + b"\0\xff\xfe{[\"'\n,;=\x1b" + data[place:]


def zeros(data: bytes, where: float) -> bytes:
    return b"\0" * len(data)


def empty(data: bytes, where: float) -> bytes:
    return b""


class Damaged:
    """A copy of the study with one file that is not what was written."""

    def __init__(self, whole: Path, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="copy ", dir=whole.parent))
        self.study = self.folder / "study"
        shutil.copytree(whole, self.study, symlinks=True)
        (self.path,) = self.study.glob(name)
        self.before = Path.cwd()

    def __enter__(self) -> Damaged:
        os.chdir(self.study)
        return self

    def __exit__(self, *exc: object) -> None:
        os.chdir(self.before)
        shutil.rmtree(self.folder)


def records() -> dict[int, tuple[object, ...]]:
    return {run.number: tuple(getattr(run, name) for name in FIELDS) for run in soops.find(["out"])}


def check_readers(wanted: dict[int, tuple[object, ...]]) -> None:
    """Check that what is told of each run is what was recorded, or that nothing is known."""
    values = {0: 1, 1: 2.5, 2: "x y", 3: "007"}
    found = soops.find(["out"])
    assert [run.number for run in found] == [0, 1, 2, 3]
    for run in found:
        if run.state == "unknown":
            assert run.number == 1, "only this one was damaged"
        else:
            assert tuple(getattr(run, name) for name in FIELDS) == wanted[run.number]
        if run.identity:
            assert run.parameters["--aa"] == values[run.number]
            assert type(run.parameters["--aa"]) is type(values[run.number])
        elif run.parameters:
            assert str(run.parameters["--aa"]) == str(values[run.number])


def check(whole: Path, name: str, damage: bytes | None, *, scoop: bool = False) -> None:
    with Damaged(whole, name) as damaged:
        wanted = records()
        if damage is None:
            damaged.path.unlink()
        else:
            damaged.path.write_bytes(damage)
        codes = {
            "find": find_main(["out"]),
            "info": info_main(["mod.py", "-e", *map(str, sorted(Path("out").glob("0*")))]),
            "jobs": jobs_main(["out"]),
            "check": main(["index", "out", "--check"]),
            "scoop": scoop_main(["mod.py", "out", "--no-csv"]) if scoop else 0,
        }
        assert {code for code in codes.values() if code not in (0, 1, 3)} == set(), codes
        check_readers(wanted)
        # The program says that it has finished: it is not started again, here or elsewhere.
        assert run_main(STUDY) == 0
        started = sorted(path.parent.name[:3] for path in Path("out").glob("*/started.txt"))
        assert started == ["000", "001", "002", "003"]
        assert all(len(path.read_text()) == 2 for path in Path("out").glob("*/started.txt"))
        assert len([path for path in Path("out").iterdir() if path.name != ".soops"]) == 4
        assert main(["index", "out", "--rebuild"]) in (0, 1)
        check_readers(wanted)
        # Whatever it was, running everything again makes everything whole.
        assert run_main(["-r", "2", *STUDY]) == 0
        assert [run.state for run in soops.find(["out"])] == ["done"] * 4
        assert main(["index", "out", "--check"]) == 0


def test_of_every_file_there_is_a_name(whole):
    written = {path for path in whole.rglob("*") if path.is_file()}
    named = {path for name in FILES for path in whole.glob(name.replace("001-*", "*-*"))}
    others = {path.name for path in written - named}

    assert others == {
        "mod.py",
        "program.sh",
        "started.txt",
        "done.txt",
        "stdout.txt",
        "stderr.txt",
    }


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_or_empty_loses_nothing(whole, name, capfd):
    for damage in (None, b"", b"\0" * 100):
        check(whole, name, damage, scoop=damage is None)
    assert "internal" not in capfd.readouterr().err


DAMAGE = st.tuples(
    st.sampled_from([cut, flip, noise, flip, cut]), st.floats(0, 1, exclude_max=True)
)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=3, deadline=None)
@given(damage=DAMAGE)
def test_a_damaged_file_is_repaired_or_reported(whole, name, damage):
    how, where = damage
    (path,) = whole.glob(name)
    check(whole, name, how(path.read_bytes(), where))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=150, deadline=None)
@given(damage=DAMAGE)
def test_a_file_damaged_anywhere_is_repaired_or_reported(whole, name, damage):
    how, where = damage
    (path,) = whole.glob(name)
    check(whole, name, how(path.read_bytes(), where))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["out/.soops/index.sqlite3", "out/001-*/soops-run.json"])
def test_no_flipped_bit_makes_a_wrong_record(whole, name, pytestconfig):
    with Damaged(whole, name) as damaged:
        wanted = records()
        good = damaged.path.read_bytes()
        stat = damaged.path.stat()
        books = {path: path.read_bytes() for path in Path("out/.soops").iterdir()}
        places = [place for place, byte in enumerate(good) if byte]
        step = 1 if pytestconfig.getoption("--long") else max(1, len(places) // 60)
        for place in places[::step]:
            damaged.path.write_bytes(
                good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :]
            )
            # Even one that the time of the file does not betray.
            os.utime(damaged.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            check_readers(wanted)
            for path, data in books.items():
                path.write_bytes(data)
            damaged.path.write_bytes(good)
            os.utime(damaged.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
