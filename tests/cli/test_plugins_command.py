"""``soops plugins``, commands of plugins (``soops_commands``), and doing without plugins."""

from __future__ import annotations

import click
import pytest

from soops.api import CommandSpec
from soops.cli import group

GREET = """
    from soops.api import CommandSpec, hookimpl

    @hookimpl
    def soops_commands():
        return [
            CommandSpec(name="greet", target="soops_greet_command:greet", summary="say hello"),
            CommandSpec(name="odd", target="soops_greet_command:odd", summary="no command"),
            CommandSpec(name="gone", target="soops_greet_command:gone", summary="not there"),
            CommandSpec(name="many", target="soops_greet_command:many", summary="a group"),
            CommandSpec(name="raw", target="soops_greet_command:raw", summary="words as typed"),
        ]
"""
COMMAND = """
    import click
    from soops.api import StudyError

    @click.command()
    @click.argument("names", nargs=-1)
    @click.option("-t", "--times", default=1)
    @click.option("-f", "--from", "sender", multiple=True, metavar="NAME...")
    @click.option("--fail", type=click.Choice(["study", "bug", "exit", "code"]))
    @click.pass_obj
    def greet(app, names, times, sender, fail):
        if fail == "study":
            raise StudyError("no such friend", hint="make one")
        if fail == "bug":
            raise KeyError("oh")
        if fail == "exit":
            raise SystemExit(9)
        if fail == "code":
            return 5
        print(times, names, sender, "local" in app.registry("runner").names())

    odd = len

    @click.group()
    def many():
        pass

    @many.command()
    @click.option("-n", default="")
    def one(n):
        print("one", n)

    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def raw(words):
        print(words)
"""


@pytest.fixture
def greet(installed_plugin):
    installed_plugin("soops_greet_command", COMMAND, distribution="x-command", entry_points={})
    return installed_plugin("soops_greet", GREET, distribution="soops-greet", version="3.1")


def test_the_builtin_is_a_plugin_like_others(greet, typed):
    result = typed("soops", "plugins")

    lines = result.out.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert heads[0] == "soops_greet  (soops-greet 3.1)  soops_greet"
    assert heads[-1].startswith("builtin  (soops ")
    assert "    command: gone, greet, many, odd, raw" in lines
    assert "    command: check, demo, find, index, info, jobs, migrate, new, preview" in lines


def test_plugins_as_json(greet, typed):
    objects = typed("soops", "plugins", "--json").json()

    keys = ["name", "distribution", "version", "target", "status", "gives", "problem"]
    assert all(list(item) == keys for item in objects)
    by_name = {item["name"]: item for item in objects}
    assert by_name["soops_greet"]["gives"] == {"command": ["gone", "greet", "many", "odd", "raw"]}
    assert by_name["builtin"]["gives"]["command"] == [
        "check",
        "demo",
        "find",
        "index",
        "info",
        "jobs",
        "migrate",
        "new",
        "preview",
    ]
    assert {item["status"] for item in objects} == {"ok"}


def test_a_command_of_a_plugin_is_in_the_help_without_being_imported(greet, typed):
    import sys

    result = typed("soops", "--help")

    assert "  greet    say hello\n" in result.out
    assert "soops_greet_command" not in sys.modules


def test_a_command_of_a_plugin_is_called(greet, typed):
    result = typed("soops", "greet", "you", "-t=2", "--fr", "me", "and", "him", "-t", "3")

    assert (result.code, result.err) == (0, "")
    assert result.out == "3 ('you',) ('me', 'and', 'him') True\n"
    assert typed("soops", "greet", "-h").out.startswith("Usage: soops greet [OPTIONS]")


@pytest.mark.parametrize(
    ("fail", "code", "said"),
    [
        ("study", 3, ["error: no such friend", "  hint: make one"]),
        ("exit", 9, []),
        ("code", 5, []),
    ],
)
def test_what_a_command_of_a_plugin_raises_and_returns(fail, code, said, greet, typed):
    result = typed("soops", "greet", f"--fail={fail}")

    assert (result.code, result.err.splitlines()) == (code, said)


def test_a_bug_of_a_plugin_is_one_line(greet, typed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    result = typed("soops", "greet", "--fail=bug")

    assert result.code == 70
    assert len(result.err.splitlines()) == 1 and "KeyError" in result.err


def test_groups_and_commands_that_read_their_words_themselves(greet, typed):
    assert typed("soops", "many", "one", "-n", "x").out == "one x\n"
    assert typed("soops", "many", "one", "--disable-plugin", "nobody").code == 2
    assert typed("soops", "raw", "-x=1", "--any", "a b").out == "('-x=1', '--any', 'a b')\n"


@pytest.mark.parametrize("name", ["odd", "gone"])
def test_a_target_that_is_no_command(name, greet, typed):
    result = typed("soops", name)

    assert (result.code, result.out) == (4, "")
    assert "'soops_greet'" in result.err
    assert len(result.err.splitlines()) <= 3


def test_check_imports_everything(greet, typed):
    result = typed("soops", "plugins", "check")
    as_json = typed("soops", "plugins", "check", "--json")

    assert (result.code, as_json.code) == (4, 4)
    assert len(result.out.splitlines()) == len(as_json.json()) == 2
    assert "command 'odd' of plugin 'soops_greet' is not a click command" in result.out
    assert "command 'gone' of plugin 'soops_greet' cannot be loaded" in result.out


def test_check_is_content_with_the_builtin(typed):
    result = typed("soops", "plugins", "check")

    assert (result.code, result.out) == (0, "")


def test_a_broken_plugin_is_named_and_the_rest_works(installed_plugin, typed):
    installed_plugin("soops_broken", "import no_such_module\n")

    shown = typed("soops", "plugins")
    checked = typed("soops", "plugins", "check")
    version = typed("soops", "run", "--help")

    assert (shown.code, checked.code, version.code) == (0, 4, 0)
    assert "BROKEN: ModuleNotFoundError: No module named 'no_such_module'" in shown.out
    assert "plugin 'soops_broken'" in shown.err
    assert "plugin 'soops_broken' is broken" in checked.out


def test_a_clash_of_commands_leaves_those_of_the_kernel(installed_plugin, typed):
    clash = GREET.replace('"greet"', '"find"')
    installed_plugin("soops_clash", clash, distribution="soops-clash")

    shown = typed("soops", "--help")
    find = typed("soops", "find", ".")
    checked = typed("soops", "plugins", "check")

    assert (shown.code, find.code, checked.code) == (0, 4, 4)
    assert "  run " in shown.out and "given by two plugins" in shown.out
    assert "'find' is given by two plugins" in find.err and "soops_clash" in find.err
    assert typed("soops", "run", "--help").code == 0
    assert typed("soops", "find", "--disable-plugin=soops_clash", ".").code == 0


def test_a_plugin_cannot_take_the_place_of_a_command_of_the_kernel(installed_plugin, typed):
    hidden = GREET.replace('"greet"', '"run"').replace("soops_greet_command", "click")
    installed_plugin("soops_hider", hidden)

    shown = typed("soops", "run", "--help")
    checked = typed("soops", "plugins", "check")
    listed = typed("soops", "--help")

    assert "over a parameter space" in shown.out
    assert listed.out.count("\n  run ") == 1
    assert checked.code == 4


@pytest.mark.parametrize(
    "words",
    [
        ["greet", "--disable-plugin", "soops_greet"],
        ["--disable-plugin", "soops_greet", "greet"],
        ["--disable-plugin=soops-greet", "greet"],
    ],
)
def test_a_command_is_unknown_without_its_plugin(words, greet, typed):
    result = typed("soops", *words)

    assert result.code == 2
    assert "unknown command 'greet'" in result.err


def test_doing_without_the_builtin(typed, monkeypatch, project):
    words = ["--disable-plugin", "builtin"]

    listed = typed("soops", *words, "--help")
    find = typed("soops-find", *words, ".")
    run = typed("soops-run", *words, "output_dir='o/%s'", "mod.py")
    monkeypatch.setenv("SOOPS_NO_PLUGINS", "builtin")

    assert "\n  run " in listed.out and "\n  find  " not in listed.out
    assert (find.code, run.code) == (4, 4)
    assert "'find'" in find.err and "no plugin reads studies" in run.err
    assert "DISABLED" in typed("soops", "plugins").out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("local", ["runner local: processes of this machine", "    aliases: threadpool"]),
        ("threadpool", ["runner local: processes of this machine"]),
        ("dask", ["    --runner-opt scheduler="]),
        ("find", ["command find: find runs by their parameters and states"]),
        ("builtin", ["  directive arange: numpy.arange(start, stop, step, dtype)"]),
        ("soops", ["  runner local: processes of this machine"]),
    ],
)
def test_show(name, said, typed):
    result = typed("soops", "plugins", "show", name)

    assert result.code == 0
    for line in said:
        assert line in result.out.splitlines()


def test_show_as_json_and_near_misses(typed):
    (spec,) = typed("soops", "plugins", "show", "--json", "dask").json()
    wrong = typed("soops", "plugins", "show", "locl")

    assert (spec["kind"], spec["name"], spec["provider"]) == ("runner", "dask", "builtin")
    assert spec["options"] == "soops_builtin.runners.dask.options:DaskOptions"
    assert wrong.code == 2 and "did you mean 'local'" in wrong.err


def test_a_plugins_command_is_not_changed_by_being_called(typed, monkeypatch):
    @click.command()
    def bare() -> int:
        return 0

    ctx = click.Context(group.soops)
    from soops.api import App

    app = App.create()
    app.registry("command")._entries["bare"] = CommandSpec(name="bare", target=bare)
    ctx.obj = app

    adopted = group.command(ctx, "bare")

    assert [param.name for param in adopted.params] == ["disable_plugin"]
    assert bare.params == [] and bare.context_settings == {}


def test_shells_complete(monkeypatch, typed):
    monkeypatch.setenv("_SOOPS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "soops pl")
    monkeypatch.setenv("COMP_CWORD", "1")

    result = typed("soops")

    assert (result.code, result.out) == (0, "plain,plugins\n")
