"""A user's script with hooks of its own is a plugin of the command, the nearest one."""

from __future__ import annotations

import logging
import sys
import textwrap
from pathlib import Path

import pytest

import soops.study
from soops.api import App, PluginError, State, StudyError

BEGIN = """
    import sys
    from soops.api import DirectiveSpec, UserModule, hookimpl

    def get_run_info():
        code = "import sys; open(sys.argv[1] + '/done.txt', 'w').write(sys.argv[2])"
        return [sys.executable, "-c", code, "{output_dir}", "{x}"], {}, "output_dir", "done.txt"
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a script with hooks."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "script_with_hooks.py", begin: str = BEGIN) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(begin) + textwrap.dedent(text), encoding="utf-8")
        return path

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


MINE = """
    @hookimpl
    def soops_directives():
        return [DirectiveSpec(name="squares", target=lambda n: [i * i for i in range(n)])]
"""


def test_a_script_gives_a_directive_to_its_own_study(write):
    script = write(MINE)

    planned = list(soops.study.plan("output_dir='out/%s', x=@squares(3)", script))

    assert [run.parameters.values["x"] for run in planned] == [0, 1, 4]


def test_what_one_script_gives_is_not_there_for_another(write):
    soops.study.load_module(write(MINE))
    other = write("", "other_script.py")

    with pytest.raises(StudyError, match="unknown directive 'squares'"):
        list(soops.study.plan("output_dir='out/%s', x=@squares(3)", other))


def test_a_script_watches_its_runs(write):
    script = write(
        """
        @hookimpl
        def soops_run_ended(record, study):
            with open("heard.txt", "a") as file:
                file.write(f"{record.parameters['x']} {record.state}\\n")
        """
    )

    summary = soops.study.run("output_dir='out/%s', x=[1, 2]", script, n_workers=1)

    assert summary.counts == {State.DONE: 2}
    assert sorted(Path("heard.txt").read_text().splitlines()) == ["1 done", "2 done"]


def test_a_script_that_raises_in_an_event_does_not_stop_its_study(write, caplog):
    script = write(
        """
        @hookimpl
        def soops_run_ended(record):
            raise ZeroDivisionError("in an event")
        """
    )

    with caplog.at_level(logging.WARNING, "soops"):
        summary = soops.study.run("output_dir='out/%s', x=[1, 2, 3]", script)

    assert summary.ok
    lines = [r.getMessage() for r in caplog.records if "in an event" in r.getMessage()]
    assert len(lines) == 1
    assert "'module:script_with_hooks'" in lines[0] and "soops_run_ended" in lines[0]


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ("def soops_run_endet(record): ...", "did you mean 'soops_run_ended'"),
        ("def soops_run_ended(recrod): ...", "no argument 'recrod'; it takes study, record"),
    ],
)
def test_a_hook_that_does_not_fit_is_a_mistake_of_the_script(write, hook, words):
    script = write(f"\n@hookimpl\n{hook}\n")

    with pytest.raises(StudyError) as caught:
        soops.study.load_module(script)

    assert words in str(caught.value)
    assert caught.value.code == 3


def test_a_name_of_the_builtin_cannot_be_taken_over(write):
    script = write(MINE.replace("squares", "linspace"))

    with pytest.raises(PluginError) as caught:
        list(soops.study.plan("output_dir='out/%s', x=@linspace(0, 1, 2)", script))

    assert "'builtin'" in str(caught.value)
    assert "'module:script_with_hooks'" in str(caught.value)


def test_a_script_may_adapt_itself_and_is_asked_first(write):
    script = write(
        """
        @hookimpl
        def soops_adapt_module(module, path):
            return UserModule(name="adapted by itself", path=path)
        """
    )

    assert soops.study.load_module(script).name == "adapted by itself"


def test_a_script_without_hooks_is_no_plugin(write):
    app = App.create()
    before = len(app.loaded.manager.get_plugins())

    soops.study.load_module(write(""), app)

    assert len(app.loaded.manager.get_plugins()) == before


def test_a_script_that_is_loaded_twice_is_one_plugin(write):
    app = App.create()
    script = write(MINE)

    soops.study.load_module(script, app)
    soops.study.load_module(script, app)

    assert app.registry("directive").names().count("squares") == 1


def test_two_scripts_of_one_name_are_two_plugins(write):
    app = App.create()
    soops.study.load_module(write(MINE, "a/same_name.py"), app)
    soops.study.load_module(write(MINE.replace("squares", "cubes"), "b/same_name.py"), app)

    assert {"squares", "cubes"} <= set(app.registry("directive").names())
