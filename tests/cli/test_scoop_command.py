"""``soops scoop``: its options, its exit codes, its JSON."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from soops.cli.scoop import json_rows, names


@pytest.fixture
def scooped(study_dir, typed, tmp_path):
    """Return what scoops the study into a directory of its own."""

    def scoop(*words):
        return typed("soops-scoop", "-o", str(tmp_path / "res"), *words, "mod.py", "out/runs")

    return scoop


def test_the_table_and_the_steps(scooped, tmp_path):
    result = scooped("-s=rdir")

    assert result.code == 0
    assert result.out == "a step prints\n"
    assert "results directories: 7" in result.err
    frame = pd.read_hdf(tmp_path / "res" / "results.h5", "df")
    assert list(frame["number"]) == [0, 1, 2, 3, 4, 5, 6]


def test_json_has_an_object_for_each_row(scooped):
    result = scooped("--json", "-s", "rdir")

    rows = result.json()
    assert [row["number"] for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    assert rows[0]["text"] == "value = 1" and rows[0]["none"] is None
    assert rows[2]["text"] is None and rows[2]["state"] == "failed"
    assert "a step prints" in result.err, "standard output carries JSON only"


def test_strict_minds_files_that_could_not_be_read(scooped):
    assert scooped("--no-plugins").code == 0
    assert scooped("--no-plugins", "--strict").code == 1


def test_a_step_that_fails_is_1(scooped, tmp_path):
    result = scooped("--plugin-args=shout={fail=True}")

    assert result.code == 1
    assert "no plot" in result.err
    assert (tmp_path / "res" / "results.h5").exists()


def test_all_options_reach_the_scoop(monkeypatch, typed, project):
    import soops.study
    from soops.api import Scooped
    from soops.kernel.table.options import ScoopOptions

    seen = {}

    def scoop(module, directories, *, app, say, plugin_module, **options):
        seen.update(options, module=module, directories=directories, plugin_module=plugin_module)
        ScoopOptions(**options)
        return Scooped(frame=None, meta=None, parameter_keys=())

    monkeypatch.setattr(soops.study, "scoop", scoop)
    words = ["-s=a,'b c'", "--filter=x.txt", "--use-plugins=p, q", "--plugin-args=p={k=1}"]
    words += ["-n4", "--results=r.csv", "--no-csv", "-u", "--write", "--write-after-plugins"]
    words += ["--debug", "-p", "post.py", "-o=res"]

    assert typed("soops-scoop", *words, "mod.py", "a", "b*").code == 0

    assert seen == {
        "module": "mod.py",
        "directories": ("a", "b*"),
        "plugin_module": "post.py",
        "sort": ("a", "b c"),
        "filter": ("x.txt",),
        "n_workers": 4,
        "results": Path("r.csv"),
        "output_dir": Path("res"),
        "save_csv": False,
        "reuse": False,
        "update": True,
        "write": True,
        "write_after_plugins": True,
        "call_plugins": True,
        "use_plugins": ("p", "q"),
        "omit_plugins": (),
        "plugin_args": {"p": {"k": 1}},
        "debug": True,
    }


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["mod.py", "nowhere"], 3, "nowhere"),
        (["mood.py", "out"], 3, "did you mean 'mod.py'"),
        (["mod.py"], 2, "DIRECTORY"),
        (["--use-plugins=shuot", "mod.py", "out/runs"], 2, "did you mean 'shout'"),
        (["--plugin-args=shout", "mod.py", "out/runs"], 3, "--plugin-args"),
        (["-s=[", "mod.py", "out/runs"], 3, "--sort"),
        (["--results=x.nothing", "mod.py", "out/runs"], 3, ".nothing"),
    ],
)
def test_mistakes_write_nothing(words, code, said, study_dir, typed, tmp_path):
    result = typed("soops-scoop", "-o", str(tmp_path / "res"), *words)

    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert not (tmp_path / "res").exists()


def test_debug_shows_where_it_happened(study_dir, tmp_path):
    words = ["scoop", "--debug", "--plugin-args=shout={fail=True}", "-o", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-m", "soops", *words, "mod.py", "out/runs/000*"],
        input="p 'in ' + 'here', fail\nq\n",
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert "ValueError: no plot" in done.stderr
    assert "('in here', True)" in done.stdout


def test_the_shell_has_the_table(study_dir, tmp_path):
    words = ["scoop", "--shell", "--no-plugins", "-o", str(tmp_path), "mod.py", "out/runs"]

    done = subprocess.run(
        [sys.executable, "-m", "soops", *words],
        input="print('rows', len(df), len(mdf), par_keys)\n",
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0
    assert "rows 7 " in done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ()),
        ("", ()),
        ("rdir", ("rdir",)),
        ("a, b,", ("a", "b")),
        ("'--num', --n-cell", ("--num", "--n-cell")),
        ("x.txt,out_*.npz", ("x.txt", "out_*.npz")),
    ],
)
def test_words_of_a_list(text, expected):
    assert names(text, "--sort") == expected


def test_values_of_a_table_as_json():
    frame = pd.DataFrame(
        {
            "int": [1, 2],
            "real": [0.5, math.nan],
            "inf": [math.inf, -math.inf],
            "flag": [True, False],
            "none": [None, "x"],
            "array": [np.array([1.0, math.nan]), [np.int64(3), (1, 2)]],
            "dict": [{"a": np.float64(2)}, {1}],
            "time": [pd.Timestamp("2026-01-02 03:04:05"), pd.NaT],
            "missing": pd.array([1, pd.NA], dtype="Int64"),
            "other": [1 + 2j, Path("p")],
        }
    )

    first, second = json_rows(frame)

    assert first == {
        "int": 1,
        "real": 0.5,
        "inf": None,
        "flag": True,
        "none": None,
        "array": [1.0, None],
        "dict": {"a": 2.0},
        "time": "2026-01-02T03:04:05",
        "missing": 1,
        "other": "(1+2j)",
    }
    assert second == {
        "int": 2,
        "real": None,
        "inf": None,
        "flag": False,
        "none": "x",
        "array": [3, [1, 2]],
        "dict": [1],
        "time": None,
        "missing": None,
        "other": "p",
    }
    for row in (first, second):
        assert all(type(value).__module__ == "builtins" for value in row.values())
