"""The commands of soops 2026.2 read, and go on with, what ours wrote."""

from __future__ import annotations

import csv
import io
import re
import shutil

import pytest

TEXT = "--aa=[1, 3, 5], --bb='two words, x', --flag=[@defined, @undefined], output_dir='out/%s'"
MADE = ("mini.py", "program.sh", "out", "res")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return where the two studies are kept, so that they are made only once."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def both(old, new, mini, tmp_path, made):
    """Return two directories with the same study and its table: by 2026.2, and by ours."""
    for command, name in ((old, "theirs"), (new, "ours")):
        place = tmp_path / name
        if not (made / name).exists():
            place.mkdir()
            for file in ("mini.py", "program.sh"):
                shutil.copy(tmp_path / file, place / file)
            command("run", "-n", "2", "-o", "out", TEXT, "mini.py", cwd=place)
            command("scoop", "-o", "res", "mini.py", "out", cwd=place)
            shutil.copytree(place, made / name)
        else:
            shutil.copytree(made / name, place)
    return tmp_path / "theirs", tmp_path / "ours"


def runs(root):
    return sorted(path.name for path in root.iterdir() if re.match(r"\d{3}-", path.name))


def test_both_are_the_same_study(both, starts):
    theirs, ours = both
    assert runs(theirs / "out") == runs(ours / "out") and len(runs(ours / "out")) == 6
    assert list(starts(ours / "out").values()) == [1] * 6


FIND = [
    ("-q", "bb == bb", "-m", "single"),
    ("-q", "iset > 2", "-m", "full"),
    ("-q", "aa == 3", "-m", "truncated"),
    ("-q", "flag == '@defined'", "-k", "aa"),
    ("-q", "finished", "-k", "bb"),
    ("-q", "iset == 1"),
]


@pytest.mark.parametrize("words", FIND, ids=" ".join)
def test_find_prints_the_same(old, both, words):
    theirs, ours = (old("find", *words, "out", cwd=place).stdout for place in both)
    assert ours == theirs and ours


def test_info_explains_the_same(old, both):
    theirs, ours = (
        old("info", "mini.py", "-e", *(f"out/{name}" for name in runs(place / "out")), cwd=place)
        for place in both
    )
    assert ours.stdout == theirs.stdout
    assert ours.stdout.count("out/00") == 12 and "two words, x" in ours.stdout


def table(path):
    """Return the rows of results.csv; where and when they were scooped is left out."""
    rows = csv.DictReader(io.StringIO(path.read_text()))
    return [
        {key: value for key, value in row.items() if key not in ("", "rdir", "time")}
        for row in sorted(rows, key=lambda row: row["output_dir"])
    ]


def test_scoop_reads_the_directories_of_ours(old, both):
    for place in both:
        old("scoop", "-s", "iset", "-o", "again", "mini.py", "out", cwd=place)
    theirs, ours = (table(place / "again" / "results.csv") for place in both)
    assert len(ours) == 6 and ours == theirs


def test_scoop_goes_on_with_the_results_of_ours(old, both):
    done = [old("scoop", "-r", "--write", "-o", "res", "mini.py", "out", cwd=at) for at in both]
    for words in ("data keys:", "'words'", "metadata keys:", "user data:"):
        assert words in done[0].stdout and words in done[1].stdout
    tables = [table(place / "res" / "results.csv") for place in both]
    shared = [[{key: row[key] for key in tables[0][0]} for row in rows] for rows in tables]
    assert shared[0] == shared[1] and len(shared[1]) == 6


def test_the_stored_tables_have_what_those_of_2026_2_have(both):
    import pandas as pd

    stored = [place / "res" / "results.h5" for place in both]
    frames = [pd.read_hdf(path, "df") for path in stored]
    theirs, ours = (frame.sort_values("output_dir") for frame in frames)
    shared = [name for name in theirs.columns if name not in ("rdir", "rfiles", "time")]
    assert {*theirs.columns} <= {*ours.columns}
    assert theirs[shared].to_dict("list") == ours[shared].to_dict("list")

    # Which file of which run gave which columns.
    theirs, ours = (
        {
            (frame["output_dir"][row], name.rpartition("/")[2], tuple(columns))
            for row, name, columns in meta[["data_row", "filename", "data_columns"]].values
        }
        for frame, meta in zip(frames, (pd.read_hdf(path, "mdf") for path in stored), strict=True)
    )
    assert len(theirs) == 12 and theirs <= ours

    theirs, ours = (pd.read_hdf(path, "par_keys") for path in stored)
    assert type(ours) is type(theirs) and set(ours) == set(theirs)


def test_2026_2_goes_on_with_a_study_of_ours(old, new, both, starts):
    _, ours = both
    names = runs(ours / "out")
    old("run", "-n", "2", "-o", "out", TEXT, "mini.py", cwd=ours)
    assert runs(ours / "out") == names
    assert list(starts(ours / "out").values()) == [1] * 6
    more = TEXT.replace("[1, 3, 5]", "[1, 3, 5, 4]")
    old("run", "-n", "2", "-o", "out", more, "mini.py", cwd=ours)
    assert runs(ours / "out")[:6] == names and len(runs(ours / "out")) == 8
    assert [name[:3] for name in runs(ours / "out")[6:]] == ["006", "007"]

    # ... and ours with what 2026.2 added to it.
    done = new("run", "-n", "2", "-o", "out", more, "mini.py", cwd=ours)
    assert "8 parameter sets: 8 finished before" in done.stderr
    assert list(starts(ours / "out").values()) == [1] * 8
    assert len(new("find", "-m", "single", "out", cwd=ours).stdout.splitlines()) == 8


def test_2026_2_runs_again_what_is_not_finished_and_ours_takes_its_word(old, new, both, starts):
    _, ours = both
    name = runs(ours / "out")[3]
    (ours / "out" / name / "done.txt").unlink()
    old("run", "-n", "2", "-o", "out", TEXT, "mini.py", cwd=ours)
    assert starts(ours / "out")[name] == 2 and len(runs(ours / "out")) == 6
    done = new("run", "-n", "2", "-o", "out", TEXT, "mini.py", cwd=ours)
    assert "6 parameter sets: 6 finished before" in done.stderr
    assert starts(ours / "out")[name] == 2
