"""Studies that soops 2026.2 made are continued by the same command line."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

TEXT = "--aa=[1, 2, 3], output_dir='out/%s'"
DAMAGED = "soops-parameters.csv"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return where the study is kept, so that 2026.2 makes it only once."""
    return tmp_path_factory.mktemp("made") / "out"


@pytest.fixture
def study(old, mini, tmp_path, made):
    """Return the runs root of three finished runs of 2026.2."""
    root = tmp_path / "out"
    if made.exists():
        shutil.copytree(made, root)
    else:
        old("run", "-n", "1", "-o", "out", TEXT, mini.name)
        shutil.copytree(root, made)
    assert [name[:4] for name in runs(root)] == ["000-", "001-", "002-"]
    return root


@pytest.fixture
def go_on(new, mini):
    """Return what continues the study by ours; its summary is asserted."""

    def run(summary, text=TEXT, *words, **options):
        done = new("run", "-n", "1", "-o", "out", *words, text, mini.name, **options)
        said = re.findall(r"^\d+ parameter sets?: (.*) in [0-9.]+ s$", done.stderr, re.MULTILINE)
        assert said == [summary], done.stderr
        return done

    return run


def runs(root):
    """Return the names of the directories that look like those of runs, also as copies."""
    return sorted(p.name for p in root.iterdir() if re.match(r"\d{3,}-[0-9a-f]{32}", p.name))


def files_of(root):
    """Return what is in the run directories, and when it was written."""
    return {
        path.relative_to(root): (path.read_bytes(), path.stat().st_mtime_ns)
        for name in runs(root)
        for path in (root / name).iterdir()
    }


def shown(new, *words):
    """Return the lines that soops-find prints."""
    return new("find", *map(str, words)).stdout.splitlines()


def row_of(directory):
    return next(csv.DictReader(io.StringIO((directory / DAMAGED).read_text())))


# --- finished, half finished, failed, interrupted ----------------------------------------


def test_a_finished_study_is_left_as_it_is(study, go_on, new, starts):
    before = files_of(study)
    go_on("3 finished before")
    assert files_of(study) == before
    assert set(starts(study).values()) == {1}
    assert shown(new, "-m", "single", "out") == [f"out/{name}" for name in runs(study)]
    assert shown(new, "-k", "finished", "out") == ["True"] * 3


def test_new_sets_get_the_numbers_after_the_largest(study, go_on, new, starts):
    names = runs(study)
    go_on("3 finished before, 2 done", "--aa=[9, 1, 2, 8, 3], output_dir='out/%s'")
    assert runs(study)[:3] == names
    assert [name[:4] for name in runs(study)[3:]] == ["003-", "004-"]
    assert [row_of(study / name)["--aa"] for name in runs(study)] == ["1", "2", "3", "9", "8"]
    assert list(starts(study).values()) == [1] * 5
    assert shown(new, "-k", "aa", "out") == ["1", "2", "3", "9", "8"]


def test_what_is_not_finished_is_run_in_its_directory(study, go_on, new, starts):
    names = runs(study)
    for name in names[1:]:
        (study / name / "done.txt").unlink()
        parameters = study / name / DAMAGED
        parameters.write_text(parameters.read_text().replace(",True,", ",False,"))
    go_on("1 finished before, 2 done")
    assert runs(study) == names
    assert list(starts(study).values()) == [1, 2, 2]
    assert [row_of(study / name)["finished"] for name in names] == ["True"] * 3
    assert shown(new, "--state", "done", "-m", "single", "out") == [f"out/{n}" for n in names[1:]]
    go_on("3 finished before")
    assert list(starts(study).values()) == [1, 2, 2]


def test_failed_runs_of_then_are_unknown_and_are_started_again(
    old, mini, tmp_path, go_on, new, starts
):
    text = "--aa=1, --fail=[@undefined, 1, sig], output_dir='out/%s'"
    old("run", "-n", "1", "-o", "out", text, mini.name)
    root = tmp_path / "out"
    names = runs(root)
    # 2026.2 said of all of them that they are finished.
    assert [row_of(root / name)["finished"] for name in names] == ["True"] * 3
    assert shown(new, "--state", "unknown", "-m", "single", "out") == [f"out/{n}" for n in names]
    assert shown(new, "-q", "finished & fail != '@undefined'", "-m", "single", "out")

    done = go_on("1 finished before, 2 failed", text, check=False)
    assert done.returncode == 1
    assert runs(root) == names and list(starts(root).values()) == [1, 2, 2]
    assert shown(new, "--state", "failed", "-m", "single", "out") == [f"out/{n}" for n in names[1:]]
    assert shown(new, "--state", "failed", "-k", "returncode", "out") == ["1", "137"]
    assert [row_of(root / name)["finished"] for name in names] == ["True", "False", "False"]


GATED = """\
import os, sys, time
folder, name, value = sys.argv[1:]
with open(os.path.join(folder, "started.txt"), "a") as file:
    file.write("x\\n")
while value != "--aa=1" and not os.path.exists(os.path.join(os.path.dirname(name), "gate")):
    time.sleep(0.01)
open(os.path.join(folder, "done.txt"), "w").close()
"""
GATED_MODULE = """\
def get_run_info():
    command = "python3 {script_dir}/gated.py {output_dir} {script_dir}/gated.py"
    return command, {"--aa": "--aa={--aa}"}, "output_dir", "done.txt"
"""


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_an_interrupted_study_goes_on(old_package, mini, tmp_path, go_on, new, starts):
    (tmp_path / "gated.py").write_text(GATED)
    mini.write_text(GATED_MODULE)
    root = tmp_path / "out"
    code = "import sys; from soops.run_parametric import main; sys.exit(main())"
    words = ["-n", "1", "-o", "out", TEXT, mini.name]
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    driver = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(old_package), "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: root.is_dir() and len(starts(root)) == 2)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    names = runs(root)
    assert len(names) == 3
    assert sorted(path.parent.name for path in root.glob("*/done.txt")) == names[:1]
    (tmp_path / "gate").touch()

    go_on("1 finished before, 2 done")
    assert runs(root) == names
    assert list(starts(root).values()) == [1, 2, 1]
    assert [row_of(root / name)["finished"] for name in names] == ["True"] * 3
    assert shown(new, "-k", "finished", "out") == ["True"] * 3


def test_to_run_nothing_calls_nothing_finished(study, go_on, new):
    name = runs(study)[1]
    (study / name / "done.txt").unlink()
    parameters = study / name / DAMAGED
    parameters.write_text(parameters.read_text().replace(",True,", ",False,"))
    go_on("3 finished before", TEXT, "-r", "0")
    assert row_of(study / name)["finished"] == "False"
    assert shown(new, "-k", "finished", "out") == ["True", "False", "True"]


# --- other places ------------------------------------------------------------------------


def test_a_study_that_was_moved_goes_on_where_it_is(study, mini, tmp_path, go_on, new, starts):
    names = runs(study)
    there = tmp_path / "elsewhere" / "deeper"
    there.mkdir(parents=True)
    for name in ("out", "mini.py", "program.sh"):
        shutil.move(tmp_path / name, there / name)
    go_on("3 finished before, 1 done", "--aa=[1, 2, 3, 4], output_dir='out/%s'", cwd=there)
    assert runs(there / "out")[:3] == names and len(runs(there / "out")) == 4
    assert list(starts(there / "out").values()) == [1] * 4
    assert not study.exists()
    found = new("find", "-m", "single", "out", cwd=there).stdout.splitlines()
    assert found == [f"out/{name}" for name in runs(there / "out")]


def test_a_root_that_was_renamed_goes_on_under_its_new_name(study, tmp_path, go_on, starts):
    names = runs(study)
    study.rename(tmp_path / "mv2")
    go_on("3 finished before", TEXT.replace("out/", "mv2/"))
    assert runs(tmp_path / "mv2") == names
    assert list(starts(tmp_path / "mv2").values()) == [1] * 3
    assert not list(study.glob("*-*"))


def test_a_study_goes_on_from_another_directory(study, tmp_path, go_on):
    away = tmp_path / "away"
    away.mkdir()
    for name in ("mini.py", "program.sh"):
        shutil.move(tmp_path / name, away / name)
    before = files_of(study)
    go_on("3 finished before", TEXT.replace("out/", "../out/"), cwd=away)
    assert files_of(study) == before


# --- copies ------------------------------------------------------------------------------


def test_copies_of_run_directories_are_no_runs(study, go_on, new, starts):
    names = runs(study)
    shutil.copytree(study / names[1], study / f"{names[1]}-bak")
    shutil.copytree(study / names[0], study / f"copy-of-{names[0]}")
    done = go_on("3 finished before, 1 done", "--aa=[1, 2, 3, 4], output_dir='out/%s'")
    assert f"it has the parameters of '{names[1]}', which counts" in done.stderr
    assert runs(study)[:2] == names[:2] and runs(study)[2] == f"{names[1]}-bak"
    assert runs(study)[3] == names[2] and runs(study)[4].startswith("003-")
    assert set(starts(study).values()) == {1}
    found = shown(new, "-m", "single", "out")
    assert [name for name in found if "bak" in name or "copy" in name] == []
    assert len(found) == 4


def test_a_copy_that_is_the_only_one_left_is_used(study, go_on, starts):
    names = runs(study)
    (study / names[1]).rename(study / f"{names[1]}-bak")
    go_on("3 finished before")
    assert runs(study) == [names[0], f"{names[1]}-bak", names[2]]
    assert set(starts(study).values()) == {1}


def test_a_backup_of_the_root_inside_the_root_is_no_part_of_it(study, go_on, new, starts):
    names = runs(study)
    shutil.copytree(study, study / "backup")
    for name in names:
        (study / name / "done.txt").unlink()
    go_on("3 done")
    assert runs(study) == names and list(starts(study).values()) == [2] * 3
    assert runs(study / "backup") == names and list(starts(study / "backup").values()) == [1] * 3
    go_on("3 finished before, 1 done", "--aa=[1, 2, 3, 4], output_dir='out/%s'")
    assert [name[:4] for name in runs(study)] == ["000-", "001-", "002-", "003-"]


def test_nested_studies_are_two_studies(old, mini, tmp_path, go_on, new, starts):
    old("run", "-n", "1", "-o", "out", TEXT.replace("out/", "ne/a/"), mini.name)
    inner = runs(tmp_path / "ne" / "a")
    go_on("3 done", TEXT.replace("out/", "ne/"))
    assert runs(tmp_path / "ne") == inner  # the same names, in their own places
    assert list(starts(tmp_path / "ne").values()) == [1] * 3
    assert list(starts(tmp_path / "ne" / "a").values()) == [1] * 3
    for text in ("ne/a/", "ne/"):
        go_on("3 finished before", TEXT.replace("out/", text))
    found = shown(new, "-m", "single", "ne")
    assert sorted(found) == sorted([f"ne/{n}" for n in inner] + [f"ne/a/{n}" for n in inner])


# --- damaged -----------------------------------------------------------------------------


def cut_in_header(data):
    return data[:20]


def header_only(data):
    return data[: data.index(b"\n") + 1]


def cut_in_row(data):
    return data[:-30]


def binary(data):
    return bytes(range(256)) * 3


def empty(data):
    return b""


def blank(data):
    return b"\n"


def of_another(data):
    head, row, _ = data.split(b"\n")
    return head + b"\n" + hashlib.md5(b"other").hexdigest().encode() + row[32:] + b"\n"


DAMAGES = [
    (empty, "it is empty"),
    (blank, "it is empty"),
    (header_only, "it has 1 lines, not 2"),
    (cut_in_header, "it is cut"),
    (cut_in_row, "it is cut"),
    (binary, "it is"),
    (of_another, "are those of another run"),
    (None, "there is no soops-parameters.csv"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
def test_a_damaged_parameters_file_is_said_and_its_run_known_by_its_name(
    study, go_on, new, starts, damage, reason, finished
):
    names = runs(study)
    path = study / names[1] / DAMAGED
    whole = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(whole))
    if not finished:
        (study / names[1] / "done.txt").unlink()
    rebuilt = new("index", "--rebuild", "out", check=False)
    assert rebuilt.returncode == 1
    (line,) = rebuilt.stdout.splitlines()
    assert names[1] in line and reason in line
    assert line.endswith(
        "its name says which run it is, and soops-run makes the file anew for that run"
    )

    text = "--aa=[1, 2, 3, 4], output_dir='out/%s'"
    go_on("3 finished before, 1 done" if finished else "2 finished before, 2 done", text)
    assert runs(study)[:3] == names
    assert [name[:4] for name in runs(study)] == ["000-", "001-", "002-", "003-"]
    assert list(starts(study).values()) == [1, 1 if finished else 2, 1, 1]
    # The file is as whole as it was.
    assert row_of(study / names[1]) == row_of_text(whole)
    assert new("index", "--rebuild", "out").stdout == ""
    assert shown(new, "-q", "aa == 2", "-m", "single", "out") == [f"out/{names[1]}"]


def row_of_text(data):
    return next(csv.DictReader(io.StringIO(data.decode())))


@pytest.mark.parametrize("damage", [empty, cut_in_header, cut_in_row, binary, None])
def test_all_parameters_files_damaged_at_once(study, go_on, new, starts, damage):
    names = runs(study)
    for name in names:
        path = study / name / DAMAGED
        path.unlink() if damage is None else path.write_bytes(damage(path.read_bytes()))
    rebuilt = new("index", "--rebuild", "out", check=False)
    assert len(rebuilt.stdout.splitlines()) == 3
    go_on("3 finished before, 1 done", "--aa=[1, 2, 3, 4], output_dir='out/%s'")
    assert runs(study)[:3] == names and len(runs(study)) == 4
    assert list(starts(study).values()) == [1] * 4
    assert shown(new, "-k", "aa", "out") == ["1", "2", "3", "4"]


def test_a_damaged_file_in_a_directory_without_a_key_is_left_out_and_said(study, go_on, new):
    folder = study / "renamed"
    folder.mkdir()
    (folder / DAMAGED).write_bytes(b"pkey,fin")
    rebuilt = new("index", "--rebuild", "out", check=False)
    (line,) = rebuilt.stdout.splitlines()
    assert "renamed" in line and line.endswith("it is cut; the directory is left out")
    go_on("3 finished before")


# --- before 2025-02 ----------------------------------------------------------------------


def drop_number(directory):
    """Make the parameters file what it was before 2025-02: without ``iset``."""
    lines = list(csv.reader(io.StringIO((directory / DAMAGED).read_text())))
    place = lines[0].index("iset")
    text = "".join(",".join(line[:place] + line[place + 1 :]) + "\n" for line in lines)
    (directory / DAMAGED).write_text(text)


@pytest.mark.parametrize("which", [slice(1, 2), slice(None)], ids=["one", "all"])
def test_directories_from_before_the_number_was_recorded(study, go_on, new, starts, which):
    names = runs(study)
    for name in names[which]:
        drop_number(study / name)
    (study / names[1] / "done.txt").unlink()
    go_on("2 finished before, 2 done", "--aa=[1, 2, 3, 4], output_dir='out/%s'")
    assert runs(study)[:3] == names and runs(study)[3].startswith("003-")
    assert list(starts(study).values()) == [1, 2, 1, 1]
    assert shown(new, "-k", "iset", "out") == ["0", "1", "2", "3"]


# --- numbers -----------------------------------------------------------------------------


def test_numbers_go_on_above_999(study, go_on, new, starts):
    """Names sort 1000 before 998; numbers do not."""
    names = runs(study)
    for number, name in zip((998, 999, 1001), names, strict=True):
        path = study / name / DAMAGED
        moved = f"{number}-{name[4:]}"
        text = path.read_text().replace(name, moved).replace(f",{name[:3]},", f",{number},")
        path.write_text(text)
        (study / name).rename(study / moved)
    go_on("3 finished before, 2 done", "--aa=[4, 1, 2, 3, 5], output_dir='out/%s'")
    numbers = sorted(int(name.split("-")[0]) for name in runs(study))
    assert numbers == [998, 999, 1001, 1002, 1003]
    assert set(starts(study).values()) == {1}
    assert shown(new, "-k", "iset", "out") == ["998", "999", "1001", "1002", "1003"]
    assert shown(new, "-k", "aa", "out") == ["1", "2", "3", "4", "5"]


# --- types and identities ----------------------------------------------------------------


def test_a_value_of_another_type_is_another_set(study, go_on, starts):
    names = runs(study)
    go_on("2 finished before, 1 done", "--aa=[1, '2', 3], output_dir='out/%s'")
    assert runs(study)[:3] == names and runs(study)[3].startswith("003-")
    go_on("4 finished before", "--aa=[1, 2, 3, '2'], output_dir='out/%s'")
    assert set(starts(study).values()) == {1}


COMPUTED = """

class Compute:
    def __init__(self, args, par_seqs, key_order, options):
        pass

    def __call__(self, pars):
        return {"--bb": VALUE}
"""


def with_value(mini, value):
    module = mini.read_text().split("\nclass Compute")[0].rstrip("\n") + "\n"
    mini.write_text(module + COMPUTED.replace("VALUE", value))


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("__import__('numpy').int64(10 * pars['--aa'])", "10 * pars['--aa']"),
        ("10 * pars['--aa']", "__import__('numpy').int64(10 * pars['--aa'])"),
        ("__import__('numpy').float64(0.5 * pars['--aa'])", "0.5 * pars['--aa']"),
        ("0.5 * pars['--aa']", "__import__('numpy').float64(0.5 * pars['--aa'])"),
    ],
)
def test_numpy_scalars_are_the_numbers_they_hold(old, mini, tmp_path, go_on, starts, then, now):
    with_value(mini, then)
    old("run", "-n", "1", "-o", "out", "--compute-pars=class=Compute", TEXT, mini.name)
    root = tmp_path / "out"
    names = runs(root)
    with_value(mini, now)
    go_on("3 finished before", TEXT, "--compute-pars=class=Compute")
    assert runs(root) == names and list(starts(root).values()) == [1] * 3

    # Run again, they keep their directories, and are found in them ever after.
    (root / names[1] / "done.txt").unlink()
    go_on("2 finished before, 1 done", TEXT, "--compute-pars=class=Compute")
    go_on("3 finished before", TEXT, "--compute-pars=class=Compute")
    assert runs(root) == names and list(starts(root).values()) == [1, 2, 1]
    assert [row_of(root / name)["pkey"] for name in names] == [name[4:] for name in names]


def test_an_optional_argument_that_was_added_leaves_directories_theirs(
    study, mini, go_on, new, starts
):
    names = runs(study)
    mini.write_text(mini.read_text().replace('"--name":', '"--more": "--more={--more}", "--name":'))
    (study / names[1] / "done.txt").unlink()
    go_on("2 finished before, 1 done")
    go_on("3 finished before")
    (study / ".soops" / "index.sqlite3").unlink()
    go_on("3 finished before")
    assert runs(study) == names and list(starts(study).values()) == [1, 2, 1]
    assert new("index", "--rebuild", "out").stdout == ""
