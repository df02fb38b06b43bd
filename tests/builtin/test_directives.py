"""The directives of the builtin, by way of a study text: values, words, bounds, mistakes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from soops.api import DEFINED, UNDEFINED, App, Generated, StudyError
from soops.kernel.study.conf import expand, pending_keys, read_study
from soops.study import create_app
from soops_builtin.directives import MAX_VALUES


@pytest.fixture(scope="module")
def app() -> App:
    return create_app()


def value(app, text):
    return expand(app, read_study(app, f"a={text}"))["a"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@defined", DEFINED),
        ("@undefined", UNDEFINED),
        ("'@undefined'", UNDEFINED),
        ("[1, @undefined]", [1, UNDEFINED]),
        ("@range(3)", [0, 1, 2]),
        ("@range(1, 10, 4)", [1, 5, 9]),
        ("@range(3, 0, -1)", [3, 2, 1]),
        ("@range(2*3)", [0, 1, 2, 3, 4, 5]),
        ("@arange(3)", [0, 1, 2]),
        ("@arange(1, 3)", [1, 2]),
        ("@arange(0, 1, .25)", [0.0, 0.25, 0.5, 0.75]),
        ("@arange(stop=2)", [0, 1]),
        ("@arange(1, 4, dtype=float)", [1.0, 2.0, 3.0]),
        ("@arange(1, 4, 1, np.float64)", [1.0, 2.0, 3.0]),
        ("@linspace(0, 1, 5)", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("'@linspace(100,1000,2,dtype=np.int32)'", [100, 1000]),
        ("@linspace(100, 1000, 2, dtype=int32)", [100, 1000]),
        ("@linspace(0, 1, num=2, endpoint=False)", [0.0, 0.5]),
        ("@linspace(0, 1, 2, False)", [0.0, 0.5]),
        ("@linspace([0, 1], 2, 2)", [[0.0, 1.0], [2.0, 2.0]]),
        ("@logspace(0, 2, 3)", [1.0, 10.0, 100.0]),
        ("@logspace(0, 3, 4, base=2, dtype=int)", [1, 2, 4, 8]),
        ("@geomspace(1, 100, 3)", [1.0, 10.0, 100.0]),
        ("@linspace(0, 2*np.pi, 2)", [0.0, 2 * np.pi]),
        ("@linspace(0, pi/2, 2)", [0.0, np.pi / 2]),
        ("@linspace(-1e-3, 10**-2, 1+1)", [-0.001, 0.01]),
        ("[0, @range(5, 7), @linspace(8, 9, 2)]", [0, 5, 6, 8.0, 9.0]),
    ],
)
def test_values(app, text, wanted):
    found = value(app, text)

    assert repr(found) == repr(wanted), "Python values, types included"


@pytest.mark.parametrize(
    "call",
    [
        "arange(0, 1, 0.1)",
        "arange(10, 0, -3)",
        "arange(1.5)",
        "arange(3, dtype='float32')",
        "linspace(0, 1)",
        "linspace(1, 10, 4, dtype=int)",
        "linspace(0.1, 0.3, 3)",
        "logspace(-2, 2, 7)",
        "geomspace(1, 256, 9)",
        "geomspace(1, 256, 9, endpoint=False)",
    ],
)
def test_values_are_exactly_those_of_numpy(app, call):
    wanted = eval(f"np.{call}", {"np": np, "int": int}).tolist()

    assert repr(value(app, f"@{call}")) == repr(wanted)


def test_generate_is_for_a_function_of_the_module(app):
    study = read_study(app, "--switch=@generate, --seed='@generate', --num=[1, 2]")

    assert pending_keys(app, study) == ["--switch", "--seed"]
    assert app.resolve("directive", "generate")() == Generated()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@arange()", "numpy.arange refuses its arguments: arange() requires stop"),
        ("@arange(1, 10, 0)", "numpy.arange refuses its arguments: division by zero"),
        ("@arange(1, 2, 3, 4, 5)", "'4' is no dtype|4 is no dtype|refuses its arguments"),
        ("@arange(x)", "'x' is no number"),
        ("@arange('__import__(\"os\")')", "is no number"),
        ("@arange(9**9**9)", "'9**9**9' is no number"),
        ("@arange(None)", "numpy.arange refuses its arguments"),
        ("@arange(3, dtype=object)", "'object' is no dtype"),
        ("@arange(3, like=1)", "@arange has no argument 'like'"),
        ("@linspace(0, 1, 2.5)", "numpy.linspace refuses its arguments"),
        ("@linspace(0, 1, -1)", "numpy.linspace refuses its arguments"),
        ("@linspace(0, 1, 3, foo=1)", "unexpected keyword argument 'foo'"),
        ("@linspace(0, 1, 3, retstep=True)", "retstep of numpy.linspace"),
        ("@geomspace(0, 1, 3)", "cannot include zero"),
        ("@range()", "@range takes one to three integers"),
        ("@range(1.5)", "@range takes one to three integers"),
        ("@range(True)", "@range takes one to three integers"),
        ("@range(1, 2, 0)", "the step of @range is 0"),
        ("@undefined(1)", "@undefined(1) failed: TypeError"),
        ("@undefned", "unknown directive 'undefned'"),
    ],
)
def test_a_mistake_is_shown_where_it_is(app, text, message):
    with pytest.raises(StudyError) as caught:
        value(app, text)

    assert any(part in caught.value.message for part in message.split("|"))
    assert (caught.value.source.line, caught.value.source.column) == (1, 3)
    assert len(caught.value.lines()) <= 3


@pytest.mark.parametrize(
    "text",
    [
        "@range(10**12)",
        "@range(10**40)",
        "@arange(0, 1, 1e-9)",
        "@arange(1e300)",
        "@arange(1, 1e999)",
        "@linspace(0, 1, 10**9)",
        "@linspace(0, 1, num=10000001)",
        "@logspace([0, 1, 2, 3], 1, 5*10**6)",
    ],
)
def test_too_many_values_are_refused_before_they_are_made(app, text):
    with pytest.raises(StudyError, match=rf"{MAX_VALUES} is the most"):
        value(app, text)


def test_numpy_is_imported_only_for_its_own_directives():
    code = (
        "import sys\n"
        "from soops.study import create_app\n"
        "from soops.kernel.study.conf import expand, read_study\n"
        "app = create_app()\n"
        "for text in ('a=[@range(3), @undefined]', 'a=@linspace(0, 1, 2)'):\n"
        "    expand(app, read_study(app, text))\n"
        "    print('numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]
