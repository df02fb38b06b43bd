"""Installed plugins are found, loaded and described; what is wrong with one is said."""

from __future__ import annotations

import logging
import sys

import pytest

from soops.api import App, PluginError, StudyError
from soops.kernel.plugging import discovery
from soops.kernel.plugging.discovery import describe, discover, load

GOOD = """
    from soops.api import DirectiveSpec, hookimpl

    @hookimpl
    def soops_directives():
        return [DirectiveSpec(name={name!r}, target=lambda: 1)]
"""


def names_of(found) -> list[str]:
    return [item.name for item in found if item.name != "builtin"]


def test_plugins_are_sorted_by_name_and_the_builtin_is_last(site):
    for name in ("zeta", "alpha", "mid"):
        site.install(f"soops-{name}", {"soops": {name: f"plugin_{name}"}})

    found = discover(["soops"])

    assert [item.name for item in found] == ["alpha", "mid", "zeta", "builtin"]
    assert found[-1].distribution == "soops"
    assert (found[0].distribution, found[0].version) == ("soops-alpha", "1.0")


def test_discovery_imports_nothing(site):
    site.install(
        "soops-bomb",
        {"soops": {"bomb": "bomb_module"}, "soops.scrapers": {"b": "bomb_module:f"}},
        {"bomb_module": "raise AssertionError('imported')"},
    )

    found = discover()

    assert {item.group for item in found if item.value.startswith("bomb")} == {
        "soops",
        "soops.scrapers",
    }
    assert "bomb_module" not in sys.modules


def test_a_distribution_seen_twice_on_the_path_is_one_plugin(make_site):
    for folder in ("first", "second"):
        make_site(folder).install("soops-twin", {"soops": {"twin": "twin_plugin"}})

    assert names_of(discover(["soops"])) == ["twin"]


def test_the_nearest_plugin_is_asked_first(site):
    for name in ("b", "a"):
        site.install(
            f"soops-{name}",
            {"soops": {name: f"plug_{name}"}},
            {f"plug_{name}": GOOD.format(name=f"from_{name}")},
        )
    app = App.create(found=[item for item in discover(["soops"]) if item.name != "builtin"])

    providers = [spec.provider for spec in app.registry("directive")]

    assert providers == ["a", "b"]


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("import no_such_module_anywhere", "broken", "No module named 'no_such_module_anywhere'"),
        ("x = ", "broken", "SyntaxError"),
        ("raise SystemExit(3)", "broken", "SystemExit: 3"),
        ("x = 1", "broken:plugin", "has no attribute 'plugin'"),
        ("assert False", "broken", "AssertionError"),
    ],
)
def test_a_broken_plugin_is_one_line_and_the_others_work(site, caplog, source, target, words):
    site.install("soops-broken", {"soops": {"broken": target}}, {"broken": source})
    site.install(
        "soops-fine", {"soops": {"fine": "fine_plugin"}}, {"fine_plugin": GOOD.format(name="x")}
    )

    with caplog.at_level(logging.WARNING, "soops"):
        app = App.create()

    (line,) = [r.getMessage() for r in caplog.records if "broken" in r.getMessage()]
    assert line.startswith("plugin 'broken' (soops-broken) is not usable: ")
    assert words in line
    assert "\n" not in line
    assert "x" in app.registry("directive")


def test_a_missing_plugin_module_is_named(site):
    site.install("soops-gone", {"soops": {"gone": "module_that_went"}})

    loaded = load([item for item in discover() if item.name == "gone"])

    (failure,) = loaded.failures
    assert (failure.name, failure.distribution) == ("gone", "soops-gone")
    assert "module_that_went" in failure.reason


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def soops_runner(): return []", "'soops_runner' did you mean 'soops_runners'"),
        ("def soops_execute(jobs): ...", "unknown hook 'soops_execute'"),
        ("def soops_run_ended(recrod): ...", "recrod"),
        ("def soops_adapt_module(module, path, extra): ...", "extra"),
    ],
    ids=["near miss", "no such hook", "wrong argument", "one argument too many"],
)
def test_a_hook_that_does_not_fit_is_explained(site, code, words):
    source = f"from soops.api import hookimpl\n\n@hookimpl\n{code}\n"
    site.install("soops-odd", {"soops": {"odd": "odd_plugin"}}, {"odd_plugin": source})

    loaded = load([item for item in discover() if item.name == "odd"])

    (failure,) = loaded.failures
    assert words in failure.reason
    assert "\n" not in failure.reason
    assert not loaded.manager.has_plugin("odd")


def test_a_plugin_refused_for_one_hook_gives_nothing_of_the_others(site):
    source = (
        GOOD.format(name="half") + "\n    @hookimpl\n    def soops_run_ended(wrong): return 1\n"
    )
    site.install("soops-half", {"soops": {"half": "half_plugin"}}, {"half_plugin": source})

    app = App.create()

    assert "half" not in app.registry("directive")


@pytest.mark.parametrize("option", ["wrapper=True", "hookwrapper=True", "tryfirst=True"])
def test_a_plugin_cannot_jump_the_queue_or_wrap_the_others(site, option):
    body = "    yield\n" if "wrapper" in option else "    return None\n"
    source = (
        f"from soops.api import hookimpl\n\n@hookimpl({option})\n"
        f"def soops_adapt_module(module, path):\n{body}"
    )
    site.install("soops-pushy", {"soops": {"pushy": "pushy_plugin"}}, {"pushy_plugin": source})

    loaded = load([item for item in discover() if item.name == "pushy"])

    (failure,) = loaded.failures
    assert option.split("=")[0] in failure.reason


def test_of_two_plugins_with_one_name_the_refused_one_names_the_other(site):
    for dist in ("soops-one", "soops-two"):
        module = dist.replace("-", "_")
        site.install(dist, {"soops": {"same": module}}, {module: GOOD.format(name=module)})

    loaded = load([item for item in discover() if item.name == "same"])

    (failure,) = loaded.failures
    assert failure.distribution in ("soops-one", "soops-two")
    other = "soops-two" if failure.distribution == "soops-one" else "soops-one"
    assert other in failure.reason
    by_status = {info.distribution: info.status for info in describe(loaded)}
    assert by_status == {failure.distribution: "broken", other: "ok"}


def test_no_installed_plugin_can_take_the_place_of_the_builtin(site):
    site.install(
        "soops-impostor",
        {"soops": {"builtin": "impostor"}},
        {"impostor": GOOD.format(name="impostor")},
    )

    app = App.create()

    assert "impostor" not in app.registry("directive")
    (failure,) = [f for f in app.loaded.failures if f.distribution == "soops-impostor"]
    assert "soops" in failure.reason


def test_a_plugin_may_be_an_object_inside_its_module(site):
    source = """
        from soops.api import DirectiveSpec, hookimpl

        class Inner:
            class plugin:
                @staticmethod
                @hookimpl
                def soops_directives():
                    return [DirectiveSpec(name="deep", target=int)]
    """
    site.install("soops-deep", {"soops": {"deep": "deep_mod:Inner.plugin"}}, {"deep_mod": source})

    assert "deep" in App.create().registry("directive")


def test_plugins_are_switched_off_by_name_by_distribution_and_by_environment(site, monkeypatch):
    for name in ("one", "two", "three"):
        module = f"off_{name}"
        site.install(f"soops-{name}", {"soops": {name: module}}, {module: GOOD.format(name=name)})
    monkeypatch.setenv("SOOPS_NO_PLUGINS", " three , ,nothing-like-this")

    app = App.create(disabled=["one"])
    assert [n for n in ("one", "two", "three") if n in app.registry("directive")] == ["two"]
    assert "off_one" not in sys.modules, "a disabled plugin is not even imported"

    app = App.create(disabled=["soops-two"])
    assert [n for n in ("one", "two", "three") if n in app.registry("directive")] == ["one"]


def test_describe_says_of_each_plugin_what_it_gives(site):
    site.install("soops-ok", {"soops": {"ok": "ok_plugin"}}, {"ok_plugin": GOOD.format(name="d")})
    site.install("soops-bad", {"soops": {"bad": "bad_plugin"}}, {"bad_plugin": "1 / 0"})
    site.install("soops-off", {"soops": {"off": "off_plugin"}}, {"off_plugin": "1 / 0"})
    site.install("soops-lone", {"soops.scrapers": {"xyz": "lone_mod:read"}})
    site.install("soops-quiet", {"soops.runners": {"quiet": "quiet_mod:Runner"}})

    loaded = load(discover(), ["off", "quiet"])
    infos = {info.name: info for info in describe(loaded)}

    assert (infos["ok"].status, infos["ok"].gives) == ("ok", {"directive": ["d"]})
    assert infos["bad"].status == "broken"
    assert infos["bad"].problem == "ZeroDivisionError: division by zero"
    assert (infos["off"].status, infos["off"].gives) == ("disabled", {})
    assert (infos["xyz"].status, infos["xyz"].gives) == ("ok", {"scraper": ["xyz"]})
    assert infos["xyz"].distribution == "soops-lone"
    assert infos["quiet"].status == "disabled"


def test_events_and_questions_stand_apart_in_the_description(site):
    source = """
        from soops.api import hookimpl

        @hookimpl
        def soops_run_ended(record): ...

        @hookimpl
        def soops_adapt_module(path): ...
    """
    site.install("soops-ears", {"soops": {"ears": "ears_plugin"}}, {"ears_plugin": source})

    (info,) = describe(load([item for item in discover() if item.name == "ears"]))

    assert info.gives == {"hooks": ["soops_adapt_module", "soops_run_ended"]}


def test_one_app_knows_nothing_of_another(site):
    site.install("soops-p", {"soops": {"p": "p_plugin"}}, {"p_plugin": GOOD.format(name="p")})

    with_it, without = App.create(), App.create(disabled=["p"])

    assert "p" in with_it.registry("directive")
    assert "p" not in without.registry("directive")


def test_an_uninstalled_plugin_is_gone_at_the_next_start(site):
    info = site.install(
        "soops-p", {"soops": {"p": "p_gone"}}, {"p_gone": GOOD.format(name="passing")}
    )
    assert "passing" in App.create().registry("directive")

    site.uninstall(info)

    with pytest.raises(StudyError, match="unknown directive 'passing'"):
        App.create().registry("directive").get("passing")


def test_the_error_for_a_missed_name_tells_of_a_broken_plugin(site):
    site.install("soops-bad", {"soops": {"bad": "bad_missed"}}, {"bad_missed": "1 / 0"})

    with pytest.raises(PluginError) as caught:
        App.create().registry("directive").get("wanted", error=PluginError)

    assert "plugin 'bad' (soops-bad) is not usable: ZeroDivisionError" in str(caught.value)


def test_the_own_groups_are_the_documented_ones():
    assert discovery.GROUP == "soops"
    assert discovery.LONE_GROUPS == {"soops.scrapers": "scraper", "soops.runners": "runner"}
