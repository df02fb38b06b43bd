"""Every public function and class of soops 2026.2 is here, with a signature that fits."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODULES = [
    "soops",
    "soops.base",
    "soops.cliargs",
    "soops.find_studies",
    "soops.formatting",
    "soops.ioutils",
    "soops.parsing",
    "soops.plot_selected",
    "soops.plugins",
    "soops.print_info",
    "soops.run_parametric",
    "soops.runners",
    "soops.scoop_outputs",
    "soops.show_jobs",
    "soops.timing",
]

#: What is not here, and why.
GONE = {
    "soops.parsing": {
        # Objects of pyparsing and what made them: the language has a parser of its own.
        "create_dict_bnf",
        "create_list_bnf",
        "cvt_array_index",
        "cvt_cmplx",
        "cvt_int",
        "cvt_none",
        "cvt_real",
        "get_standard_type_defs",
        "list_of",
    },
    # Names that these modules only imported: they are names of their own modules and of soops.
    "soops.ioutils": {"parse_as_dict"},
    "soops.plot_selected": {"parse_as_dict"},
    "soops.formatting": {"fix_path", "run_command"},
    "soops.show_jobs": {"pa"},  # of run_parametric, where it is called parse_args
}

#: Other defaults that mean the same.
SAME = {("load_kwargs", "{}", "None")}  # a dict that all calls would share

#: Run by either Python process: the same questions to both packages.
DESCRIBE = """
import importlib, inspect, json, sys

def parameters(function):
    return [
        [item.name, item.kind.name, "-" if item.default is item.empty else repr(item.default)]
        for item in inspect.signature(function).parameters.values()
    ]

def public(vars_):
    for name, value in sorted(vars_.items()):
        if not name.startswith("_") or name in ("__init__", "__call__"):
            yield name, value

def described(module):
    out = {}
    for name, value in public(vars(module)):
        if not getattr(value, "__module__", "").startswith("soops"):
            continue
        if inspect.isclass(value):
            methods = {
                key: parameters(item)
                for key, item in public(vars(value))
                if inspect.isfunction(item)
            }
            out[name] = {"methods": methods}
        elif inspect.isfunction(value):
            out[name] = {"function": parameters(value)}
    return out

if __name__ == "__main__":
    names = json.loads(sys.argv[1])
    print(json.dumps({name: described(importlib.import_module(name)) for name in names}))
"""

_own: dict[str, Any] = {"__name__": "described"}
exec(DESCRIBE, _own)
parameters = _own["parameters"]


@pytest.fixture(scope="module")
def theirs(old_package: Path) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE, json.dumps(MODULES)],
        env={**os.environ, "PYTHONPATH": str(old_package), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    assert sum(len(names) for names in found.values()) > 150
    return found


@pytest.mark.parametrize("module", MODULES)
def test_every_function_can_be_called_in_the_same_way(module: str, theirs: Any) -> None:
    ours = importlib.import_module(module)
    wrong = {}
    for name, their in theirs[module].items():
        if name in GONE.get(module, ()):
            continue
        if not hasattr(ours, name):
            wrong[name] = "is not there"
            continue
        value = getattr(ours, name)
        for where, wanted, found in pairs(name, their, value):
            trouble = misfit(wanted, found)
            if trouble:
                wrong[where] = trouble
    assert not wrong


def pairs(name: str, their: dict[str, Any], value: Any) -> Any:
    """Yield what is compared: a name, their parameters and ours (None: it is not there)."""
    if "function" in their:
        assert callable(value), name
        yield name, their["function"], parameters(value)
        return
    assert inspect.isclass(value), name
    for method, wanted in their["methods"].items():
        found = getattr(value, method, None)
        if found is None:
            yield f"{name}.{method}", wanted, None
            continue
        yield f"{name}.{method}", wanted, parameters(found)


def misfit(wanted: list[list[str]], found: list[list[str]] | None) -> str | None:
    """Say why a call that fits ``wanted`` does not fit ``found``."""
    if found is None:
        return "is not there"
    words = [item for item in wanted if not item[1].startswith("VAR_")]
    ours = [item for item in found if not item[1].startswith("VAR_")]
    for place, (name, kind, default) in enumerate(words):
        here = ours[place] if place < len(ours) else ["nothing", "", "-"]
        if name == here[0] == "self":
            continue
        # What had to be given may have a default here.
        fits = default in ("-", here[2]) or (name, default, here[2]) in SAME
        if [name, kind] != here[:2] or not fits:
            return f"{name}={default} at place {place}, here {here[0]}={here[2]}"
    needed = [item[0] for item in ours[len(words) :] if item[2] == "-"]
    if needed:
        return f"{needed} must be given here"
    missing = {item[1] for item in wanted} - {item[1] for item in found}
    return f"{missing} is not taken" if missing & {"VAR_POSITIONAL", "VAR_KEYWORD"} else None


def test_what_would_not_fit_is_seen() -> None:
    def old(a: Any, b: Any = 1, **more: Any) -> None: ...

    def new(a: Any, b: Any = 1, *, c: Any = 2, **more: Any) -> None: ...

    def other_default(a: Any, b: Any = 2, **more: Any) -> None: ...

    def other_name(a: Any, c: Any = 1, **more: Any) -> None: ...

    def needs_more(a: Any, b: Any = 1, *, c: Any, **more: Any) -> None: ...

    def takes_less(a: Any, b: Any = 1) -> None: ...

    def of_place(a: Any, b: Any = 1, /, **more: Any) -> None: ...

    assert misfit(parameters(old), parameters(new)) is None
    for wrong in (other_default, other_name, needs_more, takes_less, of_place):
        assert misfit(parameters(old), parameters(wrong))
