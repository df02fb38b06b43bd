"""``soops run``: what is planned, what is printed, the keys of its JSON, the forms it takes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest

PLANNED = [
    "number",
    "pkey",
    "identity",
    "directory",
    "command",
    "parameters",
    "decision",
    "reason",
]
ENDED = [
    "number",
    "pkey",
    "identity",
    "directory",
    "state",
    "cause",
    "returncode",
    "signal",
    "started",
    "ended",
    "elapsed",
    "cpu_time",
    "max_rss",
    "host",
    "attempts",
]
SETS = "output_dir='out/runs/%s', --n-cell=[1, 20]"


def test_a_dry_run_prints_the_commands_and_writes_nothing(project, typed):
    before = sorted(project.rglob("*"))

    result = typed("soops-run", "--dry-run", SETS, "mod.py")

    lines = result.out.splitlines()
    assert result.code == 0
    assert [re.sub(r"\d{3}-[0-9a-f]{32}", "NAME", line) for line in lines] == [
        'sh prog.sh out/runs/NAME "--n-cell=1"',
        'sh prog.sh out/runs/NAME "--n-cell=20"',
    ]
    assert "2 parameter sets: 2 to run, 0 to skip; nothing was run or written" in result.err
    assert [path for path in sorted(project.rglob("*")) if "__pycache__" not in str(path)] == before


def test_explain_says_of_each_set_why(study_dir, typed):
    study = "output_dir='out/runs/%s', --n-cell=1, --mode=[ok, fail, signal, hang, new]"

    result = typed("soops-run", "--explain", study, "mod.py")

    lines = result.out.splitlines()
    assert len(lines) == 15
    heads = lines[::3]
    assert heads[0] == "000 skip: finished"
    assert heads[1] == "002 rerun: the last attempt ended failed (exit 3)"
    assert heads[2].startswith("004 rerun: the last attempt ended failed (SIGSEGV")
    assert heads[3].startswith("006 rerun: the last attempt ended timeout")
    assert heads[4] == "007 run: new"
    assert all(line.startswith("    out/runs/00") for line in lines[1::3])
    assert all(line.startswith("    sh prog.sh out/runs/") for line in lines[2::3])
    assert not list((study_dir / "out" / "runs").glob("007-*"))


@pytest.mark.parametrize("word", ["--dry-run", "--explain"])
def test_a_planned_set_has_exactly_these_keys(word, project, typed):
    objects = typed("soops-run", word, "--json", SETS, "mod.py").json()

    assert [list(item) for item in objects] == [PLANNED, PLANNED]
    assert [item["number"] for item in objects] == [0, 1]
    assert objects[0]["parameters"] == {"--flag": "@undefined", "--mode": "@undefined"} | {
        "--n-cell": 1
    }
    assert objects[0]["directory"] == f"out/runs/000-{objects[0]['pkey']}"
    assert (objects[0]["decision"], objects[0]["reason"]) == ("run", "new")


def test_values_that_json_has_no_word_for_are_marked(project, typed):
    study = "output_dir='out/%s', --n-cell=(1, 2), --mode={a=[1]}"

    (planned,) = typed("soops-run", "--dry-run", "--json", study, "mod.py").json()

    assert planned["parameters"]["--n-cell"] == {"@": "tuple", "v": [1, 2]}
    assert planned["parameters"]["--mode"] == {"@": "dict", "v": [["a", [1]]]}


@pytest.mark.parametrize("template", ["out/runs/%s", "./out//%s", "%s", "out/run-%s/sub"])
def test_a_run_that_ended_has_exactly_these_keys(template, project, soops_process):
    study = f"output_dir='{template}', --n-cell=1, --mode=[ok, fail]"
    planned = soops_process(project, "run", "--dry-run", "--json", study, "mod.py").json()

    result = soops_process(project, "run", "--json", study, "mod.py")

    assert result.code == 1
    objects = sorted(result.json(), key=lambda item: item["number"])
    assert [list(item) for item in objects] == [ENDED, ENDED]
    for known in ("number", "pkey", "identity", "directory"):
        assert [item[known] for item in objects] == [item[known] for item in planned]
    assert [item["state"] for item in objects] == ["done", "failed"]
    assert [item["returncode"] for item in objects] == [0, 3]
    assert all((project / item["directory"]).is_dir() for item in objects)


def test_a_toml_study_needs_no_module(project, soops_process):
    (project / "study.toml").write_text(
        '[study]\ncommand = ["sh", "prog.sh", "{output_dir}", "--n-cell={n}"]\n'
        'output_dir = "out/%s"\nfinished = "result.txt"\n[parameters]\nn = [1, 2]\n'
    )

    result = soops_process(project, "run", "study.toml")

    assert result.code == 0
    assert "2 parameter sets: 2 done" in result.err


def test_silent_is_silent(project, soops_process):
    result = soops_process(project, "run", "--silent", SETS, "mod.py")

    assert (result.code, result.out, result.err) == (0, "", "")


def test_forms_of_the_ancestor_reach_the_study(project, typed):
    text = "--n-cell=[1, 2], --mode=[a, b], output_dir='o/%s'"
    words = ["--dry", "--json", "-c=--n-cell + --mode", "-o=elsewhere", "-n=3", text, "mod.py"]

    objects = typed("soops-run", *words).json()

    pairs = [(item["parameters"]["--n-cell"], item["parameters"]["--mode"]) for item in objects]
    assert pairs == [(1, "a"), (2, "b")]


def test_where_and_rerun_choose_sets(study_dir, typed):
    study = "output_dir='out/runs/%s', --n-cell=[1, 20], --mode=[ok, fail, signal]"

    def decisions(*words: str) -> list[tuple[int, str]]:
        objects = typed("soops-run", "--explain", "--json", *words, study, "mod.py").json()
        return [(item["number"], item["decision"]) for item in objects]

    assert decisions("--where", "n_cell > 1 & mode != 'ok'") == [(3, "rerun"), (5, "rerun")]
    assert decisions("--rerun", "done", "--where=n_cell == 1") == [
        (0, "rerun"),
        (2, "skip"),
        (4, "skip"),
    ]
    assert decisions("-r0", "--where=n_cell == 1") == [(0, "skip"), (2, "skip"), (4, "skip")]


def test_all_options_reach_the_study(monkeypatch, typed, project):
    import soops.study
    from soops.kernel.runs.options import RunOptions
    from soops.kernel.values import State, Summary

    seen = {}

    def run(conf, module, *, app, **options):
        seen.update(options, conf=conf, module=module)
        RunOptions.create(options)
        return Summary(total=1, skipped=0, counts={State.DONE: 1}, elapsed=0.0)

    monkeypatch.setattr(soops.study, "run", run)
    words = [
        "--runner-opt",
        "a=b",
        "--runner-opt=c=d=e",
        "--stage-out",
        "--accept-exit=0, 3",
        "--no-capture",
    ]
    words += ["--rerun=failed, timeout", "--retries=2", "--max-failures=4", "--max-output=100"]
    words += ["--retry-on=exit:3, lost", "--retry-delay=0.5"]
    words += [
        "-t=1.5",
        "--grace=0.5",
        "--durable",
        "--survive",
        "--detach",
        "--break-lock",
        "--runner=dask",
    ]
    words += ["--cluster-kwargs=processes=False", "--run-function=os.system", "-r=2", "-n=8"]
    words += ["--resources=GPU=1,memory=4e9"]
    words += ["--generate-pars=g", "--compute-pars=class=C", "--conf=a=1", "-s=short"]

    assert typed("soops-run", *words, "conf", "mod.py").code == 0

    argv = seen.pop("argv")
    assert argv == ("soops-run", *words, "conf", "mod.py")
    assert seen == {
        "conf": "conf",
        "module": "mod.py",
        "section": "short",
        "overrides": "a=1",
        "generate": "g",
        "compute": "class=C",
        "recompute": 2,
        "rerun": ("failed", "timeout"),
        "n_workers": 8,
        "runner": "dask",
        "runner_options": {"a": "b", "c": "d=e", "stage_out": "yes"},
        "cluster_kwargs": "processes=False",
        "resources": "GPU=1,memory=4e9",
        "run_function": "os.system",
        "timeout": 1.5,
        "grace": 0.5,
        "retries": 2,
        "retry_on": ("exit:3", "lost"),
        "retry_delay": 0.5,
        "max_failures": 4,
        "accept_exit": (0, 3),
        "break_lock": True,
        "capture": False,
        "max_output": 100,
        "durable": True,
        "survive": True,
        "detach": True,
        "silent": False,
        "progress": True,
        "shell": False,
    }


@pytest.mark.parametrize(
    ("counts", "interrupted", "code"),
    [({"done": 2}, False, 0), ({}, False, 0), ({"failed": 1}, False, 1), ({"done": 1}, True, 130)],
)
def test_the_summary_becomes_the_exit_code(counts, interrupted, code, monkeypatch, typed, project):
    import soops.study
    from soops.kernel.values import State, Summary

    summary = Summary(
        total=2,
        skipped=0,
        counts={State(name): number for name, number in counts.items()},
        elapsed=0.0,
        interrupted=interrupted,
    )
    monkeypatch.setattr(soops.study, "run", lambda *args, **options: summary)

    assert typed("soops-run", "conf", "mod.py").code == code


def test_a_reader_of_the_json_that_goes_away_does_not_stop_the_study(project):
    study = "output_dir='out/%s', --n-cell=[1, 2, 3, 4]"
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "soops", "run", "--json", study, "mod.py"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writing)

    assert done.returncode == 0
    assert "4 parameter sets: 4 done" in done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_an_interrupt_while_planning_is_130(project):
    (project / "slow.py").write_text(
        "import pathlib, time\npathlib.Path('ready').touch()\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "soops", "run", SETS, "slow.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What runs in the background of a shell script ignores it, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    limit = time.monotonic() + 60
    while not (project / "ready").exists():
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.01)

    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)

    assert (process.returncode, stderr) == (130, "interrupted\n")


def test_the_shell_opens_when_the_study_is_done(project, soops_process):
    done = subprocess.run(
        [sys.executable, "-m", "soops", "run", "--silent", "--shell", SETS, "mod.py"],
        input="print('counts', {s.value: n for s, n in summary.counts.items()})\n",
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0
    assert "counts {'done': 2}" in done.stdout
