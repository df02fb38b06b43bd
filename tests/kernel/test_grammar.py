"""The value language: directives, positions of mistakes, bounds, and the way back to text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.errors import StudyError
from soops.kernel.study.grammar import (
    GrammarError,
    parse_dict,
    parse_directive,
    parse_list,
    parse_text,
    parse_value,
    render,
)
from soops.kernel.values import Directive, Source

quick = settings(deadline=None, max_examples=100)

TEXTS = st.text(st.characters(codec=None), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False, allow_infinity=False)
    | TEXTS
)
KEYS = st.none() | st.booleans() | st.integers() | TEXTS | st.tuples(TEXTS, st.integers())
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=15,
)


def mistake(text: str, **options) -> GrammarError:
    """Return the error of a text that is wrong."""
    with pytest.raises(GrammarError) as caught:
        parse_dict(text, **options)
    return caught.value


# --- the way back ------------------------------------------------------------------------


@quick
@given(VALUES)
def test_what_is_rendered_is_read_as_the_same_value(value):
    assert repr(parse_value(render(value))) == repr(value)


@quick
@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.booleans())
def test_the_inside_of_a_rendered_dict_is_a_study_text(values, free):
    assert repr(parse_dict(render(values)[1:-1], free_word=free)) == repr(values)


@quick
@given(st.lists(SCALARS, max_size=6), st.sampled_from(["", " ", "\n", " \t\n ", "\u00a0"]))
def test_blanks_never_change_a_type(values, blank):
    text = (blank + "," + blank).join(render(value) for value in values)

    assert repr(parse_list(blank + text + blank)) == repr(values)


def test_what_has_no_text_is_refused():
    endless: list = []
    endless.append(endless)
    for value in (float("nan"), complex(0, float("inf")), object(), {1, 2}, endless):
        with pytest.raises(StudyError, match="cannot be written as text"):
            render(value)


def test_a_numpy_scalar_is_rendered_as_the_value_it_holds():
    np = pytest.importorskip("numpy")

    assert render([np.int64(3), np.float64(0.5), np.bool_(True)]) == "[3, 0.5, True]"


# --- directives --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "@linspace(0, 1.5, num=5, dtype=np.int32)",
        "'@linspace(0, 1.5, num=5, dtype=np.int32)'",
        '"@linspace(0,1.5,num=5,dtype=np.int32) "',
    ],
)
@pytest.mark.parametrize("free", [True, False], ids=["free", "plain"])
def test_a_directive_is_read_quoted_or_not(text, free):
    value = parse_value(text, free_word=free)

    assert isinstance(value, Directive)
    assert (value.name, value.args, value.called) == ("linspace", (0, 1.5), True)
    assert value.kwargs == {"num": 5, "dtype": "np.int32"}


def test_a_directive_knows_its_text_and_place():
    text = "a=1,\n  b=[2, @range(3)], c='@x'"
    values = parse_dict(text, source=Source(path="s.cfg", line=10))

    inner, quoted = values["b"][1], values["c"]
    assert (inner.text, inner.source.line, inner.source.column) == ("@range(3)", 11, 9)
    assert (quoted.text, quoted.source.line, quoted.source.column) == ("@x", 11, 24)
    assert not quoted.called


def test_arguments_are_of_the_same_language():
    value = parse_value("@f([1, 'a b'], (), {k=1}, None, @g, h=@i(2))")

    assert value.args[:4] == ([1, "a b"], (), {"k": 1}, None)
    assert value.args[4].name == "g"
    assert value.kwargs["h"].args == (2,)


def test_directives_may_be_kept_as_texts():
    values = parse_dict("a=@undefined, b='@arange(1, 3)', c=@@x", directives=False)

    assert values == {"a": "@undefined", "b": "@arange(1, 3)", "c": "@@x"}


@pytest.mark.parametrize("text", ["@@home", "'@@home'", "$'@home'"])
def test_a_text_may_begin_like_a_directive(text):
    assert parse_value(text) == "@home"


@pytest.mark.parametrize("text", ["x@y.org", "@2x", "@a-b", "@", "'@ x'", "'@a b'"])
def test_what_only_looks_like_a_directive_is_a_text(text):
    assert parse_value(text) == text.strip("'")


def test_a_text_of_another_format_may_be_a_directive():
    assert parse_directive("no") is None
    assert parse_directive("@range(1, 3)").args == (1, 3)
    assert parse_text("@@range(1, 3)") == "@range(1, 3)"
    assert parse_text("").__class__ is str
    with pytest.raises(GrammarError, match="never closed"):
        parse_directive("@range(1, 3")
    with pytest.raises(GrammarError, match="after the end of the value"):
        parse_directive("@range(3) if True else 1")


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("a=@f(1, x=2, 3)", "comes after one with a name", 14),
        ("a=@f(x=1, x=2)", "'x' is given twice", 12),
        ("a=@f(1=2)", "'=' where ',' or ')' should be", 7),
        ("a=@f(1, x=y=2)", "'=' where ',' or ')' should be", 12),
        ("a=@f(x=y=2)", "'=' where ',' or ')' should be", 9),
        ("a=@f(=2)", "no value before '='", 6),
        ("a=@f('x'=2)", "'=' where ',' or ')' should be", 9),
        ("a=@f(1", "'@f(' is never closed", 3),
        ("a=@f (1)", "'(' where ',' or the end should be", 6),
        ("a=@f(1)(2)", "'(' where ',' or the end should be", 8),
        ("@f(1)=2", "'(' where '=' should be", 3),
    ],
)
def test_a_mistake_in_a_directive_is_shown_where_it_is(text, message, column):
    error = mistake(text)

    assert message in error.message
    assert error.source.column == column


# --- mistakes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("a==1", "no value before '='", 3),
        ("a=1 2", "'2' where ',' or the end should be", 5),
        ("a=b=c", "'=' where ',' or the end should be", 4),
        ("a=x y", "'y' where ',' or the end should be", 5),
        ("a=[1 2]", "'2' where ',' or ']' should be", 6),
        ("a=[1,2", "'[' is never closed", 3),
        ("a=(1]", "'(' of line 1 is closed by ']'", 5),
        ("a=1]", "']' closes nothing", 4),
        ("a=1,,b=2", "no entry before ','", 5),
        ("a=[,]", "no value before ','", 4),
        ("a=1, b", "no value for 'b'", 7),
        ("a:1", "no value for 'a:1'", 4),
        ("a: 1", "'1' where '=' should be", 4),
        ("a='x' 'y'", "where ',' or the end should be", 7),
        ("a=it's", "does not end on its line", 5),
        ("a='x\ny'", "does not end on its line", 3),
        ("[1]=2", "a list cannot be a key", 1),
        ("{}=2", "a dict cannot be a key", 1),
        ("a=x\0y", "cannot be part of a word", 4),
        ("a=$'\\q'", "unknown escape \\q", 5),
        ("a=$'\\U00110000'", "unknown escape", 5),
        ("a=" + "9" * 5000, "too many digits", 3),
    ],
)
def test_a_mistake_is_shown_where_it_is(text, message, column):
    error = mistake(text)

    assert message in error.message
    assert (error.source.line, error.source.column) == (1, column)
    assert len(error.lines()) <= 3
    picture = error.picture().splitlines()
    assert picture[1] == " " * min(column - 1, 40) + "^"


def test_plain_words_are_refused_with_advice():
    error = mistake("a=x-y", free_word=False)

    assert error.message == "'x-y' is not a plain word"
    assert error.hint == "quote it: 'x-y'"


def test_lines_and_columns_are_those_of_the_file():
    source = Source(path="s.cfg", section="small", line=7, column=5)

    first = mistake("a=1 2", source=source)
    later = mistake("a=1,\nb=[1,\n2 3]", source=source)

    assert (first.source.line, first.source.column) == (7, 9)
    assert (later.source.line, later.source.column) == (9, 3)
    assert later.source.excerpt == "2 3]"
    assert str(later.source) == "s.cfg [small], line 9, column 3: 2 3]"


def test_of_a_long_line_the_part_with_the_mistake_is_shown():
    error = mistake("a=[" + "1, " * 100 + "2 3" + ", 4" * 100 + "]")

    assert error.source.column == 306
    before, caret = error.picture().splitlines()
    assert len(before) <= 80
    assert before[len(caret) - 1] == "3"


def test_a_grammar_error_is_a_value_error_for_scripts():
    assert isinstance(mistake("a=["), ValueError)
    assert isinstance(mistake("a=["), StudyError)


# --- the rest of the language ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"$'a\n\t\\\'\"\x41\u0416\U0001f600\0'", "a\n\t\\'\"AЖ\U0001f600\0"),
        ("$HOME/x", "$HOME/x"),
        ("'' ", ""),
        ('"it\'s"', "it's"),
        ("[1, [2, (3, {a=4})]]", [1, [2, (3, {"a": 4})]]),
        ("-1.5e3-2.j", -1500 - 2j),
        ("1.5.", "1.5."),
        ("None.", "None."),
        ("{1 : 2, 'k':3, w :4}", {1: 2, "k": 3, "w": 4}),
    ],
)
def test_values(text, value):
    assert repr(parse_value(text)) == repr(value)


def test_a_text_without_a_value_is_a_mistake():
    with pytest.raises(GrammarError, match="there is no value"):
        parse_value("  ")


def test_a_later_entry_wins_in_the_place_of_the_first():
    assert list(parse_dict("a=1, b=2, a=3").items()) == [("a", 3), ("b", 2)]


# --- bounds ------------------------------------------------------------------------------


@pytest.mark.parametrize(("opened", "closed"), ["[]", "()", ("{a=", "}"), ("@f(", ")")])
def test_deep_nesting_is_refused_and_not_crashed_on(opened, closed):
    def nested(depth):
        return opened * depth + "1" + closed * depth

    parse_value(nested(50))
    with pytest.raises(GrammarError, match="nested more than 100 deep"):
        parse_value(nested(1000))
    with pytest.raises(GrammarError, match="nested more than 100 deep"):
        parse_value(opened * 200_000)


NASTY = {
    "quotation marks": "'" * 1_000_001,
    "backslashes before quotation marks": "'" + r"\'" * 500_000,
    "digits and a letter": "1" * 1_000_000 + "x",
    "exponents": "1e" * 500_000,
    "dots": "." * 1_000_000,
    "blanks": " " * 1_000_000,
    "escapes": "$'" + "\\" * 1_000_001,
    "directives": "@a" * 500_000,
    "terms": "+1" * 500_000 + "j",
    "commas": "," * 1_000_000,
    "items": "x," * 200_000,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_no_text_takes_more_than_linear_time(text):
    """What is quadratic would take hours for a million characters."""
    for read in (parse_value, parse_list, parse_dict):
        try:
            read(text)
        except GrammarError as error:
            assert len(error.lines()[1]) < 200


@quick
@given(
    st.text(st.sampled_from("a1'\"[](){}=,:@$\\ \n.-+ej"))
    | st.lists(st.sampled_from(["@f(", "x", "=", ",", "1", ")", "'y'", "[", "]", " "])).map("".join)
)
def test_any_text_is_read_or_refused_with_its_place(text):
    for read in (parse_dict, parse_list, parse_value):
        for free in (True, False):
            try:
                read(text, free_word=free)
            except GrammarError as error:
                lines = text.split("\n")
                assert 1 <= error.source.line <= len(lines)
                assert 1 <= error.source.column <= len(lines[error.source.line - 1]) + 1
                assert len(error.lines()) <= 3


def test_the_language_is_cheap_to_import():
    code = (
        "import sys, soops.parsing;"
        "print(*[name for name in ('pluggy', 'soops.kernel.app', 'numpy', 'click')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
