"""Studies in files with sections: lines, comments, references, and where mistakes are."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.api import Directive, Source, Study, StudyError
from soops.parsing import parse_dict
from soops_builtin.readers import read_ini, read_text


def read(text: str, section: str | None = None) -> Study:
    return read_ini(text, Source(path="studies.cfg", section=section), section)


def wrong(text: str, section: str | None = None) -> StudyError:
    with pytest.raises(StudyError) as caught:
        read(text, section)
    assert len(caught.value.lines()) <= 3
    return caught.value


FILE = """\
# Two studies.
[small]
output_dir = output/small/%s
--num = [1, 2]

[large]
output_dir = output/large/%s
--num = [
    100,
    1000,   ; a comment
    # another one

    10000,
  ]
--Name : 'a; b # c'   # a colon, and a comment
--seed = @undefined
--empty =

[large.@generate]
function = seeds
seeds = ['@undefined', 12345]
"""


def test_the_first_study_is_read():
    study = read(FILE)

    assert study.name == "small"
    assert study.values == {"output_dir": "output/small/%s", "--num": [1, 2]}
    assert study.generate is None
    assert study.source == Source(path="studies.cfg", section="small", line=2)


def test_a_study_is_chosen_by_its_name():
    study = read(FILE, "large")

    assert study.values["--num"] == [100, 1000, 10000]
    assert study.values["--Name"] == "a; b # c"
    assert study.values["--empty"] is None
    assert isinstance(study.values["--seed"], Directive)
    assert study.source.line == 6


def test_a_section_of_arguments_is_no_study():
    study = read(FILE, "large")

    assert study.generate == {"function": "seeds", "seeds": ["@undefined", 12345]}
    assert study.sections["large.@generate"] == study.generate
    assert read("[a.@generate]\nfunction=f\n[a]\nx=1").name == "a"
    assert wrong(FILE, "large.@generate").message == "unknown study 'large.@generate'"


def test_further_sections_are_read_when_they_are_asked_for():
    study = read("[a]\nx=1\n[args]\nfunction = f\nn = @x\n[broken]\ny = [")

    assert set(study.sections) == {"args", "broken"}
    assert study.sections["args"] == {"function": "f", "n": "@x"}
    assert study.sections.get("none") is None
    with pytest.raises(StudyError) as caught:
        study.sections["broken"]
    assert str(caught.value.source) == "studies.cfg [broken], line 7, column 5: y = ["


# --- lines -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("a = 1 ; one", 1),
        ("a = 1 # one", 1),
        ("a = 'x ; y'", "x ; y"),
        ('a = "x # y" ; z', "x # y"),
        ("a = x;y#z", "x;y#z"),
        ("a = #fff", "#fff"),
        ("a = ; nothing", None),
        ("a: 1", 1),
        ("a : {b = 1}", {"b": 1}),
        ("a = {'b': 'c:d'}", {"b": "c:d"}),
        ("a = [1,\n  2,\n# no value\n\n  3]", [1, 2, 3]),
        ("  a =\n    1", 1),
        ("a = $x/$HOME", "$x/$HOME"),
        ("a = 100$", "100$"),
        ("a = $${b}", None),
        ("a = '$${b} $$'", "${b} $"),
        (r"a = $'x\ty'", "x\ty"),
        ("a = žluť", "žluť"),
    ],
)
def test_one_key(lines, wanted):
    text = f"[s]\n{lines}\n"
    if lines == "a = $${b}":
        assert wrong(text).source.line == 2, "braces need quotes"
    else:
        assert read(text).values == {"a": wanted}


def test_the_case_of_keys_is_kept():
    assert list(read("[s]\n--Num=1\nCLOSE_ENV='\"'").values) == ["--Num", "CLOSE_ENV"]


NAMES = st.from_regex(r"-{0,2}[a-z][a-z_]{0,5}", fullmatch=True)
PLAIN = st.from_regex(r"[a-z0-9/.@+*-]{1,8}", fullmatch=True) | st.from_regex(
    r"'[a-z ,%\\]{0,8}'", fullmatch=True
).filter(lambda text: not text.endswith("\\'"))
LISTS = st.lists(PLAIN, min_size=1, max_size=4).map(lambda items: f"[{','.join(items)}]")
MANY_LINES = st.lists(PLAIN, min_size=1, max_size=4).map(
    lambda items: "[" + ",\n    ".join(items) + ",\n    ]"
)


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(NAMES, PLAIN | LISTS | MANY_LINES, min_size=1, max_size=5),
    st.sampled_from(["=", " = ", " : "]),
    st.sampled_from(["", "\n", "\n# words\n"]),
)
def test_a_file_is_cut_as_the_library_cuts_it(options, separator, between):
    text = "[s]\n" + between.join(f"{key}{separator}{value}\n" for key, value in options.items())
    parser = configparser.ConfigParser(interpolation=configparser.ExtendedInterpolation())
    parser.read_string(text)
    joined = ",".join(f"{key}={value}" for key, value in parser["s"].items())

    study = read(text)

    assert repr(texts(study.values)) == repr(texts(parse_dict(joined)))


def texts(value):
    """Return a value with its directives as they were written."""
    if isinstance(value, Directive):
        return value.text
    if isinstance(value, list):
        return [texts(item) for item in value]
    if isinstance(value, dict):
        return {key: texts(item) for key, item in value.items()}
    return value


# --- references and defaults -------------------------------------------------------------


def test_keys_may_refer_to_others():
    study = read(
        "[s]\nbase = out\noutput_dir = ${base}/%s\nn = [${one}, ${numbers:two}]\n"
        "one = ${numbers:one}\n"
        "[numbers]\none = 1\ntwo = ${one}2\n"
    )

    assert study.values["output_dir"] == "out/%s"
    assert study.values["n"] == [1, 12]


def test_keys_of_the_default_section_go_for_every_study():
    text = (
        "[DEFAULT]\npython = python3\nn = 1\n[a]\nn = 2\nx = ${python}\n[b]\n[b.@generate]\nf = 1"
    )

    assert read(text).values == {"python": "python3", "n": 2, "x": "python3"}
    assert read(text, "b").values == {"python": "python3", "n": 1}
    assert read(text, "b").generate == {"f": 1}, "arguments are no parameters"


def test_a_reference_may_forget_the_case():
    assert read("[s]\nBase = 1\na = ${base}").values == {"Base": 1, "a": 1}


@pytest.mark.parametrize(
    ("text", "message", "line", "hint"),
    [
        ("[s]\nbase=1\na = ${bas}", "unknown key in ${...}: 'bas'", 3, "did you mean 'base'?"),
        ("[s]\na = ${t:x}", "unknown section 't'", 2, "write $${t:x} for the text itself"),
        ("[s]\na = ${b}\nb = ${a}", "go in a circle", 3, None),
        ("[s]\nb = 1 2\na = ${b}", "'2' where ',' or the end should be", 2, None),
        ("[s]\na = ${t:b}\n[t]\nb = 1 2", "after ${...} was replaced", 2, None),
    ],
)
def test_a_wrong_reference_is_named(text, message, line, hint):
    error = wrong(text)

    assert message in error.message
    assert error.source.line == line
    assert (hint or "") in (error.hint or "")


# --- mistakes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "there is no study in the file", None),
        ("# nothing\n", "there is no study in the file", None),
        ("[DEFAULT]\na=1\n[x.@generate]\n", "there is no study in the file", None),
        ("a = 1\n[s]", "'a' is in no section", 1),
        ("[s]\na = 1\n\na = 2", "the key 'a' is given twice, first in line 2", 4),
        ("[s]\n[t]\n[s]", "the section 's' is given twice, first in line 1", 3),
        ("[s]\na = [1,\n2]", "'2]' has no '='", 3),
        ("[s]\n= 1", "there is no key before '='", 2),
        ("[s] t\na=1", "'[s] t' has no '='", 1),
    ],
)
def test_a_mistake_in_the_lines_is_shown_where_it_is(text, message, line):
    error = wrong(text)

    assert message in error.message
    assert error.source.line == line
    assert error.hint


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("[s]\n--num = [1, 2 3]", 2, 15),
        ("[s]\n  --num : [1,\n\n     2 3] ; words", 4, 8),
        ("[s]\na = x y", 2, 7),
        ("[s]\na b = 1", 2, 3),
    ],
)
def test_a_mistake_in_a_value_is_shown_where_it_is(text, line, column):
    error = wrong(text)

    assert (error.source.path, error.source.section) == ("studies.cfg", "s")
    assert (error.source.line, error.source.column) == (line, column)


def test_an_unknown_study_has_near_misses():
    error = wrong(FILE, "smal")

    assert error.message == "unknown study 'smal'"
    assert error.hint == "did you mean 'small'?"


@settings(deadline=None, max_examples=100)
@given(st.text(st.sampled_from("[]s=:ab1,'\"\n \t;#$({})}@%")), st.sampled_from([None, "s"]))
def test_any_text_is_a_study_or_refused(text, section):
    try:
        study = read(f"[s]\n{text}", section)
        dict(study.sections)
    except StudyError as error:
        assert len(error.lines()) <= 3


# --- text --------------------------------------------------------------------------------


def test_a_text_of_the_command_line_is_one_study():
    study = read_text("--num=[1, 2], name='x y'", Source(), "ignored")

    assert (study.name, study.values) == ("study", {"--num": [1, 2], "name": "x y"})


def test_a_file_without_sections_is_one_study_and_has_no_other():
    assert read_text("a=1", Source(path="dir/small.txt"), None).name == "small"
    with pytest.raises(StudyError, match="there is no study 'large'"):
        read_text("a=1", Source(path="dir/small.txt"), "large")
