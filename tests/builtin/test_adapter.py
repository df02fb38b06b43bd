"""Scripts with get_run_info, get_scoop_info, get_plugin_info, through ``load_module``."""

from __future__ import annotations

import functools
import textwrap

import pytest

from soops.api import StudyError
from soops.study import load_module

GOOD = """
def get_run_info():
    run_cmd = 'python3 {script_dir}/x.py {output_dir}'
    return run_cmd, OPTIONS, 'output_dir', 'done.txt'
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "mod_under_test.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        monkeypatch.delitem(__import__("sys").modules, path.stem, raising=False)
        return load_module(name)

    return write


@pytest.mark.parametrize(
    ("options", "templates", "defaults", "unhashed"),
    [
        ("{'--a': '--a={--a}', '--f': '--f'}", {"--a": "--a={--a}", "--f": "--f"}, {}, ()),
        ("['--a={--a}', '--f']", {"--a": "--a={--a}", "--f": "--f"}, {}, ()),
        ("(['--a={--a}'], {'--a': 5})", {"--a": "--a={--a}"}, {"--a": 5}, ()),
        ("({'--a': '--a={--a}'}, {}, ['--a'])", {"--a": "--a={--a}"}, {}, ("--a",)),
    ],
)
def test_all_forms_of_opt_args(script, options, templates, defaults, unhashed):
    info = script(GOOD.replace("OPTIONS", options)).run_info
    assert info.options == templates
    assert list(info.options) == list(templates)
    assert info.defaults == defaults
    assert info.unhashed == unhashed
    assert (info.output_key, info.finished, info.base) == ("output_dir", "done.txt", ".")


def test_script_dir_is_as_typed(script):
    info = script(GOOD.replace("OPTIONS", "{}"), "sub/mod_under_test.py").run_info
    assert info.base == "sub"


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("('x',)", "4 items, not 1 items"),
        ("None", "4 items, not None"),
        ("(5, {}, 'output_dir', 'x')", "run_cmd must be"),
        ("('x', 7, 'output_dir', 'x')", "opt_args must map"),
        ("('x', ({}, {}, [], 1), 'output_dir', 'x')", "up to 3 items, not 4"),
        ("('x', {}, None, 'x')", "output_dir_key must be"),
        ("1/0", "get_run_info\\(\\) raised ZeroDivisionError"),
    ],
)
def test_a_wrong_get_run_info_is_explained(script, returned, message):
    with pytest.raises(StudyError, match=message) as caught:
        script(f"def get_run_info():\n    return {returned}\n")
    assert len(caught.value.lines()) <= 3


def test_scoop_items(script):
    module = script(
        """
        def load(name, rdata=None):
            return {}

        def get_scoop_info():
            return [('options.txt', load, True), ('log-*.txt', load), ('x.csv', 'csv')]
        """
    )
    items = module.scoop_info.items
    assert [(item.pattern, item.is_parameters) for item in items] == [
        ("options.txt", True),
        ("log-*.txt", False),
        ("x.csv", False),
    ]
    assert items[2].scraper == "csv"


@pytest.mark.parametrize("returned", ["5", "[('a',)]", "[('a', 5)]", "['ab']"])
def test_a_wrong_get_scoop_info_is_explained(script, returned):
    with pytest.raises(StudyError, match="get_scoop_info"):
        script(f"def get_scoop_info():\n    return {returned}\n")


def test_steps_have_the_names_of_their_functions(script):
    module = script(
        """
        import functools

        def plot(df, data=None, name='x'):
            pass

        def get_plugin_info():
            return [plot, functools.partial(plot, name='y'), 'show_figures']
        """
    )
    assert [step.name for step in module.steps] == ["plot", "plot", "show_figures"]
    assert isinstance(module.steps[1].target, functools.partial)


def test_a_module_without_any_of_the_functions_offers_nothing(script):
    module = script("x = 1\n")
    assert module.run_info is None and module.scoop_info is None and module.steps == ()


def test_functions_of_the_module_can_be_named(script):
    module = script(
        """
        def get_run_info():
            return 'x {output_dir}', {}, 'output_dir', ''

        def make_seeds(args, keys, conf, options):
            pass

        class Compute:
            pass
        """
    )
    assert {"make_seeds", "Compute"} <= set(module.functions)
