"""Filters and queries: what they mean, what they refuse, and that nothing stops the driver."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.study.expression import compile_expression, short_name
from soops.kernel.study.grammar import GrammarError
from soops.kernel.study.operations import FUNCTIONS
from soops.kernel.values import Source

VALUES = {
    "--num": 100,
    "--n-cell": 3,
    "--seed": "@undefined",
    "--silent": "@defined",
    "host": "random",
    "x": 1.5,
    "points": [1, 2],
    "mixed": "7",
    "none": None,
}


def value(text: str, values=VALUES):
    return compile_expression(text, values)(values)


def mistake(text: str, **options) -> GrammarError:
    with pytest.raises(GrammarError) as caught:
        compile_expression(text, VALUES, **options)
    return caught.value


# --- meaning -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("num == 100", True),
        ("num == 100 & host == 'random'", True),
        ("num == 1 | x < 2", True),
        ("num == 1 or x > 2 or host == 'random'", True),
        ("~(num == 100)", False),
        ("~num == 100", False),
        ("not num == 1 and not x == 2", True),
        ("not not num == 100", True),
        ("1 < x < 2 < num", True),
        ("1 < x < 1.2 < num", False),
        ("num in [1, 100]", True),
        ("num in (1, 2)", False),
        ("num not in [1, 2] and host not in ('first',)", True),
        ("'and' in host", True),
        ("points == [1, 2]", True),
        ("2 in points", True),
        ("n_cell == 3 and `--n-cell` == 3", True),
        ("(num == 100) == true", True),
        ('host == "random"', True),
    ],
)
def test_logic_and_comparisons(text, wanted):
    assert value(text) is wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 + 2 * 3 - 4 / 2", 5.0),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("--x", 1.5),
        ("7 // 2 + 7 % 4", 6),
        ("10 - 4 - 3", 3),
        ("(1 + 2) * 3", 9),
        ("'a' + 'b'", "ab"),
        ("max(num, 7, x)", 100),
        ("round(x) + abs(-1) + len(host)", 9),
        ("sqrt(4) + log10(100) + floor(1.7) + ceil(0.2)", 6.0),
        ("round(cos(pi), 3)", -1.0),
        ("int('7') + float('0.5')", 7.5),
        ("upper(host) + str(n_cell)", "RANDOM3"),
        (".5e1", 5.0),
        (r"'it\'s \n'", r"it's \n"),
    ],
)
def test_arithmetic_and_functions(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("startswith(host, 'ran')", True),
        ("endswith(host, 'ran')", False),
        ("contains(host, 'and')", True),
        ("match(host, 'r?nd*m')", True),
        ("match(host, 'r')", False),
        ("contains(num, '1')", False),
        ("defined(host)", True),
        ("defined(seed) or defined(none)", False),
        ("isnan(nan)", True),
    ],
)
def test_functions_that_ask(text, wanted):
    assert value(text) is wanted


def test_an_undefined_parameter_is_none():
    assert value("seed == None and seed == @undefined and seed == '@undefined'") is True
    assert value("seed") is None
    assert value("seed != 12345") is True
    assert value("seed > 1 or seed < 1 or seed == 1") is False
    assert value("silent == @defined") is True
    assert compile_expression("gone == 1", ["gone"])({}) is False


@pytest.mark.parametrize(
    "text",
    ["mixed < 1", "mixed >= 1", "none > 0", "points < 1", "host < 1 < num"],
)
def test_what_cannot_be_compared_is_false(text):
    assert value(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "x + host",
        "host * 1000000000",
        "-host",
        "seed + 1",
        "10 ** 100000",
        "9 ** 9 ** 9",
        "((10 ** 4000) ** 4000) ** 4000",
        "2.0 ** 100000",
        "exp(1000)",
        "sqrt(-1)",
        "log(0)",
        "int('x')",
        "int(host)",
        "float(points)",
        "round(5, -1000000000)",
        "min(1, host)",
        "max(none, 1)",
        "len(1)",
        "upper(1)",
    ],
)
def test_what_has_no_result_is_none(text):
    assert value(text) is None


def test_what_has_no_result_is_equal_to_nothing_but_none():
    assert value("1 / 0 > 0 or 1 / 0 <= 0") is False
    assert value("1 / 0 != 0") is True


def test_values_of_numpy_are_like_those_of_python():
    np = pytest.importorskip("numpy")
    values = {"n": np.int64(3), "x": np.float64(1.5), "many": np.arange(3)}

    assert value("n == 3 and x * 2 == 3.0 and n ** 2 == 9 and n in [1, 3]", values) is True
    assert value("many == 1", values) is False
    assert value("2 in many", values) is True
    assert compile_expression("many", values).holds(values) is False
    assert value("not many", values) is True


def test_names_are_the_parameters_that_are_asked_for():
    expression = compile_expression("num > 1 and `x` < 2 and num < 9 or host == 'y'", VALUES)

    assert expression.names == ("--num", "x", "host")
    assert repr(expression) == f"Expression({expression.text!r})"


def test_short_names():
    assert [short_name(key) for key in ("--n-cell", "-x", "host")] == ["n_cell", "x", "host"]


def test_names_that_stand_for_several_parameters_must_be_written_out():
    values = {"--n-cell": 1, "n-cell": 2}

    with pytest.raises(GrammarError, match="may mean several"):
        compile_expression("n_cell == 1", values)
    assert value("`n-cell` - `--n-cell`", values) == 1
    assert value("n_cell", {"n_cell": 5, **values}) == 5, "the exact name comes first"


def test_a_parameter_may_be_named_like_a_number_or_function():
    assert value("pi + abs + abs(-1)", {"pi": 1, "abs": 2}) == 4
    assert math.isnan(value("nan", {}))


# --- mistakes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "column", "hint"),
    [
        ("num = 1", "'=' where an operator should be", 5, "compare with =="),
        ("num ==", "the end where a value should be", 7, None),
        ("numm > 1", "unknown parameter 'numm'", 1, "did you mean 'num'?"),
        ("x > `--numm`", "unknown parameter '--numm'", 6, "did you mean '--num'?"),
        ("x > sqr(x)", "unknown function 'sqr'", 5, "did you mean 'sqrt'"),
        ("host.upper()", "'.' where an operator should be", 5, "there are no attributes"),
        ("points[0]", "'[' where an operator should be", 7, "there are no attributes"),
        ("x == 1 && num", "'&&' where an operator", 8, "write and, or, not"),
        ("!x", "'!' where a value should be", 1, "write and, or, not"),
        ("(x", "the end where ')' should be", 3, None),
        ("x not 1", "'1' where 'in' should be", 7, None),
        ("host == 'ran", '"\'" where a value should be', 9, "not closed"),
        ("sqrt()", "takes 1 arguments, not 0", 1, None),
        ("round(x, 1, 2)", "takes 1 to 2 arguments, not 3", 1, None),
        ("1abc", "'1' where a value should be", 1, None),
        ("9" * 5000, "too many digits", 1, None),
        ("", "the expression is empty", 1, None),
        ("lambda: 1", "unknown parameter 'lambda'", 1, None),
        ("x if x else 1", "'if' where an operator should be", 3, None),
        ("[i for i in points]", "unknown parameter 'i'", 2, None),
        ("@x", "'@' where a value should be", 1, None),
    ],
)
def test_a_mistake_is_shown_where_it_is(text, message, column, hint):
    error = mistake(text)

    assert message in error.message
    assert error.source.column == column
    assert (hint or "") in (error.hint or "")
    assert len(error.lines()) <= 3


def test_columns_are_those_of_the_expression():
    in_file = mistake("x >", source=Source(path="study.toml"))
    in_option = mistake("x >", source=Source(path="--where"))

    assert str(in_file.source) == "study.toml [where], line 1, column 4: x >"
    assert str(in_option.source) == "--where, line 1, column 4: x >"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__[0]",
        "open('/etc/passwd')",
        "eval('1')",
        "(x := 1)",
        "f'{x}'",
        "globals()",
        "str.upper(host)",
    ],
)
def test_there_is_no_way_to_python(text):
    assert mistake(text).source.column


# --- bounds ------------------------------------------------------------------------------


def test_chains_may_be_long():
    assert value(" + ".join(["1"] * 5000)) == 5000
    assert value(" or ".join(["x == 2"] * 5000)) is False
    assert value("not " * 5001 + "x") is False
    assert value("-" * 5001 + "x") == -1.5


@pytest.mark.parametrize("text", ["(" * 500 + "1" + ")" * 500, "2 ** " * 500 + "2", "[" * 500])
def test_deep_nesting_is_refused(text):
    assert "nested more than 40 deep" in mistake(text).message


@pytest.mark.timeout(30)
def test_no_pattern_takes_for_ever():
    values = {"name": "a" * 5000 + "b"}

    assert value(f"match(name, '{'*a' * 20}*c')", values) is False


WORDS = ["num", "x", "host", "seed", "points", "1", "2.5", "'a'", "None", "nan", "@undefined"]
WORDS += ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", ">=", "&", "|", "~", "and", "or"]
WORDS += ["not", "in", "(", ")", "[", "]", ",", "`x`", "max(", "round(", "str(", ".", "="]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(WORDS), max_size=15))
def test_any_text_is_understood_or_refused(words):
    try:
        expression = compile_expression(" ".join(words), VALUES)
    except GrammarError as error:
        assert error.source.column
    else:
        assert expression.holds(VALUES) in (True, False)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(st.sampled_from([*VALUES, "'a'"]), min_size=1))
def test_a_function_never_raises(name, arguments):
    text = f"{name}({', '.join(word if word[0] != '-' else f'`{word}`' for word in arguments)})"
    try:
        expression = compile_expression(text, VALUES)
    except GrammarError as error:
        assert "arguments" in error.message
    else:
        expression(VALUES)
