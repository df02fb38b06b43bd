"""A study file from its runs to its table, with nothing else beside it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from soops import study
from soops.api import RunnerError, State, StudyError, UsageError
from soops.testing import wait_until

MESH = "a mesh\n"
DECK = """\
cells {{ n_cell }}
{% if seed is defined %}seed {{ seed }}
{% endif %}x {{ "%.2f" | format(x) }}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    path = tmp_path / "a user"
    path.mkdir()
    monkeypatch.chdir(path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return path


def write(home, text, name="s.toml"):
    (home / name).write_text(text, encoding="utf-8")
    return name


def runs(home, root="out"):
    return {
        path.name[:3]: path for path in sorted((home / root).iterdir()) if path.name[0].isdigit()
    }


def test_inputs_and_templates_are_in_the_directory_before_the_run(home):
    (home / "mesh-1.txt").write_text(MESH)
    (home / "mesh-2.txt").write_text("another\n")
    (home / "lib").mkdir()
    (home / "lib" / "big.dat").write_text("big")
    (home / "deck.in.j2").write_text(DECK)
    name = write(
        home,
        """
[study]
command = ["sh", "-c", "cat deck.in mesh.txt lib/big.dat; ls -F > list.txt", "sh"]
cwd = "{output_dir}"
output_dir = "out/%s"
inputs = [{ file = "mesh-{--n-cell}.txt", to = "mesh.txt" }, { file = "lib", link = true }]
templates = ["deck.in.j2"]
[defaults]
seed = "@undefined"
[parameters]
--n-cell = [1, 2]
x = "@linspace(0, 1, 1)"
[[block]]
[[block]]
parameters = { seed = 7 }
where = "n_cell == 2"
""",
    )

    assert study.run(name).ok

    shown = [(path / "stdout.txt").read_text() for path in runs(home).values()]
    assert shown == [
        "cells 1\nx 0.00\na mesh\nbig",
        "cells 2\nx 0.00\nanother\nbig",
        "cells 2\nseed 7\nx 0.00\nanother\nbig",
    ]
    assert (runs(home)["000"] / "lib").is_symlink()
    assert "lib@" in (runs(home)["000"] / "list.txt").read_text()


def test_another_attempt_finds_fresh_inputs(home):
    (home / "state.txt").write_text("0\n")
    name = write(
        home,
        """
[study]
command = ["sh", "-c", "read n < state.txt; echo $n; echo 1 > state.txt; chmod 400 state.txt"]
cwd = "{output_dir}"
output_dir = "out/%s"
inputs = ["state.txt"]
""",
    )
    assert study.run(name).ok
    assert study.run(name, recompute=2).ok

    (path,) = runs(home).values()
    assert (path / "stdout.txt").read_text() == "0\n"
    assert not stat.S_IMODE((path / "state.txt").stat().st_mode) & stat.S_IWUSR


def test_an_input_that_vanished_stops_the_pass_with_its_name(home):
    (home / "in-1.txt").touch()
    name = write(
        home,
        """
[study]
command = ["true"]
output_dir = "out/%s"
inputs = ["in-{n}.txt"]
[run]
n_workers = 1
[parameters]
n = [1, 2]
""",
    )

    with pytest.raises(StudyError, match=r"the input '.*in-2.txt' is not there"):
        study.run(name)

    (home / "in-2.txt").touch()
    assert study.run(name).ok
    assert [run.state for run in study.find(["out"])] == ["done", "done"]


@pytest.mark.parametrize("name", ["../x", "/tmp/soops-x", "stdout.txt", "lib/x", "."])
def test_names_that_parameters_make_stay_in_the_directory(home, name):
    (home / "in.txt").write_text("mine")
    (home / "lib").mkdir()
    file = write(
        home,
        f"""
[study]
command = ["true"]
output_dir = "out/%s"
inputs = [{{ file = "lib", link = true }}, {{ file = "in.txt", to = "{{name}}" }}]
[parameters]
name = "{name}"
""",
    )
    with pytest.raises(StudyError, match="is no place for a file in the run directory"):
        study.run(file)

    assert list((home / "lib").iterdir()) == []
    assert not (home / "out" / "x").exists()


def test_runs_that_never_began_leave_nothing(home):
    (home / "in").mkdir()
    (home / "in" / "a-1.txt").write_text("x")
    (home / "in" / "a-2.txt").write_text("y")
    (home / "deck.j2").write_text("{{ n }}")
    file = write(
        home,
        """
[study]
command = ["sh", "-c", 'touch "$GATE"; sleep 1000']
output_dir = "out/%s"
inputs = ["in/a-{n}.txt", { file = "in", to = "data" }, { file = "in", to = "link", link = true }]
templates = [{ file = "deck.j2", to = "sub/deck" }]
[parameters]
n = [1, 2]
m = [1, 2, 3]
[options]
m = "{m}"
[run]
n_workers = 1
""",
    )
    gate = home / "gate"
    with subprocess.Popen(
        [sys.executable, "-m", "soops", "run", "--grace", "0.1", file],
        env={**os.environ, "GATE": str(gate)},
        stderr=subprocess.DEVNULL,
    ) as driver:
        try:
            wait_until(lambda: gate.exists() and len(runs(home)) == 2)
            driver.send_signal(signal.SIGINT)
            wait_until(lambda: len(runs(home)) == 1)
            driver.send_signal(signal.SIGINT)
            assert driver.wait(timeout=60) == 130
        finally:
            driver.kill()

    (left,) = runs(home).values()
    assert (left / "data" / "a-2.txt").read_text() == "y"
    assert (left / "sub" / "deck").read_text() == "1"


def test_a_directory_that_a_run_removes_needs_no_inputs_any_more(home):
    (home / "in.txt").touch()
    file = write(
        home,
        """
[study]
command = ["sh", "-c", "rm -r $0 in.txt", "{output_dir}"]
output_dir = "out/%s"
inputs = ["in.txt"]
""",
    )
    summary = study.run(file)

    assert summary.counts == {State.FAILED: 1}
    (run,) = study.find(["out"])
    assert run.cause == "directory"


def test_the_script_of_a_run_starts_in_its_directory_too(home):
    name = write(
        home,
        """
[study]
command = ["sh", "{script_dir}/prog.sh", "{output_dir}"]
cwd = "{output_dir}"
output_dir = "out/%s"
""",
    )
    (home / "prog.sh").write_text('test "$PWD" -ef "$1" && echo here\n')
    assert study.run(name).ok

    (path,) = runs(home).values()
    done = subprocess.run([sys.executable, path / "run.py"], capture_output=True, text=True)

    assert (path / "stdout.txt").read_text() == "here\n"
    assert done.stdout == "here\n"


@pytest.mark.parametrize("command", ['["sh", "-c", "echo $WORD {n}"]', "'echo $WORD {n}'"])
def test_lines_of_the_shell_before_the_command(home, command):
    name = write(
        home,
        f"""
[study]
command = {command}
output_dir = "out/%s"
setup = ["f() {{ echo braces; }}  # don't", "export WORD=$(f)"]
[parameters]
n = 1
""",
    )
    assert study.run(name).ok

    (path,) = runs(home).values()
    assert (path / "stdout.txt").read_text() == "braces 1\n"


def test_the_timeout_may_depend_on_the_parameters(home):
    name = write(
        home,
        """
[study]
command = ["sleep", "{seconds}"]
output_dir = "out/%s"
timeout = "if_else(seconds > 10, 0.2, 60)"
[parameters]
seconds = [0, 1000]
""",
    )
    summary = study.run(name)

    assert summary.counts == {State.DONE: 1, State.TIMEOUT: 1}


def test_an_expression_that_gives_no_amount_names_the_set_and_the_line(home):
    name = write(
        home,
        """
[study]
command = ["true", "{n}"]
output_dir = "out/%s"
timeout = "1 / n"
[parameters]
n = [1, 0]
""",
    )
    with pytest.raises(StudyError) as caught:
        study.run(name)

    assert caught.value.message == "timeout = 1 / n gives None for n=0, which is no amount"
    assert caught.value.source.line == 5
    assert study.run(name, where="n > 0").ok


@pytest.mark.parametrize(
    ("finished", "text", "again"),
    [
        ('{ file = "stdout.txt", regex = "^done" }', "done", False),
        ('{ file = "stdout.txt", regex = "^done" }', "not done", True),
        ('["stdout.txt", { file = "stdout.txt", regex = "done$" }]', "not done", False),
        ('["gone.txt", { file = "stdout.txt", regex = "done" }]', "done", True),
        ('{ file = "gone.txt", regex = "done" }', "done", True),
    ],
)
def test_a_text_in_a_file_says_that_a_run_is_finished(home, finished, text, again):
    name = write(
        home,
        f"""
[study]
command = ["echo", "{text}"]
output_dir = "out/%s"
finished = {finished}
""",
    )
    study.run(name)

    assert study.run(name).skipped == (0 if again else 1)


def test_the_study_says_how_it_is_run_and_the_person_goes_before(home):
    name = write(
        home,
        """
[study]
command = ["sh", "-c", "exit 3"]
output_dir = "out/%s"
[run]
retries = 2
output_dir = "files"
""",
    )
    study.run(name)
    (run,) = study.find(["out"])
    assert run.attempts == 3
    assert (home / "files" / "all_parameters.csv").exists()

    study.run(name, retries=0)

    (run,) = study.find(["out"])
    assert run.attempts == 4


def test_options_for_the_runner_of_the_study_are_not_for_another_one(home):
    name = write(
        home,
        """
[study]
command = ["true"]
output_dir = "out/%s"
resources = { cpus = 2 }
[run]
runner = "local"
runner_options = { cpus = 2, memory = 5e9 }
""",
    )
    assert study.run(name, runner="inline", runner_options={"cpus": 4}).ok
    assert study.run(name, recompute=2, runner_options={"memory": 1e9}).ok
    write(home, (home / name).read_text().replace("cpus = 2, memory", "cpus = 1, memory"))
    with pytest.raises(RunnerError, match="needs cpus=2, but there are 1 in all"):
        study.run(name, recompute=2)
    with pytest.raises(UsageError, match="unknown option of the runner 'dask' 'cpus'"):
        study.run(name, recompute=2, runner="dask", runner_options={"cpus": 4})


def test_a_value_out_of_bounds_names_the_study(home):
    name = write(home, '[study]\ncommand = ["true"]\noutput_dir="o/%s"\n[run]\nretry_on = ["x"]\n')

    with pytest.raises(UsageError) as caught:
        study.run(name)

    assert caught.value.source.path == "s.toml"


def test_resources_reach_the_runner_as_numbers(home):
    from soops.kernel.runs.jobs import JobMaker
    from soops.kernel.runs.options import RunOptions
    from soops.kernel.runs.prepare import prepare

    name = write(
        home,
        """
[study]
command = ["true", "{n}"]
output_dir = "out/%s"
resources = { cpus = "n", memory = "2 GB", gpus = "n - 1" }
[parameters]
n = [1, 2]
""",
    )
    app = study.create_app()
    prepared = prepare(app, name, None, RunOptions.create({"resources": {"disk": 5}}))
    maker = JobMaker(
        prepared.info, prepared.options, lambda job: job, str(home / "out"), prepared.amounts
    )

    jobs = [maker.make(run, 1) for run in study.plan(name)]

    assert [dict(job.resources) for job in jobs] == [
        {"cpus": 1.0, "memory": 2e9, "gpus": 0.0, "disk": 5.0},
        {"cpus": 2.0, "memory": 2e9, "gpus": 1.0, "disk": 5.0},
    ]
    assert prepared.amounts.names == ("cpus", "memory", "gpus", "disk")


def test_scoop_needs_nothing_but_the_file(home):
    name = write(
        home,
        """
[study]
command = ["echo", "energy {n}"]
output_dir = "out/here/%s"
[parameters]
n = [3, 1, 2]
[[scoop]]
file = "stdout.txt"
scraper = "regex"
pattern = 'energy (?P<energy>\\d+)'
[[scoop]]
file = "soops-run.json"
scraper = "soops-parameters"
is_parameters = true
[results]
file = "table.csv"
sort = ["energy"]
""",
    )
    study.run(name)

    scooped = study.scoop(name)

    assert scooped.frame["energy"].tolist() == [1, 2, 3]
    assert scooped.path == scooped.output_dir / "table.csv"
    assert (home / "out" / "here" / "table.csv").exists()
    study.scoop(name, output_dir="else", results="r.h5")
    assert (home / "r.h5").exists()


def test_what_was_run_is_read_without_the_files_that_the_runs_needed(home):
    (home / "in.txt").touch()
    (home / "deck.j2").write_text("energy {{ n }}")
    name = write(
        home,
        """
[study]
command = ["cat", "{output_dir}/deck"]
output_dir = "out/%s"
inputs = ["in.txt"]
templates = ["deck.j2"]
[parameters]
n = [1, 2]
[[scoop]]
file = "stdout.txt"
scraper = "regex"
pattern = 'energy (?P<energy>.)'
""",
    )
    assert study.run(name).ok
    (home / "in.txt").unlink()
    (home / "deck.j2").unlink()

    assert sorted(study.scoop(name).frame["energy"]) == [1, 2]
    with pytest.raises(StudyError) as caught:
        study.run(name)
    assert len(caught.value.others) == 1
    write(home, (home / name).read_text().replace("scraper", "scrapr"))
    with pytest.raises(StudyError, match="has no 'scraper'"):
        study.scoop(name)


def test_a_driver_that_dies_between_the_inputs_and_the_run_leaves_nothing_done_twice(home):
    (home / "in.txt").write_text("x")
    name = write(
        home,
        """
[study]
command = ["sh", "-c", 'cat in.txt >> "$LOG"']
cwd = "{output_dir}"
output_dir = "out/%s"
inputs = ["in.txt"]
""",
    )
    env = {**os.environ, "LOG": str(home / "log")}
    command = [
        sys.executable,
        "-c",
        f"import os, signal; from soops import study\n"
        f"def kill(*a): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"import soops.kernel.runs.ledger as l\n"
        f"old = l.Ledger.prepare\n"
        f"def new(self, *a): old(self, *a); kill()\n"
        f"l.Ledger.prepare = new\n"
        f"study.run({name!r})",
    ]
    done = subprocess.run(command, env=env, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not (home / "log").exists()
    (home / "in.txt").write_text("y")
    summary = subprocess.run(
        [sys.executable, "-m", "soops", "run", "--json", name], env=env, capture_output=True
    )

    assert json.loads(summary.stdout)["state"] == "done"
    assert (home / "log").read_text() == "y"


def test_preloading_may_be_asked_for_in_the_file(home):
    (home / "prog.py").write_text("import json, sys\nprint(json.__name__, 'json' in sys.modules)\n")
    name = write(
        home,
        f"""
[study]
command = ["{sys.executable}", "{{script_dir}}/prog.py", "{{n}}"]
output_dir = "out/%s"
preload = ["json"]
[parameters]
n = [1, 2]
""",
    )
    assert study.run(name).ok

    (record, _) = study.find(["out"])
    assert json.loads((home / record.path / "soops-run.json").read_text())["run_function"] == (
        "preload"
    )
