"""``soops info``: the lines of the ancestor, byte for byte, and more only when asked."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


def test_the_parameters_of_a_program(study_dir, typed):
    result = typed("soops-info", "mod.py")

    assert result.code == 0
    assert result.out == "info:   0: --flag\ninfo:   1: --mode\ninfo:   2: --n-cell\n"


def test_a_toml_study_has_parameters_too(project, typed):
    (project / "study.toml").write_text(
        '[study]\ncommand = ["awk", "-v", "b={b}", "-v", "a={a}", "{output_dir}"]\n'
        'output_dir = "out/%s"\nfinished = "x"\n[parameters]\na = 1\nb = [1, 2]\n'
    )

    assert typed("soops-info", "study.toml").out == "info:   0: a\ninfo:   1: b\n"


def test_explained_directories_have_the_lines_of_the_ancestor(study_dir, typed):
    (directory,) = (study_dir / "out" / "runs").glob("000-*")
    name = directory.relative_to(study_dir)

    result = typed("soops-info", "mod.py", "-e", str(name))

    assert result.out.splitlines() == [
        f"info: {name}/",
        "info:     finished: True",
        "info:         iset: 0",
        "info: *     --flag: @undefined",
        "info: *     --mode: ok",
        "info: *   --n-cell: 1",
        f"info:   output_dir: {name}",
        "info:   script_dir: .",
    ]


def test_how_a_run_ended_is_shown_when_asked(study_dir, typed):
    plain = typed("soops-info", "mod.py", "-e", "out/runs/002*").out
    more = typed("soops-info", "mod.py", "-v", "-e", "out/runs/002*").out

    assert more.startswith(plain)
    lines = more.removeprefix(plain).splitlines()
    shown = [re.match(r"info: +(\w+): ", line)[1] for line in lines]
    # The memory of so small a program is not known.
    assert [name for name in shown if name != "max_rss"] == [
        "state",
        "elapsed",
        "started",
        "ended",
        "host",
        "attempts",
        "command",
    ]
    assert lines[0].endswith("state: failed (exit 3)")
    assert "command: sh prog.sh out/runs/002-" in lines[-1]


@pytest.mark.parametrize(
    "words",
    [
        ["mod.py", "-e", "{0}", "{1}"],
        ["-e", "{0}", "{1}", "mod.py"],
        ["mod.py", "-e={0}", "--expl", "{1}"],
        ["mod.py", "-e", "out/runs/00[01]*"],
    ],
)
def test_several_directories(words, study_dir, typed):
    names = [str(path) for path in sorted((study_dir / "out" / "runs").glob("00[01]-*"))]

    result = typed("soops-info", *(word.format(*names) for word in words))

    heads = [line for line in result.out.splitlines() if line.endswith("/")]
    assert [re.search(r"/(\d{3})-", head)[1] for head in heads] == ["000", "001"]


def test_directories_come_in_the_order_given(study_dir, typed):
    names = [str(path) for path in sorted((study_dir / "out" / "runs").glob("00*"))]

    result = typed("soops-info", "--json", "mod.py", "-e", names[4], names[0], names[2])

    assert [item["number"] for item in result.json()] == [4, 0, 2]


def test_json_of_parameters_and_of_directories(study_dir, typed):
    keys = typed("soops-info", "--json", "mod.py").json()
    (run,) = typed("soops-info", "--json", "mod.py", "-e", "out/runs/004*").json()

    assert keys == [
        {"number": 0, "key": "--flag", "template": "--flag", "default": None},
        {"number": 1, "key": "--mode", "template": "--mode={--mode}", "default": None},
        {"number": 2, "key": "--n-cell", "template": "--n-cell={--n-cell}", "default": None},
    ]
    assert (run["number"], run["state"], run["signal"]) == (4, "failed", "SIGSEGV")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["mood.py"], 3, "did you mean 'mod.py'"),
        (["mod.py", "-e", "out/runz"], 3, "did you mean 'runs'"),
        (["mod.py", "-e", "empty"], 3, "no run directory in 'empty'"),
        (["bare.py"], 3, "there is no get_run_info() in 'bare.py'"),
        ([], 2, "RUN_MOD"),
    ],
)
def test_mistakes(words, code, said, study_dir, typed, tmp_path, monkeypatch):
    if words[-1:] == ["empty"] or words == ["bare.py"]:
        (tmp_path / "empty").mkdir()
        (tmp_path / "bare.py").touch()
        (tmp_path / "mod.py").write_text((study_dir / "mod.py").read_text())
        monkeypatch.chdir(tmp_path)

    result = typed("soops-info", *words)

    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert len(result.err.splitlines()) <= 3


def test_the_shell_has_the_runs(study_dir):
    done = subprocess.run(
        [sys.executable, "-m", "soops", "info", "--shell", "mod.py", "-e", "out/runs/000*"],
        input="print('here', keys, len(runs))\n",
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert "here ['--flag', '--mode', '--n-cell'] 1" in done.stdout
