"""Defects of soops 2026.2, by their number in docs/differences.md: options files and scoop."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tables

import soops as so
import soops.cli
from soops.ioutils import load_options

#: What scoops the runs of the study ``mini``: their parameters and words.
SCOOP = """
import soops.scoop_outputs as sc

def get_scoop_info():
    return [('soops-parameters.csv', sc.load_soops_parameters, True), ('words.bin', scrape)]

def scrape(filename, rdata=None):
    with open(filename) as fd:
        return {'words': fd.read().strip('\\0'), 'length': 1}
"""


@pytest.fixture(scope="module")
def copies(tmp_path_factory) -> Path:
    """Return where the runs are kept after the first test, to be copied for the others."""
    return tmp_path_factory.mktemp("copies")


@pytest.fixture
def study(mini, copies):
    """Return a study of three runs: 3, 1, 2."""
    mini.write("scoop_mod.py", SCOOP)
    if not (copies / "out").exists():
        assert mini.run("--aa=[3, 1, 2]").code == 0
        shutil.copytree("out", copies / "out")
    else:
        shutil.copytree(copies / "out", "out")
    return mini


@pytest.fixture
def scooped(study):
    """Return that study with its table in st."""
    assert scoop(study, "out", "-o", "st").code == 0
    return study


def scoop(study, *words: str, module: str = "scoop_mod.py"):
    return study.call(soops.cli.scoop_main, module, *words)


def frame(name: str = "st") -> pd.DataFrame:
    return pd.read_hdf(Path(name) / "results.h5", "df")


def meta(name: str = "st") -> pd.DataFrame:
    return pd.read_hdf(Path(name) / "results.h5", "mdf")


def files(folder: str = "st") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def errors(done) -> list[str]:
    """Return the error and all that follows."""
    assert "Traceback" not in done.err
    lines = done.err.splitlines()
    return lines[next(at for at, line in enumerate(lines) if line.startswith("error:")) :]


# --- D35: load_options -------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_d35_nothing_in_an_options_file_is_run(here):
    code = "__import__('os').system('touch canary')"

    so.save_options("options.txt", [("options", {"a": code})])

    assert load_options("options.txt") == {"a": code}
    assert not Path("canary").exists()


@pytest.mark.parametrize(
    "text",
    [
        *("max", "id", "len", "os", "data", "options", "ii", "2020-10-12", "3/4", "0x10"),
        *("1.10", "a : b", " blank before", "007", "1e5"),
    ],
)
def test_d35_a_text_among_options_stays_the_text(here, text):
    so.save_options("options.txt", [("options", {"a": text, "b": "next"})])

    assert load_options("options.txt") == {"a": text, "b": "next"}


@pytest.mark.parametrize(
    "value", ["", "one\ntwo\n  three", 0.75, -3, None, True, [1, "x"], math.inf]
)
def test_d35_what_was_saved_is_loaded(here, value):
    so.save_options("options.txt", [("options", {"a": value, "b": 1})])

    assert load_options("options.txt") == {"a": value, "b": 1}


def test_d35_nan_is_a_number(here):
    so.save_options("options.txt", [("options", {"a": math.nan})])

    assert math.isnan(load_options("options.txt")["a"])


def test_d35_a_later_group_is_no_option(here):
    groups = [("options", {"a": 1}), ("more", {"b": 2})]
    so.save_options("options.txt", groups)

    assert load_options("options.txt") == {"a": 1, "b": 2}


def test_d35_a_file_that_ends_with_the_word_options_has_none(here):
    Path("options.txt").write_text("command line\n------------\n\nx\n\noptions\n")

    assert load_options("options.txt") == {}


# --- D36: good results stay --------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["-s", "words"], ["--filter=words.bin"], ["out"]])
def test_d36_a_mistyped_directory_leaves_good_results_as_they_are(study, words):
    Path("st").mkdir()
    Path("st/results.h5").write_bytes(b"good results")
    before = files()

    done = scoop(study, "nodirr", *words, "-o", "st")

    assert (done.code, errors(done)) == (3, ["error: the directory 'nodirr' does not exist"])
    assert files() == before


def test_d36_a_directory_without_runs_leaves_good_results_as_they_are(scooped):
    study = scooped
    before = files()
    Path("empty").mkdir()

    done = scoop(study, "empty", "-o", "st")

    assert "Traceback" not in done.err
    assert files() == before


def test_d36_a_value_that_cannot_be_stored_leaves_good_results_as_they_are(scooped):
    study = scooped
    before = files()
    study.write(
        "lock.py",
        "import threading\n" + SCOOP.replace("'length': 1", "'length': threading.Lock()"),
    )

    done = scoop(study, "out", "-o", "st", module="lock.py")

    assert (done.code, errors(done)) == (
        3,
        [
            "error: the column 'length' holds what cannot be stored: "
            "TypeError: cannot pickle '_thread.lock' object",
            "  in st/results.h5",
            "  hint: return numbers, texts, lists, dicts or arrays from the scoop function",
        ],
    )
    assert files() == before
    assert scoop(study, "out", "-r", "-o", "st").code == 0


# --- D37: -r and -u ----------------------------------------------------------------------


def test_d37_reuse_says_what_is_stale(scooped):
    study = scooped
    assert "warning" not in scoop(study, "out", "-r", "-o", "st").err
    study.run("--aa=[3, 1, 2, 4]")
    shutil.rmtree(study.directories()[0])

    done = scoop(study, "out", "-r", "-o", "st")

    assert done.code == 0
    assert (
        "warning: the stored table is not up to date (new directories: 1, changed: 0, gone: 1); "
        "--update reads them"
    ) in done.err.splitlines()


def test_d37_reuse_names_a_directory_that_is_not_there(scooped):
    study = scooped

    done = scoop(study, "nodirr", "-r", "-o", "st")

    assert "warning: the directory 'nodirr' does not exist" in done.err
    assert len(frame()) == 3


@pytest.mark.parametrize("given", [["out/"], ["{}/out"], ["out", "out/001*", "./out/"]])
def test_d37_update_reads_only_what_is_new_however_directories_are_given(scooped, given):
    study = scooped
    study.run("--aa=[3, 1, 2, 4]")
    shutil.rmtree(study.directories()[0])

    done = scoop(study, *[word.format(study.folder) for word in given], "-u", "-o", "st")

    assert done.code == 0
    assert "results directories: 3 (new: 1, changed: 0, gone: 1)" in done.err.splitlines()
    assert list(frame()["--aa"]) == [1, 2, 4]


def test_d37_update_needs_no_output_dir_column_and_reads_failed_files_again(study):
    study.write(
        "picky.py",
        "import os\n"
        "def get_scoop_info():\n"
        "    return [('words.bin', scrape)]\n"
        "def scrape(filename, rdata=None):\n"
        "    if not os.path.exists('good'):\n"
        "        raise ValueError('not yet')\n"
        "    return {'x': 5}\n",
    )
    scoop(study, "out", "-o", "st", module="picky.py")
    Path("good").touch()

    assert scoop(study, "out", "-u", "-o", "st", module="picky.py").code == 0

    assert list(frame()["x"]) == [5, 5, 5]


# --- D38: errors -------------------------------------------------------------------------

BAD = """
import functools
import sys

def get_scoop_info():
    import soops.scoop_outputs as sc
    return [
        ('soops-parameters.csv', sc.load_soops_parameters, True),
        ('words.bin', bad),
        ('log.txt', lambda name, rdata=None: {'m': 7}),
    ]

def bad(name, rdata=None):
    number = rdata['--aa']
    if number == 1:
        raise KeyError('repeat')
    if number == 2:
        return [1, 2]
    if number == 3:
        sys.exit(3)
    return {'n': 12345678901234567}

def boom(df, data=None):
    raise ValueError('no plot')

def fine(df, data=None, x=1):
    print('fine ran with', x)
    return 5

def get_plugin_info():
    return [boom, functools.partial(fine, x=2), fine]
"""


@pytest.fixture
def bad(study):
    study.write("bad.py", BAD)
    study.run("--aa=[3, 1, 2, 4]")
    return study


def test_d38_what_a_scoop_function_did_wrong_is_told_in_full(bad):
    done = scoop(bad, "out", "-o", "st", "--no-plugins", module="bad.py")

    lines = done.err.splitlines()
    assert done.code == 0
    assert "failed: 3 items in 3 of 4 directories" in lines
    for said in ("KeyError: 'repeat' (bad.py:", "SystemExit: 3 (bad.py:", "TypeError: "):
        assert sum(line.startswith(said) for line in lines) == 1, said
    found = frame()
    assert list(found["m"]) == [7, 7, 7, 7], "the other files of these directories are read"
    assert found["n"].iloc[3] == 12345678901234567, "and no int becomes a float"
    assert [pd.isna(value) for value in found["n"]] == [True, True, True, False]
    assert sum(text != "" for text in meta()["error"]) == 3
    assert scoop(bad, "out", "--strict", "--no-plugins", module="bad.py").code == 1


def test_d38_a_step_that_fails_stops_no_other_and_is_exit_1(bad):
    done = scoop(bad, "out", "-o", "st", module="bad.py")

    assert done.code == 1
    assert "ValueError: no plot" in done.out + done.err
    assert [line for line in done.out.splitlines() if line.startswith("fine ran")] == [
        "fine ran with 2",
        "fine ran with 1",
    ]
    assert len(frame()) == 4, "the table was stored before"


def test_d38_no_step_at_all_is_no_error(bad):
    assert scoop(bad, "out", "-o", "st", "--omit-plugins=boom,fine", module="bad.py").code == 0


# --- D39: columns ------------------------------------------------------------------------

COLUMNS = """
import numpy as np

def get_scoop_info():
    import soops.scoop_outputs as sc
    return [('soops-parameters.csv', sc.load_soops_parameters, True), ('words.bin', scrape)]

def scrape(name, rdata=None):
    return {
        'time': 7.5, 'rdir': 'mine', 'rfiles': 'own', 'big': np.arange(1500.0),
        5: 'five', (1, 2): 'pair', 'd': {'x': [1, 2]}, 'l': [1, 2],
    }
"""


def test_d39_columns_of_scoop_functions_are_kept(study):
    study.write("columns.py", COLUMNS)

    assert scoop(study, "out", "-o", "st", module="columns.py").code == 0

    first = frame().iloc[0]
    assert first["time"] == 7.5
    assert Path(first["rdir"]).name == study.directories()[0].name
    assert first["rfiles"] == ["soops-parameters.csv", "words.bin"]
    assert (first["scooped_rdir"], first["scooped_rfiles"]) == ("mine", "own")
    assert (first[5], first[(1, 2)]) == ("five", "pair")
    assert (first["d"], first["l"]) == ({"x": [1, 2]}, [1, 2])
    assert np.array_equal(first["big"], np.arange(1500.0))
    assert isinstance(first["soops_time"], pd.Timestamp)


def test_d39_a_long_array_is_whole_in_results_csv(study):
    study.write("columns.py", COLUMNS)
    scoop(study, "out", "-o", "st", module="columns.py")

    with open("st/results.csv", newline="") as file:
        rows = list(csv.DictReader(file))

    for row in rows:
        assert json.loads(row["big"]) == list(range(1500))


def test_d39_the_order_of_parameter_keys_is_that_of_the_run(study):
    """It was another one in each process."""
    scoop(study, "out", "-o", "st")

    keys = list(pd.read_hdf("st/results.h5", "par_keys"))

    with (study.directories()[0] / "soops-parameters.csv").open() as file:
        assert keys == file.readline().strip().split(",")


class Evil:
    def __reduce__(self):
        return os.system, ("touch canary",)


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_d39_a_crafted_results_file_runs_nothing(study):
    scoop(study, "out", "-o", "st")
    with tables.open_file("st/results.h5", "a") as file:
        file.get_node("/df")._v_attrs["pandas_type"] = Evil()

    done = scoop(study, "out", "-r", "-o", "st")

    assert not Path("canary").exists()
    assert done.code == 3
    first, *_ = errors(done)
    assert first.startswith("error: ") and "could run code: posix.system" in first
    with pytest.raises(TypeError):  # pandas fails, but has run it
        pd.read_hdf("st/results.h5", "df")
    assert Path("canary").exists()


# --- D40: metadata -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["-s=--aa"], ["--filter=words.bin"], ["-s=--aa", "--filter=words.bin"]]
)
def test_d40_data_row_is_the_row_after_sorting_and_filtering(study, words):
    if len(words) == 1 and words[0].startswith("-s"):
        expected = [1, 2, 3]
    else:
        (study.directories()[1] / "words.bin").unlink()  # that of --aa=1
        expected = [3, 2] if len(words) == 1 else [2, 3]

    assert scoop(study, "out", "-o", "st", *words).code == 0

    table, about = frame(), meta()
    assert list(table["--aa"]) == expected
    assert set(about["data_row"]) == set(range(len(expected)))
    for row, name in zip(about["data_row"], about["filename"], strict=True):
        assert os.path.dirname(name) == table["rdir"].iloc[int(row)]


# --- D41: directories --------------------------------------------------------------------


@pytest.mark.parametrize("home", ["/", "{}/out/.."])
def test_d41_rdir_is_the_directory_whatever_home_is(study, monkeypatch, home):
    monkeypatch.setenv("HOME", home.format(study.folder))

    scoop(study, "out", "-o", "st")

    directories = [Path(name) for name in frame()["rdir"]]
    assert all(path.is_dir() for path in directories)
    assert [path.name for path in directories] == [path.name for path in study.directories()]


def test_d41_a_directory_without_the_first_file_has_its_row(study):
    study.write(
        "reverse.py",
        SCOOP.replace("return [(", "return [('words.bin', scrape), (").replace(
            ", ('words.bin', scrape)]", "]"
        ),
    )
    (study.directories()[1] / "words.bin").unlink()

    done = scoop(study, "out", "-o", "st", module="reverse.py")

    assert "failed: 1 items in 1 of 3 directories" in done.err.splitlines()
    assert list(frame()["--aa"]) == [3, 1, 2]
    assert list(frame()["words"].fillna("")) == ["--aa=3", "", "--aa=2"]


def test_d41_a_pattern_gives_one_row_and_is_no_file_name_when_nothing_matches(study):
    study.write(
        "wild.py",
        "def get_scoop_info():\n"
        "    return [('[ls]*.txt', many), ('none*.dat', never)]\n"
        "def many(names, rdata=None):\n"
        "    return {'files': sorted(name.rsplit('/', 1)[1] for name in names)}\n"
        "def never(name, rdata=None):\n"
        "    open('called', 'w').close()\n",
    )

    done = scoop(study, "out", "out/000*", "./out/", "-o", "st", module="wild.py")

    assert not Path("called").exists()
    assert "FileNotFoundError: no file matches 'none*.dat'" in done.err
    texts = ["log.txt", "stderr.txt", "stdout.txt"]
    assert list(frame()["files"]) == [texts] * 3, "overlapping arguments are one row, too"


def test_d41_directories_of_results_are_made(study):
    assert scoop(study, "out", "--results", "else/where/x.h5", "-o", "new/dir").code == 0

    assert len(pd.read_hdf("else/where/x.h5", "df")) == 3
    assert Path("new/dir/results.csv").is_file()
