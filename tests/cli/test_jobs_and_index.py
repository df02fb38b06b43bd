"""``soops jobs`` and ``soops index``: how studies stand, and whether their index is right."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from soops import study

KEYS = ["root", "state", "alive", "pid", "host", "total", "finished", "counts", "running"]
KEYS += ["started", "ended", "active", "cwd", "argv"]


STUDY = "output_dir='out/runs/%s', --n-cell=1, --mode=[ok, hang, hung]"


@pytest.fixture
def driver(project):
    """Start a study that hangs after its first run; yield its driver."""
    process = subprocess.Popen(
        [sys.executable, "-m", "soops", "run", "--grace=0.1", "-n2", STUDY, "mod.py"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ,
    )
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    process.stderr.close()


def wait_for(condition, seconds=60):
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)
    return found


def is_under_way(info):
    return info.alive and info.counts == {"done": 2, "running": 1}


def test_a_study_that_runs_is_found_by_itself(driver, project, typed):
    (info,) = wait_for(lambda: [item for item in study.jobs() if is_under_way(item)])

    line = typed("soops-jobs").out
    verbose = typed("soops-jobs", "-v").out.splitlines()
    most = typed("soops-jobs", "-vvv").out.splitlines()
    (item,) = typed("soops-jobs", "--json").json()

    root = project / "out" / "runs"
    assert line == f"{driver.pid} running 2/3 {root}\n"
    assert verbose[0].startswith(f"job: {driver.pid} (running)")
    assert verbose[1:4] == [f"working directory: {project}", f"output in: {root}", "finished: 2/3"]
    assert most[: len(verbose)] == verbose
    assert most[-2].startswith("command line: soops run --grace=0.1 -n2 ")
    assert re.fullmatch(rf"last log: {re.escape(str(root))}/\d{{3}}-\w+/std(out|err).txt", most[-1])
    assert list(item) == KEYS
    assert (item["state"], item["alive"], item["pid"]) == ("running", True, driver.pid)
    assert item["counts"] == {"done": 2, "running": 1}
    assert [name[:3] for name in item["running"]] == ["001"]
    assert item["argv"][:2] == ["soops", "run"]
    assert info.command_line.startswith("soops run")


def test_a_driver_that_was_killed_has_died(driver, project, typed):
    wait_for(lambda: [item for item in study.jobs() if is_under_way(item)])
    driver.kill()
    driver.wait(timeout=60)

    running = typed("soops-jobs")
    (item,) = typed("soops-jobs", "--json", "--all").json()
    found = typed("soops-find", "--json", "--state", "lost", "out").json()

    assert (running.out, running.err) == ("", "no study is running; --all shows the others\n")
    assert (item["state"], item["alive"], item["running"]) == ("died", False, [])
    assert item["counts"] == {"done": 2, "lost": 1}
    assert [(run["cause"], run["decision"]) for run in found] == [("interrupted", "rerun")]


def test_a_study_that_ended_is_shown_when_named(study_dir, typed):
    assert typed("soops-jobs").out == ""
    by_root = typed("soops-jobs", "out/runs").out
    everything = typed("soops-jobs", "--all").out

    assert re.fullmatch(r"\d+ ended 2/1 out/runs\n", by_root)
    assert everything.endswith(f" ended 2/1 {study_dir}/out/runs\n")
    assert "others: 4 failed, 1 timeout" in typed("soops-jobs", "-v", "out/runs").out


def test_roots_that_are_gone_are_no_trouble(study_dir, typed, tmp_path, monkeypatch):
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    (state / "soops").mkdir(parents=True)
    (tmp_path / "bare" / ".soops").mkdir(parents=True)
    roots = [tmp_path / "gone", tmp_path / "bare", study_dir / "out" / "runs"]
    (state / "soops" / "roots").write_text("".join(f'"{root}"\n' for root in roots) + "damaged\n")

    result = typed("soops-jobs", "-a")

    assert (result.code, result.err) == (0, "")
    assert len(result.out.splitlines()) == 1


def test_nothing_known_is_said(tmp_path, typed, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert typed("soops-jobs", "-a").err == "no study is known\n"


@pytest.mark.parametrize(
    ("root", "said"), [("nowhere", "no directory 'nowhere'"), ("out", "no study in 'out'")]
)
def test_a_root_that_is_none(root, said, study_dir, typed):
    result = typed("soops-jobs", root)

    assert (result.code, result.out) == (3, "")
    assert said in result.err


def test_a_study_of_the_ancestor_has_a_status_too(tmp_path, typed):
    key = "0123456789abcdef0123456789abcdef"
    run = tmp_path / f"000-{key}"
    run.mkdir()
    text = f"pkey,finished,iset,--aa,output_dir,script_dir\n{key},True,000,1,x,.\n"
    (run / "soops-parameters.csv").write_text(text)

    (item,) = typed("soops-jobs", "--json", str(tmp_path)).json()

    assert (item["state"], item["pid"], item["finished"], item["total"]) == ("ended", None, 1, None)


def test_an_index_that_is_right(study_dir, typed):
    for words in ([], ["--check"]):
        result = typed("soops", "index", *words, "out/runs")
        assert (result.code, result.out) == (0, "")
        assert result.err == "out/runs: checked, 0 problems\n"


def test_an_index_that_is_wrong_is_made_anew(study_dir, tmp_path, typed, monkeypatch):
    shutil.copytree(study_dir / "out" / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    (first,) = (tmp_path / "runs").glob("000-*")
    shutil.rmtree(first)

    wrong = typed("soops", "index", "runs")
    as_json = typed("soops", "index", "--json", "runs").json()
    anew = typed("soops", "index", "--rebuild", "runs")
    right = typed("soops", "index", "runs")

    assert wrong.code == 1
    assert first.name in wrong.out and wrong.out.startswith("runs: ")
    assert [item["root"] for item in as_json] == ["runs"] and first.name in as_json[0]["problem"]
    assert (anew.code, anew.out) == (0, "")
    assert (right.code, right.out) == (0, "")


def test_an_index_of_what_is_no_study(tmp_path, typed, monkeypatch):
    monkeypatch.chdir(tmp_path)

    for words in ([], ["--rebuild"]):
        result = typed("soops", "index", *words, "nowhere")
        assert (result.code, result.out) == (3, "")
        assert "nowhere" in result.err
    assert not list(tmp_path.iterdir())
