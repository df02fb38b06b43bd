"""What a person sees of a faulty plugin: one line that names it, and the work goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

STUDY = """
[study]
command = ["sh", "-c", "echo {x} > {output_dir}/done.txt"]
output_dir = "runs/%s"
finished = "done.txt"

[parameters]
x = [1, 2, 3]
"""


@pytest.fixture
def study(soops_command) -> str:
    Path("study.toml").write_text(STUDY, encoding="utf-8")
    return "study.toml"


def states() -> list[str]:
    return [json.loads(path.read_text())["state"] for path in Path().glob("runs/*/soops-run.json")]


def test_a_study_runs_beside_a_plugin_that_cannot_be_imported(site, soops_command, study):
    site.install("soops-bad", {"soops": {"bad": "bad_import"}}, {"bad_import": "import nowhere_x"})

    done = soops_command("run", study)

    assert done.code == 0, done.err
    assert states() == ["done"] * 3
    lines = [line for line in done.err.splitlines() if "plugin 'bad'" in line]
    assert len(lines) == 1
    assert "(soops-bad) is not usable" in lines[0] and "nowhere_x" in lines[0]


@pytest.mark.parametrize(
    "event", ["soops_study_started", "soops_run_started", "soops_run_ended", "soops_study_ended"]
)
def test_a_study_runs_beside_a_plugin_that_raises_in_an_event(site, soops_command, study, event):
    source = (
        f"from soops.api import hookimpl\n\n@hookimpl\ndef {event}(study):\n"
        "    raise OSError('no paper left')\n"
    )
    site.install("soops-loud", {"soops": {"loud": "loud_plugin"}}, {"loud_plugin": source})

    done = soops_command("run", study)

    assert done.code == 0, done.err
    assert states() == ["done"] * 3
    lines = [line for line in done.err.splitlines() if "no paper left" in line]
    assert len(lines) == 1, "named once, then muted"
    assert "plugin 'loud' raised OSError" in lines[0] and event in lines[0]


SCRAPERS = """
    from soops.api import DirectiveSpec, hookimpl

    @hookimpl
    def soops_directives():
        return [DirectiveSpec(name="same", target=int)]
"""


def install_clash(site) -> None:
    for name in ("one", "two"):
        module = f"clash_{name}"
        site.install(f"soops-{name}", {"soops": {name: module}}, {module: SCRAPERS})


def test_a_clash_of_names_is_exit_code_4_and_names_both(site, soops_command, study):
    install_clash(site)
    Path(study).write_text(STUDY.replace("[1, 2, 3]", '"@same(1)"'), encoding="utf-8")

    done = soops_command("run", study)

    assert done.code == 4
    assert len(done.err.strip().splitlines()) <= 3, done.err
    assert "'one'" in done.err and "'two'" in done.err
    assert not Path("runs").exists()
    way_out = done.err.split("--disable-plugin")[1].split()[0]
    assert soops_command("run", "--disable-plugin", way_out, study).code == 0


def test_a_clash_is_of_no_account_where_the_kind_is_not_asked_for(site, soops_command, study):
    install_clash(site)

    assert soops_command("find", "--help").code == 0
    assert soops_command("plugins", "show", "local").code == 0


COMMANDS = """
    from soops.api import CommandSpec, hookimpl

    @hookimpl
    def soops_commands():
        return [
            CommandSpec(name="odd", target="odd_command:main", summary="looks like a command"),
            CommandSpec(name="lost", target="module_not_there:main", summary="is not there"),
        ]
"""


def test_a_command_that_cannot_be_called_is_listed_and_explained(site, soops_command):
    """The help of soops imports no command; calling one that is none names its plugin."""
    modules = {"odd_plugin": COMMANDS, "odd_command": "def main(): ..."}
    site.install("soops-odd", {"soops": {"odd-plugin": "odd_plugin"}}, modules)

    shown = soops_command("--help")
    assert shown.code == 0
    assert "looks like a command" in shown.out and "is not there" in shown.out

    odd, lost = soops_command("odd"), soops_command("lost")
    assert (odd.code, lost.code) == (4, 4)
    assert "plugin 'odd-plugin' is not a click command" in odd.err
    assert "of plugin 'odd-plugin' cannot be loaded" in lost.err
    assert "module_not_there" in lost.err
    assert "'odd-plugin'" in soops_command("plugins", "check").out


def test_plugins_check_finds_what_is_broken(site, soops_command):
    assert soops_command("plugins", "check").code == 0

    site.install("soops-bad", {"soops": {"bad": "bad_import"}}, {"bad_import": "1 / 0"})
    site.install("soops-lone", {"soops.scrapers": {"lone": "module_not_there:f"}})
    install_clash(site)

    done = soops_command("plugins", "check")

    assert done.code == 4
    assert "plugin 'bad'" in done.out and "ZeroDivisionError" in done.out
    assert "scraper 'lone'" in done.out and "module_not_there" in done.out
    assert "directive 'same' is given by two plugins" in done.out


def test_plugins_lists_what_is_there_nearest_first(site, soops_command):
    site.install("soops-bad", {"soops": {"bad": "bad_import"}}, {"bad_import": "1 / 0"})
    site.install("soops-ok", {"soops": {"ok": "ok_plugin"}}, {"ok_plugin": SCRAPERS})
    site.install("soops-lone", {"soops.runners": {"lone": "far:Runner"}}, version="2.5")

    done = soops_command("plugins", "--json", SOOPS_NO_PLUGINS="lone")

    infos = {item["name"]: item for item in map(json.loads, done.out.splitlines())}
    assert infos["bad"]["status"] == "broken" and "ZeroDivision" in infos["bad"]["problem"]
    assert infos["ok"]["status"] == "ok" and infos["ok"]["gives"] == {"directive": ["same"]}
    assert infos["lone"]["status"] == "disabled" and infos["lone"]["version"] == "2.5"
    assert infos["builtin"]["distribution"] == "soops"
    assert {"runner", "scraper", "store", "reader"} <= set(infos["builtin"]["gives"])
    plugins = [name for name in infos if name != "lone"]
    assert plugins == ["bad", "ok", "builtin"]


def test_a_name_that_only_a_broken_plugin_would_give_is_missed_with_the_reason(
    site, soops_command, study
):
    site.install("soops-bad", {"soops": {"bad": "bad_import"}}, {"bad_import": "import nowhere_x"})

    done = soops_command("run", "--runner", "wanted", study)

    assert done.code == 4
    tail = done.err[done.err.index("error: ") :]
    assert "unknown runner 'wanted'" in tail
    assert "plugin 'bad' (soops-bad) is not usable" in tail


def test_a_disabled_plugin_is_not_there_and_an_unknown_one_is_a_mistake(site, soops_command, study):
    site.install("soops-ok", {"soops": {"ok": "ok_plugin"}}, {"ok_plugin": SCRAPERS})
    Path(study).write_text(STUDY.replace("[1, 2, 3]", '"@same(7)"'), encoding="utf-8")

    off = soops_command("run", "--disable-plugin", "ok", study)
    assert off.code == 3 and "unknown directive 'same'" in off.err
    off = soops_command("run", study, SOOPS_NO_PLUGINS="ok")
    assert off.code == 3 and "unknown directive 'same'" in off.err
    assert soops_command("run", study).code == 0

    wrong = soops_command("run", "--disable-plugin", "okk", study)
    assert wrong.code == 2 and "'okk'" in wrong.err and "'ok'" in wrong.err


def test_nothing_works_without_the_builtin_and_the_message_says_so(site, soops_command, study):
    done = soops_command("run", study, SOOPS_NO_PLUGINS="builtin")

    assert done.code == 4
    assert "no plugin reads studies like 'study.toml'" in done.err
    assert len(done.err.strip().splitlines()) <= 3
