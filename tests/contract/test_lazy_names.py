"""``import soops as so``: names are found when used, and nothing else is loaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import soops

HEAVY = {
    "IPython",
    "click",
    "dask",
    "distributed",
    "matplotlib",
    "numpy",
    "pandas",
    "pluggy",
    "psutil",
    "pyarrow",
    "pytest",
    "tables",
}


def loaded(code: str) -> set[str]:
    """Return the modules that code brings, beyond those of bare Python."""
    script = (
        "import sys; before = set(sys.modules); exec(sys.argv[1]); "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_import_loads_two_small_modules():
    assert loaded("import soops") == {"soops", "soops._version"}


def test_a_name_loads_its_module_only():
    names = loaded("import soops; soops.Struct; soops.output; soops.save_options")

    assert not HEAVY & names
    assert not {name for name in names if name.startswith(("soops.kernel", "soops.study"))}
    # What is loaded by all of this costs less than `import argparse`, with which scripts begin.
    assert names < loaded("import argparse") | {
        "soops",
        "soops._version",
        "soops.base",
        "soops.dicts",
        "soops.importing",
        "soops.ioutils",
        "soops.shells",
        "importlib._bootstrap",
        "importlib._bootstrap_external",
        "importlib",
        "itertools",
        "warnings",
        "__future__",
    }


@pytest.mark.parametrize(
    "module",
    [
        "soops.base",
        "soops.cliargs",
        "soops.find_studies",
        "soops.formatting",
        "soops.ioutils",
        "soops.loading",
        "soops.parsing",
        "soops.plot_selected",
        "soops.plugins",
        "soops.print_info",
        "soops.run_parametric",
        "soops.runners",
        "soops.scoop_outputs",
        "soops.show_jobs",
        "soops.timing",
    ],
)
def test_a_module_of_the_script_library_is_light(module):
    assert not HEAVY & loaded(f"import {module}")


def test_every_name_leads_to_something():
    for name in (*soops.__all__, "run", "plan", "scoop", "find", "op", "os", "base", "version"):
        assert getattr(soops, name) is not None
    assert soops.op.join is not None
    assert soops.version.__version__ == soops.__version__
    assert soops.output is soops.base.output
    assert soops.Iterable.__name__ == "Iterable"


def test_names_are_listed():
    listed = dir(soops)

    assert {*soops.__all__, "run", "plan", "scoop", "find", "ioutils"} <= set(listed)
    assert listed == sorted(listed)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sturct'"):
        _ = soops.sturct
    assert not hasattr(soops, "tests")


def test_a_star_import_gives_the_script_library_and_hides_no_builtin():
    names: dict[str, object] = {}
    exec("from soops import *", names)

    assert {"Struct", "output", "parse_as_dict"} <= set(names)
    assert not {"run", "plan", "scoop", "find"} & set(names)


def test_what_type_checkers_see_is_what_is_there():
    tree = ast.parse(Path(soops.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }
    lazy = {name: module for name, module in soops._MODULE_OF.items() if "soops" in module}

    assert seen == lazy
    assert set(soops.__all__) <= set(seen) | {"__version__", "test"}


def test_the_tests_of_the_installed_package_are_run(monkeypatch, tmp_path):
    """``soops.test()`` gives pytest's exit code, and no configuration around it counts."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    code = "import soops, sys; sys.exit(soops.test('--collect-only', '-q', '-p', 'no:randomly'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_the_demo_makes_runs_a_table_and_a_plot" in done.stdout
    code = code.replace("'-q'", "'-q', '-k', 'no_such_test'")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 5
