"""One kind of specs from all plugins: names, clashes, targets, lone entry points."""

from __future__ import annotations

import logging
import sys
import types

import pytest

from soops.api import (
    App,
    DirectiveSpec,
    ExitCode,
    PluginError,
    RunnerSpec,
    ScraperSpec,
    StudyError,
    UsageError,
    hookimpl,
)
from soops.kernel.plugging import hookspecs
from soops.kernel.plugging.registry import SPEC_TYPES


def plugin(hook: str, give):
    """Return a plugin object whose one hook returns what ``give()`` returns."""

    def implementation():
        return give()

    implementation.__name__ = hook
    return types.SimpleNamespace(**{hook: hookimpl(implementation)})


def app_of(**plugins) -> App:
    """Return an App with only these plugins; the last one is the nearest."""
    app = App.create(found=())
    for name, obj in plugins.items():
        app.add(obj, name)
    return app


def test_every_kind_has_a_hook_and_a_spec_type():
    assert set(hookspecs.REGISTRIES) == set(SPEC_TYPES)
    for kind, hook in hookspecs.REGISTRIES.items():
        assert SPEC_TYPES[kind].kind == kind
        assert callable(getattr(hookspecs, hook))


@pytest.mark.parametrize("kind", hookspecs.REGISTRIES)
def test_a_registry_of_no_plugins_is_empty_and_says_so(kind):
    registry = App.create(found=()).registry(kind)

    assert registry.names() == []
    with pytest.raises(StudyError, match=f"unknown {kind} 'any'\n  hint: no {kind} is known"):
        registry.get("any")


def test_a_clash_of_names_is_an_error_that_names_both_providers():
    spec = ScraperSpec(name="log", target=int)
    app = app_of(
        one=plugin("soops_scrapers", lambda: [spec]), two=plugin("soops_scrapers", lambda: [spec])
    )

    with pytest.raises(PluginError) as caught:
        app.registry("scraper")

    assert caught.value.code is ExitCode.PLUGIN == 4
    assert "scraper 'log' is given by two plugins" in str(caught.value)
    assert "'one'" in str(caught.value) and "'two'" in str(caught.value)
    assert "--disable-plugin" in caught.value.hint


def test_a_clash_does_not_disturb_the_other_kinds():
    def twice():
        return [ScraperSpec(name="log", target=int), ScraperSpec(name="log", target=float)]

    app = app_of(
        one=plugin("soops_scrapers", twice),
        two=plugin("soops_directives", lambda: [DirectiveSpec(name="d", target=int)]),
    )

    assert app.registry("directive").names() == ["d"]
    with pytest.raises(PluginError, match="'log'"):
        app.registry("scraper")


def test_an_alias_clashes_like_a_name():
    app = app_of(
        one=plugin("soops_runners", lambda: [RunnerSpec(name="a", target=int, aliases=("pool",))]),
        two=plugin("soops_runners", lambda: [RunnerSpec(name="pool", target=int)]),
    )

    with pytest.raises(PluginError, match="runner 'pool' is given by two plugins"):
        app.registry("runner")


def test_an_alias_is_another_name_of_the_same_thing():
    spec = RunnerSpec(name="local", target="collections:OrderedDict", aliases=("threadpool",))
    registry = app_of(one=plugin("soops_runners", lambda: [spec])).registry("runner")

    assert registry.names() == ["local", "threadpool"]
    assert [item.name for item in registry] == ["local"]
    assert registry.resolve("threadpool") is registry.resolve("local")


def test_the_provider_is_filled_in_whatever_a_plugin_says_of_itself():
    spec = ScraperSpec(name="s", target=int, provider="somebody else")
    registry = app_of(me=plugin("soops_scrapers", lambda: [spec])).registry("scraper")

    assert registry.get("s").provider == "me"


def test_a_target_is_imported_at_its_first_use_and_once(site):
    (site.folder / "lazy_target.py").write_text("class Thing:\n    pass\n", encoding="utf-8")
    spec = ScraperSpec(name="s", target="lazy_target:Thing")
    registry = app_of(me=plugin("soops_scrapers", lambda: [spec])).registry("scraper")
    assert "lazy_target" not in sys.modules

    first = registry.resolve("s")

    assert first is sys.modules["lazy_target"].Thing
    assert registry.resolve("s") is first


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module_here:f", "No module named 'no_such_module_here'"),
        ("math:no_such_name", "no attribute 'no_such_name'"),
        ("exits_at_import:f", "SystemExit"),
    ],
)
def test_a_target_that_cannot_be_loaded_names_the_plugin(site, target, words):
    (site.folder / "exits_at_import.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    app = app_of(me=plugin("soops_scrapers", lambda: [ScraperSpec(name="s", target=target)]))

    with pytest.raises(PluginError) as caught:
        app.resolve("scraper", "s")

    assert "scraper 's' of plugin 'me' cannot be loaded" in str(caught.value)
    assert words in str(caught.value)
    assert target in caught.value.hint


def test_a_function_may_stand_in_place_of_an_import_string():
    def read(path, rdata=None):
        return {}

    app = app_of(me=plugin("soops_scrapers", lambda: [ScraperSpec(name="s", target=read)]))

    assert app.resolve("scraper", "s") is read


def give_wrong_type():
    return [DirectiveSpec(name="d", target=int)]


def give_no_list():
    return 5


def give_up():
    raise RuntimeError("no licence server")


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (give_wrong_type, "not a ScraperSpec"),
        (give_no_list, "not iterable"),
        (give_up, "RuntimeError: no licence server"),
    ],
)
def test_a_plugin_that_gives_nonsense_is_named_and_the_others_count(caplog, give, words):
    app = app_of(
        good=plugin("soops_scrapers", lambda: [ScraperSpec(name="fine", target=int)]),
        bad=plugin("soops_scrapers", give),
    )

    with caplog.at_level(logging.WARNING, "soops"):
        registry = app.registry("scraper")

    assert registry.names() == ["fine"]
    (record,) = caplog.records
    assert "plugin 'bad' is not usable" in record.getMessage()
    assert words in record.getMessage()
    with pytest.raises(StudyError) as caught:
        registry.get("missing")
    assert "plugin 'bad' is not usable" in str(caught.value)


def test_an_unknown_name_gets_near_misses_and_the_wanted_exit_code():
    specs = [RunnerSpec(name=name, target=int) for name in ("local", "dask", "inline")]
    registry = app_of(me=plugin("soops_runners", lambda: specs)).registry("runner")

    with pytest.raises(UsageError, match="did you mean 'local'") as caught:
        registry.get("locale", error=UsageError)
    assert caught.value.code is ExitCode.USAGE

    with pytest.raises(StudyError, match="known: dask, inline, local"):
        registry.get("zzz")


def test_a_lone_scraper_needs_no_hook_code(site):
    site.install(
        "soops-lone",
        {"soops.scrapers": {"lone": "lone_reader:read"}},
        {"lone_reader": "def read(path, rdata=None):\n    return {'x': 1}\n"},
    )

    app = App.create()
    spec = app.registry("scraper").get("lone")

    assert (spec.target, spec.provider) == ("lone_reader:read", "soops-lone")
    assert "lone_reader" not in sys.modules
    assert app.resolve("scraper", "lone")("any") == {"x": 1}


def test_a_lone_runner_is_no_scraper(site):
    site.install("soops-lone", {"soops.runners": {"far": "far_away:Runner"}})

    app = App.create()

    assert "far" in app.registry("runner")
    assert "far" not in app.registry("scraper")


def test_a_lone_spec_clashes_with_a_plugin_and_either_can_be_disabled(site):
    site.install("soops-lone", {"soops.scrapers": {"log": "lone_reader:read"}})
    site.install(
        "soops-hooked",
        {"soops": {"hooked": "hooked_plugin"}},
        {
            "hooked_plugin": """
                from soops.api import ScraperSpec, hookimpl

                @hookimpl
                def soops_scrapers():
                    return [ScraperSpec(name="log", target="hooked_reader:read")]
            """
        },
    )

    with pytest.raises(PluginError) as caught:
        App.create().registry("scraper")
    assert "'hooked'" in str(caught.value) and "'soops-lone'" in str(caught.value)

    # What the hint says to type does help, for each of the two.
    for disabled, left in (("soops-lone", "hooked"), ("hooked", "soops-lone")):
        app = App.create(disabled=[disabled])
        assert app.registry("scraper").get("log").provider == left
    named = caught.value.hint.split()[-1]
    assert "log" in App.create(disabled=[named]).registry("scraper")


def test_registries_are_asked_once():
    calls = []

    def give():
        calls.append(1)
        return [ScraperSpec(name="s", target=int)]

    app = app_of(me=plugin("soops_scrapers", give))
    for _ in range(3):
        app.registry("scraper")

    assert calls == [1]


def test_a_plugin_added_later_is_seen_and_is_nearer():
    def give(name):
        return lambda: [DirectiveSpec(name=name, target=int)]

    app = app_of(far=plugin("soops_directives", give("far")))
    assert app.registry("directive").names() == ["far"]

    app.add(plugin("soops_directives", give("near")), "near")

    assert [spec.name for spec in app.registry("directive")] == ["near", "far"]


def test_the_nearest_answer_to_the_one_question_counts(tmp_path):
    from soops.api import UserModule

    def answer(name):
        def soops_adapt_module(module, path):
            return UserModule(name=name, path=path) if name else None

        return types.SimpleNamespace(soops_adapt_module=hookimpl(soops_adapt_module))

    app = app_of(far=answer("far"), near=answer("near"), silent=answer(None))

    assert app.adapt(types.ModuleType("m"), tmp_path).name == "near"
    assert app_of(silent=answer(None)).adapt(types.ModuleType("m"), tmp_path) is None


def test_a_plugin_that_raises_at_the_question_is_named(tmp_path):
    def soops_adapt_module(module, path):
        raise KeyError("no such table")

    app = app_of(odd=types.SimpleNamespace(soops_adapt_module=hookimpl(soops_adapt_module)))

    with pytest.raises(PluginError) as caught:
        app.adapt(types.ModuleType("m"), tmp_path / "m.py")
    assert "plugin 'odd' raised KeyError: 'no such table' in soops_adapt_module" in str(
        caught.value
    )
    assert "--disable-plugin odd" in caught.value.hint


def test_an_answer_of_the_wrong_type_is_refused(tmp_path):
    def soops_adapt_module(path):
        return ("python script.py", {}, "output_dir", "done.txt")

    app = app_of(odd=types.SimpleNamespace(soops_adapt_module=hookimpl(soops_adapt_module)))

    with pytest.raises(PluginError, match="plugin 'odd' answered tuple, not UserModule"):
        app.adapt(types.ModuleType("m"), tmp_path / "m.py")


def test_a_mistake_of_the_user_found_by_an_adapter_is_shown_as_it_is(tmp_path):
    def soops_adapt_module(module):
        raise StudyError("SOOPS has no command")

    app = app_of(mine=types.SimpleNamespace(soops_adapt_module=hookimpl(soops_adapt_module)))

    with pytest.raises(StudyError, match=r"^SOOPS has no command$"):
        app.adapt(types.ModuleType("m"), tmp_path / "m.py")
