"""Clusters that a factory makes, and schedulers that are not there: what is said of them."""

from __future__ import annotations

import json
import sys

import pytest

import soops.cli
from soops.api import RunnerError, RunnerSetup, UsageError
from soops_builtin.runners.dask import cluster as dask_cluster
from soops_builtin.runners.dask.runner import DaskOptions, DaskRunner

STUDY = """\
[study]
command = ["touch", "{output_dir}/done.txt", "{output_dir}/{a}"]
output_dir = "runs/%s"
finished = "done.txt"

[parameters]
a = [1, 2, 3]
"""

FACTORIES = """\
import subprocess

closed = []


class Half:
    scheduler_address = "tcp://127.0.0.1:9"

    def close(self, timeout=None):
        closed.append(self)

    def scale(self, n):
        raise LookupError("no queue of that name")


def number(**kwargs):
    return 42


def refuses(**kwargs):
    raise subprocess.CalledProcessError(1, "sbatch")


value = "tcp://127.0.0.1:9"
"""


@pytest.fixture
def soops_run(tmp_path, monkeypatch, capfd):
    """Return ``soops_run(*words) -> (code, err)`` in a directory with a study and factories."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "soops_factories.py").write_text(FACTORIES)

    def run(*words):
        code = soops.cli.main(["run", "--runner", "dask", *words, "study.toml"])
        return code, capfd.readouterr().err

    yield run
    sys.modules.pop("soops_factories", None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("number", "gives no dask cluster but int (without scheduler_address, close)"),
        ("value", "gives no dask cluster but str"),
        ("refuses", "soops_factories:refuses failed: CalledProcessError"),
        ("Half", "cannot be scaled: LookupError: no queue of that name"),
    ],
)
def test_what_is_no_cluster_is_named(soops_run, tmp_path, name, words):
    code, err = soops_run("--runner-opt", f"cluster=soops_factories:{name}")

    assert code == 5
    assert words in err
    assert "Traceback" not in err and len(err.splitlines()) <= 3
    assert not (tmp_path / "runs").exists(), "nothing is written before there is a cluster"
    assert len(sys.modules["soops_factories"].closed) == (name == "Half")


def test_a_factory_that_is_not_there_is_a_matter_of_usage(soops_run):
    code, err = soops_run("--runner-opt", "cluster=soops_factories:nothing")

    assert code == 2
    assert "soops_factories:nothing" in err and "give module:name" in err


@pytest.mark.parametrize("option", ["scheduler=tcp://127.0.0.1:9", "scheduler_file=no.json"])
def test_how_long_a_scheduler_was_waited_for_is_said(soops_run, tmp_path, monkeypatch, option):
    monkeypatch.setattr(dask_cluster, "CONNECT", 0.3)

    code, err = soops_run("--runner-opt", option)

    assert code == 5
    assert f"no dask cluster at {option.partition('=')[2]} (waited 0.3 s)" in err
    assert "Traceback" not in err and len(err.splitlines()) <= 3
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_file_without_an_address_is_waited_for_too(tmp_path, monkeypatch, text):
    monkeypatch.setattr(dask_cluster, "CONNECT", 0.1)
    file = tmp_path / "scheduler.json"
    file.write_text(text)

    with pytest.raises(RunnerError, match=r"scheduler\.json \(waited 0\.1 s\)"):
        DaskRunner(RunnerSetup(options=DaskOptions(scheduler_file=str(file))))


def test_a_file_that_names_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "CONNECT", 0.3)
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": "tcp://127.0.0.1:9"}))

    with pytest.raises(RunnerError, match="no dask cluster"):
        DaskRunner(RunnerSetup(options=DaskOptions(scheduler_file=str(file))))


def test_a_module_that_fails_is_named(tmp_path, monkeypatch):
    (tmp_path / "soops_broken_factory.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match="ZeroDivisionError"):
        DaskRunner(RunnerSetup(options=DaskOptions(cluster="soops_broken_factory:make")))


@pytest.mark.parametrize("text", ["3", "a-b", "3-1", "0-0", "-1", "1-", "1-2-3"])
def test_bounds_that_are_none(text):
    with pytest.raises(ValueError, match=f"adapt={text}|adapt='{text}'"):
        DaskOptions(adapt=text)


def test_bounds_are_for_clusters_made_here():
    assert DaskOptions(adapt="0-20").bounds() == (0, 20)
    with pytest.raises(ValueError, match="made here"):
        DaskOptions(adapt="0-20", scheduler="tcp://h:1")
