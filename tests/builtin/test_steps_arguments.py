"""Wrong arguments of steps, seen without a table: ``StepSpec.check``."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from soops.api import App, SoopsError
from soops.base import Struct

STEPS = ("pivot", "plot", "statistics")


def check(step, **kwargs):
    registry = App.create().registry("step")
    home, _, name = registry.get(step).check.partition(":")
    module = __import__(home, fromlist=[name])
    getattr(module, name)(**kwargs)


@pytest.mark.parametrize(
    ("step", "kwargs"),
    [
        ("plot", {"x": "n", "y": "e"}),
        ("plot", {"x": "n", "y": ["e", "f"], "hue": None, "facets": ["a", "b"], "size": [4, 3.5]}),
        ("plot", {"kind": "scatter", "x": "n", "y": "e", "output": ["a.png", "b/c.SVG"]}),
        ("plot", {"kind": "heatmap", "x": "n", "y": "m", "value": "e", "aggregate": "none"}),
        ("plot", {"kind": "parallel", "logx": False}),
        ("pivot", {"index": "n", "columns": ["m"], "values": "e", "aggregate": "count"}),
        ("statistics", {}),
        ("statistics", {"over": "replicate", "what": "sem", "output": "a.md"}),
    ],
)
def test_right_arguments_pass(step, kwargs):
    check(step, **kwargs)


@pytest.mark.parametrize(
    ("step", "kwargs", "text"),
    [
        (
            "plot",
            {"kind": "lines", "x": "n", "y": "e"},
            "unknown kind 'lines'; did you mean 'line'?",
        ),
        ("plot", {"y": "e"}, 'x is missing: write x = "a column"'),
        ("plot", {"kind": "heatmap", "x": "n", "y": "m"}, "value is missing"),
        ("plot", {"x": "n", "y": "e", "color": "m"}, "unknown argument 'color'"),
        ("plot", {"x": 3, "y": "e"}, "x is not a text or a list of texts: 3"),
        ("plot", {"x": "n", "y": []}, "y is an empty list"),
        ("plot", {"x": ["n", "m"], "y": "e"}, "x is one column: n, m"),
        ("plot", {"x": "n", "y": ["e", "e"]}, "y names something twice"),
        ("plot", {"x": "n", "y": "e", "facets": ["a", "b", "c"]}, "facets are one column or two"),
        ("plot", {"x": "n", "y": "e", "output": "a.jpg"}, ".png, .svg, .pdf: 'a.jpg'"),
        ("plot", {"x": "n", "y": "e", "logx": "yes"}, "logx is not true or false: 'yes'"),
        ("plot", {"x": "n", "y": "e", "size": [4]}, "size is not two numbers from 1 to 100"),
        ("plot", {"x": "n", "y": "e", "dpi": float("nan")}, "dpi is not a number from 10"),
        ("plot", {"x": "n", "y": "e", "aggregate": "avg"}, "unknown aggregate 'avg'"),
        ("plot", {"x": "n", "y": "e", "aggregate": "max", "error": "std"}, "error goes with"),
        ("plot", {"x": "n", "y": "e", "value": "f"}, "value is of no use: the figure is of kind"),
        ("plot", {"kind": "heatmap", "x": "n", "y": "m", "value": "e", "hue": "h"}, "hue is of no"),
        ("plot", {"kind": "parallel", "columns": ["a"]}, "columns are at least two"),
        ("pivot", {"index": "n"}, "values is missing"),
        ("pivot", {"index": "n", "columns": "n", "values": "e"}, "n is both in index and in"),
        ("pivot", {"index": "n", "values": "e", "output": "a.xlsx"}, "suffixes .csv, .md, .txt"),
        ("statistics", {"what": ["mean", "mode"]}, "unknown word 'mode' in what"),
        ("statistics", {"over": "a", "by": ["a"]}, "a is both in over and in by"),
        ("statistics", {"value": "e"}, "unknown argument 'value'; did you mean 'values'?"),
    ],
)
def test_wrong_arguments_are_told_in_one_line_by_check_and_by_the_step(
    step, kwargs, text, tmp_path
):
    with pytest.raises(ValueError) as seen:
        check(step, **kwargs)
    with pytest.raises(SoopsError) as raised:
        frame = pd.DataFrame({"n": [1], "e": [2.0]})
        App.create().resolve("step", step)(frame, Struct(output_dir=str(tmp_path)), **kwargs)

    assert text in str(seen.value)
    assert "\n" not in str(seen.value)
    assert str(raised.value) == str(seen.value)
    assert not list(tmp_path.iterdir())


def test_the_checks_import_nothing_heavy():
    code = (
        "import sys; from soops.api import App; r = App.create().registry('step')\n"
        f"for name in {STEPS!r}:\n"
        "    home, _, check = r.get(name).check.partition(':')\n"
        "    module = __import__(home, fromlist=[check])\n"
        "    try: getattr(module, check)(kind='x')\n"
        "    except ValueError: pass\n"
        "print([x for x in ('numpy', 'pandas', 'matplotlib') if x in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
