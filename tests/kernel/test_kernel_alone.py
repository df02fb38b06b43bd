"""The kernel runs a whole study with a plugin of thirty lines, and without the builtin."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import soops.study
from soops.api import (
    App,
    CheckSpec,
    Decision,
    DirectiveSpec,
    Outcome,
    PluginError,
    ReaderSpec,
    RunFunctionSpec,
    RunInfo,
    RunnerSpec,
    ScoopInfo,
    ScoopItem,
    Source,
    State,
    StepCall,
    StepSpec,
    StoreSpec,
    Study,
    Update,
    UserModule,
    hookimpl,
)

SCRIPT = """
    from pathlib import Path

    def read(path, rdata=None):
        return {"twice": 2 * int(Path(path).read_text())}

    def show(df, data=None):
        df.attrs["seen"] = list(df["twice"])
"""


class Now:
    """A runner: each job is over when it is submitted."""

    def __init__(self, setup):
        self.ended = []

    def capacity(self):
        return 1

    def submit(self, jobs):
        for job in jobs:
            code = subprocess.call(job.command, cwd=job.cwd)
            state = State.FAILED if code else State.DONE
            outcome = Outcome(state=state, cause="exit", returncode=code, started=1.0, ended=2.0)
            self.ended.append(Update(token=job.key, state=state, outcome=outcome))
        return [job.key for job in jobs]

    def poll(self, timeout):
        ended, self.ended = self.ended, []
        return ended

    def cancel(self, tokens):
        pass

    def close(self):
        pass


class Table:
    """A store: the frame as text."""

    def write(self, scooped, path):
        scooped.frame.to_csv(path)


class Fake:
    """All that the kernel needs to be told."""

    @hookimpl
    def soops_conf_readers(self):
        def read(text, source, section):
            values = dict(part.split("=") for part in text.split())
            out = values.pop("out")
            lists = {key: [int(item) for item in text.split(",")] for key, text in values.items()}
            return Study(name="s", source=source or Source(), values={**lists, "out": out})

        return [ReaderSpec(name="words", target=read)]

    @hookimpl
    def soops_directives(self):
        return [DirectiveSpec(name="d", target=int)]

    @hookimpl
    def soops_run_functions(self):
        return [RunFunctionSpec(name="plain", target=lambda job: job)]

    @hookimpl
    def soops_runners(self):
        return [RunnerSpec(name="now", target=Now)]

    @hookimpl
    def soops_checks(self):
        def understand(finished):
            return lambda directory, *rest: (directory / finished).exists()

        return [CheckSpec(name="is-there", target=understand)]

    @hookimpl
    def soops_stores(self):
        return [StoreSpec(name="table", target=Table(), suffixes=(".table",))]

    @hookimpl
    def soops_steps(self):
        return [StepSpec(name="nothing", target=lambda df, data=None: None)]

    @hookimpl
    def soops_adapt_module(self, module, path):
        code = "import sys; open(sys.argv[1] + '/n.txt', 'w').write(sys.argv[2])"
        code += "; sys.exit(sys.argv[2] == '3')"
        return UserModule(
            name="fake",
            path=path,
            run_info=RunInfo(
                command=(sys.executable, "-c", code, "{out}", "{n}"),
                options={},
                output_key="out",
                finished="n.txt",
            ),
            scoop_info=ScoopInfo(items=(ScoopItem(pattern="n.txt", scraper=module.read),)),
            steps=(StepCall(name="show", target=module.show),),
        )


@pytest.fixture
def app() -> App:
    app = App.create(found=())
    app.add(Fake(), "fake")
    return app


@pytest.fixture
def script(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "alone_script.py"
    path.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    yield path
    sys.modules.pop("alone_script", None)


def run(app: App, study: str, script: Path, **options):
    return soops.study.run(study, script, app=app, runner="now", run_function="plain", **options)


def records(root: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(root.glob("*/soops-run.json"))]


def test_the_fakes_are_small():
    lines, _ = inspect.getsourcelines(Now)

    assert len(lines) <= 30, "a runner is thirty lines"
    for _, hook in inspect.getmembers(Fake, inspect.isfunction):
        assert len(inspect.getsourcelines(hook)[0]) <= 20


def test_a_whole_study(app, script):
    summary = run(app, "out=runs/%s n=1,2,3", script)

    assert (summary.total, summary.counts) == (3, {State.DONE: 2, State.FAILED: 1})
    assert [item["state"] for item in records(Path("runs"))] == ["done", "done", "failed"]
    assert [record.parameters["n"] for record in summary.failures] == [3]
    assert not summary.ok


def test_a_second_pass_runs_what_failed_and_what_is_new(app, script):
    run(app, "out=runs/%s n=1,2,3", script)

    again = run(app, "out=runs/%s n=1,2,3,4", script)

    assert (again.total, again.skipped) == (4, 2)
    assert again.counts == {State.DONE: 1, State.FAILED: 1}
    numbers = sorted(int(path.name[:3]) for path in Path("runs").glob("*-*"))
    assert numbers == [0, 1, 2, 3], "old directories are kept, the new one comes after"


def test_the_plan_says_what_would_be_done_and_writes_nothing(app, script):
    run(app, "out=runs/%s n=1", script)
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}

    planned = list(
        soops.study.plan("out=runs/%s n=1,2", script, app=app, runner="now", run_function="plain")
    )

    assert [item.decision for item in planned] == [Decision.SKIP, Decision.RUN]
    assert [item.reason for item in planned] == ["finished", "new"]
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


def test_a_table_is_gathered_stored_and_handed_to_the_steps(app, script):
    run(app, "out=runs/%s n=1,2", script)

    scooped = soops.study.scoop(
        script, ["runs"], app=app, results=Path("results.table"), n_workers=1
    )

    assert list(scooped.frame["twice"]) == [2, 4]
    assert scooped.frame.attrs["seen"] == [2, 4]
    assert Path("results.table").stat().st_size


def test_runs_are_found_without_any_plugin(app, script):
    run(app, "out=runs/%s n=1,2,3", script)

    found = soops.study.find(["runs"], "n > 1")

    assert [(item.number, item.state) for item in found] == [(1, "done"), (2, "failed")]


def test_names_that_nobody_gives_are_unknown(app, script):
    with pytest.raises(PluginError, match="unknown runner 'local'"):
        soops.study.run("out=runs/%s n=1", script, app=app, run_function="plain")
    with pytest.raises(PluginError, match=r"unknown run function 'subprocess\.run'"):
        soops.study.run("out=runs/%s n=1", script, app=app, runner="now")
    assert not Path("runs").exists()


def test_the_builtin_is_never_imported(script):
    """In a process in which any import of ``soops_builtin`` fails."""
    code = f"""
        import sys
        sys.modules["soops_builtin"] = None
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_kernel_alone import App, Fake, run
        app = App.create(found=())
        app.add(Fake(), "fake")
        summary = run(app, "out=runs/%s n=1,2", {str(script)!r})
        assert summary.ok, summary
    """
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=env
    )

    assert done.returncode == 0, done.stderr
    assert len(records(Path("runs"))) == 2
