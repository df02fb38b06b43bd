"""The steps of a study and of a scoop, one by one, and the runners of functions."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pandas as pd
import psutil
import pytest

import soops.print_info as pi
import soops.run_parametric as rp
import soops.scoop_outputs as sc
from soops.api import SoopsError, StudyError
from soops.runners import DaskRunner, Runner, ThreadPoolRunner

TEMPLATES = {"--a": " --a={--a} ", "--b": "--b", "--c": "--c={--c}"}
VALUES = {"x": 1, "output_dir": "o", "--a": 1.5, "--b": "@defined", "--c": "@undefined"}


# --- commands ------------------------------------------------------------------------------


def test_a_command_is_made():
    made = rp.make_cmd("  python3 {x} {output_dir} ", TEMPLATES, VALUES)
    assert made == 'python3 1 o "--a=1.5" "--b"'
    assert rp.make_cmd("p", ["--b", "--c={--c}"], {"--c": 2}) == 'p "--c=2"'
    assert rp.make_cmd(["p", "{out}"], {}, {"out": "a b"}, "out") == ("p", "a b")


def test_values_reach_the_program_as_they_are(tmp_path):
    value = "q\"q $HOME `id` \\ 'x'"
    command = rp.make_cmd(
        "printf %s", {"--a": "{--a}"}, {"--a": value, "output_dir": str(tmp_path / "a b")}
    )
    assert subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True).stdout == (
        value
    )
    made = rp.make_cmd("cat {output_dir}/x", {}, {"output_dir": "a b"})
    assert made == "cat 'a b'/x"


def test_a_command_without_its_value_is_an_error():
    with pytest.raises(StudyError, match="'x'"):
        rp.make_cmd("p {x}", {}, {})


def test_the_keys_of_templates():
    command = "python3 {x} {output_dir} {script_dir}"
    assert pi.collect_keys(command, {"--a": "--a={--a}"}) == [
        "--a",
        "output_dir",
        "script_dir",
        "x",
    ]
    assert rp.collect_keys(command, ["--a={--a}", "--b"], ("x", "script_dir")) == [
        "--a",
        "--b",
        "output_dir",
    ]
    assert pi.collect_keys(["p", "{x:.3f}", "{{no}}"], {}) == ["x"]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_run_script_works_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    rp.gen_run_script("run", """echo "it's" '$X' > done; exit 3""")
    monkeypatch.chdir("/")

    done = subprocess.run([tmp_path / "run" / "run.py"], timeout=60)

    assert done.returncode == 3
    assert (tmp_path / "done").read_text() == "it's $X\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell command")
def test_a_command_is_run_with_a_time_limit(tmp_path):
    done = rp.run_with_psutil("exit 3", Namespace(timeout=None))
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.args, done.returncode) == ("exit 3", 3)

    pid = tmp_path / "pid"
    command = f"(trap '' TERM; sleep 1000) & echo $! > {pid}; exec sleep 1000"
    late = rp.run_with_psutil(command, Namespace(timeout=0.5))
    assert isinstance(late, psutil.TimeoutExpired)
    assert late.seconds == 0.5
    assert "timeout after 0.5 seconds" in str(late)
    assert not psutil.pid_exists(int(pid.read_text()))


# --- studies ----------------------------------------------------------------------------------

FILE = """\
[short]
output_dir = 'out/%s'
--Num = [1, 2]
seed = '@arange(3)'
mail = '@@me'

[long]
x = ${short:seed}

[short.@generate]
function = make
"""


def test_the_values_of_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.cfg").write_text(FILE)
    values, parser, names = rp.get_study_conf("s.cfg", extra_conf={"y": 1})
    assert values == {
        "output_dir": "out/%s",
        "--Num": [1, 2],
        "seed": "@arange(3)",
        "mail": "@@me",
        "y": 1,
    }
    assert names == ["short", "long", "short.@generate"]
    assert parser["short.@generate"]["function"] == "make"
    assert list(parser["short"])[1] == "--Num"
    assert rp.get_study_conf("s.cfg", "long")[0] == {"x": "@arange(3)"}
    assert rp.get_study_conf("a=1, b=@defined") == ({"a": 1, "b": "@defined"}, None, [])
    with pytest.raises(SoopsError, match="lang"):
        rp.get_study_conf("s.cfg", "lang")


# --- scoops -----------------------------------------------------------------------------------


def load(filename, rdata=None):
    text = Path(filename).read_text()
    if text == "bad":
        raise ValueError("it is bad")
    return {"size": len(text)}


def count(df, data=None, by=1):
    data.count = by * len(df)
    return data


def keep(df, data=None):
    df["more"] = 1


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Three directories, each with a file."""
    monkeypatch.chdir(tmp_path)
    for number, text in enumerate(["a", "bb", "bad"]):
        (tmp_path / f"r{number}").mkdir()
        (tmp_path / f"r{number}" / "x.txt").write_text(text)
    return tmp_path


def test_directories_become_a_table_that_can_be_updated(runs):
    info = [("x.txt", load, True)]
    df, mdf, par_keys = sc.apply_scoops(info, ["r0", "r[12]"])

    assert list(df["size"])[:2] == [1, 2]
    assert list(df["rfiles"]) == [["x.txt"], ["x.txt"], []]
    assert par_keys == {"size"}
    assert len(mdf) == 3
    with pytest.raises(ValueError, match="it is bad"):
        sc.apply_scoops(info, ["r2"], debug_mode=True)
    with pytest.raises(StudyError, match="nowhere"):
        sc.apply_scoops(info, ["nowhere"])

    (runs / "r2" / "x.txt").write_text("good")
    df, mdf, par_keys = sc.apply_scoops(info, ["r0/", "./r1", "r2"], False, df, mdf, par_keys)
    assert list(df["size"]) == [1, 2, 4]
    assert (len(mdf), par_keys) == (3, {"size"})
    assert all(len(part) == 0 for part in sc.apply_scoops(info, []))


def test_a_table_is_post_processed_and_stored(runs):
    df, mdf, par_keys = sc.apply_scoops([("x.txt", load, True)], ["r0", "r1"])
    data = sc.run_plugins([count, keep], df, "out", par_keys, "x.h5", {"count": {"by": 10}})

    assert data.count == 20
    assert (data.output_dir, data.store_filename) == ("out", "x.h5")
    assert data.par_uniques == {"size": [1, 2]}
    assert list(df["more"]) == [1, 1]
    with pytest.raises(TypeError):
        sc.run_plugins([count], df, "out", par_keys, "x.h5", {"count": {"no": 1}})

    sc.write_results("x.h5", df, mdf, par_keys)
    assert list(pd.read_hdf("x.h5", "df")["more"]) == [1, 1]
    assert list(pd.read_hdf("x.h5", "par_keys")) == ["size"]
    with pytest.raises(StudyError, match="nothing"):
        sc.write_results("x.nothing", df, mdf, par_keys)


# --- runners ----------------------------------------------------------------------------------


def test_functions_run_on_threads():
    for name in ("threadpool", "local"):
        runner = Runner.any_from_options(Namespace(runner=name, n_workers=2, cluster_kwargs={}))
        assert isinstance(runner, ThreadPoolRunner)
        futures = [runner.submit(pow, 2, number) for number in range(5)]
        assert sorted(item.result() for item in runner.as_completed(futures)) == [1, 2, 4, 8, 16]
        runner.close()
        with pytest.raises(RuntimeError):
            runner.submit(pow, 2, 3)
    assert rp.Runner is Runner
    assert (Runner.name, ThreadPoolRunner.name, DaskRunner.name) == ("", "threadpool", "dask")


def test_functions_run_on_a_dask_cluster():
    runner = DaskRunner(1, {"processes": False, "threads_per_worker": 1})
    try:
        futures = [runner.submit(pow, 2, number) for number in range(3)]
        assert sorted(item.result() for item in runner.as_completed(futures)) == [1, 2, 4]
    finally:
        runner.close()


def test_an_unknown_runner_is_told():
    with pytest.raises(SoopsError, match="did you mean 'dask'"):
        Runner.any_from_options(Namespace(runner="dsk", n_workers=2, cluster_kwargs={}))


def test_dask_may_be_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SoopsError, match="needs dask"):
        DaskRunner(1, {})
