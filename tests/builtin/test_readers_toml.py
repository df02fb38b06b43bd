"""Studies as TOML: what they say, and on which line they say it wrongly."""

from __future__ import annotations

import datetime
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.api import (
    Directive,
    RunInfo,
    ScoopInfo,
    ScoopItem,
    Source,
    StepCall,
    Study,
    StudyError,
    UserModule,
)
from soops_builtin.readers import read_toml
from soops_builtin.readers.toml_lines import lines_of

FILE = """\
[study]
name = "wave"
command = ["awk", "-v", "n={n}",
           "{x:.3f}", "-f", "{script_dir}/sum.awk",
           "{output_dir}/in.txt"]
output_dir = "output/wave/%s"
finished = "result.txt"
lockstep = [["n", "--num"]]
where = "n > 1"
unhashed = ["verbose"]
timeout = 60
accept_exit = [0, 3]
cwd = "."
env = { OMP_NUM_THREADS = "1" }

[options]
"--num" = "--num={--num}"
verbose = "-v {verbose}"

[defaults]
verbose = "@undefined"

[parameters]
n = [1, 2, 3]
--num = ["@range(2)",
         "@undefined"]
x = "@linspace(0, 1, 5)"

[[scoop]]
file = "result.txt"
scraper = "regex"
is_parameters = false

[scoop.options]
pattern = '(?P<sum>\\d+)'

[[scoop]]
file = "log.json"
scraper = "json"
optional = true

[[step]]
name = "show_figures"
kwargs = { dpi = 100 }
"""


def read(text: str, path: str = "dir/waves.toml", section: str | None = None) -> Study:
    return read_toml(text, Source(path=path, section=section), section)


def wrong(text: str, **options) -> StudyError:
    with pytest.raises(StudyError) as caught:
        read(text, **options)
    assert caught.value.source.path == "dir/waves.toml"
    assert len(caught.value.lines()) <= 3
    return caught.value


def changed(old: str, new: str) -> str:
    assert FILE.count(old) >= 1
    return FILE.replace(old, new, 1)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def at(part: str) -> Source:
    return Source(path="dir/waves.toml", line=line_of(FILE, part))


# --- what it says ------------------------------------------------------------------------


def test_a_whole_study():
    study = read(FILE)
    module = study.module

    assert (study.name, study.source) == ("wave", Source(path="dir/waves.toml"))
    assert study.contracts == (("n", "--num"),)
    assert study.where == "n > 1"
    assert list(study.values) == ["n", "--num", "x", "output_dir"]
    assert study.values["output_dir"] == "output/wave/%s"
    assert module == UserModule(
        name="wave",
        path=Path("dir/waves.toml"),
        run_info=RunInfo(
            command=(
                "awk",
                "-v",
                "n={n}",
                "{x:.3f}",
                "-f",
                "{script_dir}/sum.awk",
                "{output_dir}/in.txt",
            ),
            options={"--num": "--num={--num}", "verbose": "-v {verbose}"},
            output_key="output_dir",
            finished="result.txt",
            defaults={"verbose": "@undefined"},
            unhashed=("verbose",),
            base="dir",
            cwd=".",
            env={"OMP_NUM_THREADS": "1"},
            timeout=60.0,
            accept_exit=(0, 3),
            uses=("output_dir",),
        ),
        scoop_info=ScoopInfo(
            items=(
                ScoopItem(
                    pattern="result.txt",
                    scraper="regex",
                    options={"pattern": r"(?P<sum>\d+)"},
                    source=at("[[scoop]]"),
                ),
                ScoopItem(
                    pattern="log.json",
                    scraper="json",
                    optional=True,
                    source=at('[[scoop]]\nfile = "log'),
                ),
            )
        ),
        steps=(
            StepCall(
                name="show_figures",
                target="show_figures",
                kwargs={"dpi": 100},
                source=at("[[step]]"),
            ),
        ),
        results={"directories": ["output/wave"]},
    )


def test_texts_that_are_directives_become_directives_with_their_lines():
    values = read(FILE).values

    assert (values["x"].name, values["x"].args) == ("linspace", (0, 1, 5))
    assert values["x"].source == Source(path="dir/waves.toml", line=line_of(FILE, "@linspace"))
    first, second = values["--num"]
    assert (first.name, first.source.line) == ("range", line_of(FILE, "@range"))
    assert (second.name, second.source.line) == ("undefined", line_of(FILE, "@range") + 1)


def test_a_small_study_needs_little():
    study = read(
        '[study]\ncommand = "run {n} > {output_dir}/log"\noutput_dir = "o/%s"\n[parameters]\nn = 1',
        path="small.toml",
    )

    assert study.name == "small"
    assert study.values == {"n": 1, "output_dir": "o/%s"}
    info = study.module.run_info
    assert info.command == "run {n} > {output_dir}/log"
    assert (info.base, info.finished, info.timeout, info.cwd) == (".", "exit:0", None, None)
    assert study.module.scoop_info is None


def test_the_directory_of_the_runs_may_have_another_name():
    study = read('[study]\ncommand = ["p", "{out}"]\noutput_key = "out"\noutput_dir = "o/%s"\n')

    assert study.values == {"out": "o/%s"}
    assert study.module.run_info.output_key == "out"


def test_a_study_may_leave_the_program_to_a_module():
    study = read('[study]\noutput_dir = "o/%s"\n[parameters]\nn = 1\n')

    assert study.module is None
    assert study.values == {"n": 1, "output_dir": "o/%s"}


def test_scrapers_and_steps_may_stand_without_a_program():
    study = read('[study]\n[[scoop]]\nfile = "a"\nscraper = "json"\n')

    assert study.module.run_info is None
    assert study.module.scoop_info.items[0].pattern == "a"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[1, 2.5, 'a', true]", [1, 2.5, "a", True]),
        ("{ a = [1, { b = 2 }] }", {"a": [1, {"b": 2}]}),
        ("2020-01-02", datetime.date(2020, 1, 2)),
        ("inf", math.inf),
        ("'@@home'", "@home"),
        ("'x@y.org'", "x@y.org"),
        ("''", ""),
        ('"""a\nb"""', "a\nb"),
    ],
)
def test_values_of_parameters(text, wanted):
    assert read(f"[study]\n[parameters]\na = {text}").values == {"a": wanted}


def test_directives_may_stand_inside_of_values():
    value = read("[study]\n[parameters]\na = { b = ['@range(3)'] }").values["a"]

    assert isinstance(value["b"][0], Directive)


def test_the_name_of_the_study_may_be_asked_for():
    assert read(FILE, section="wave").name == "wave"
    assert wrong(FILE, section="wav").message == "unknown study 'wav'"


# --- mistakes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message", "at", "hint"),
    [
        ("timeout", "timout", "unknown key of [study]: 'timout'", "timout", "'timeout'?"),
        ("command", "comand", "unknown key of [study]: 'comand'", "comand", "'command'?"),
        ("[options]", "[option]", "unknown table 'option'", "[option]", "'options'?"),
        ("[[step]]", "[[stpe]]", "unknown table 'stpe'", "[[stpe]]", "'step'"),
        ("scraper", "scrapper", "[scoop] has no 'scraper'", "[[scoop]]", "is it 'scrapper'?"),
        ('name = "show', 'nam = "show', "[step] has no 'name'", "[[step]]", "is it 'nam'?"),
        ('scraper = "regex"\n', "", "[scoop] has no 'scraper'", "[[scoop]]", "add scraper ="),
        ("{n}", "{m}", "the placeholder {m} has no value", "{m}", "give 'm' in [parameters]"),
        ("{x:", "{xx:", "the placeholder {xx} has no value", "{xx", "did you mean 'x'?"),
        ("{x:", "{print $1}{x:", "{print $1} has no value", "{print", "write {{ and }}"),
        ("{x:.3f}", "{x", "the braces of '{x' do not balance", '"{x"', "write {{ and }}"),
        ("{verbose}", "{verbos}", "the placeholder {verbos}", "{verbos}", "'verbose'?"),
        ('"{x:.3f}"', '"x"', "neither the command nor an option uses 'x'", "x = ", "put {x}"),
        ("\nx =", "\nxs = 1\nx =", "neither the command nor an option uses 'xs'", "xs", "'x'"),
        ('["verbose"]', '["verbos"]', "unknown parameter 'verbos'", "unhashed", "'verbose'"),
        ('"n", "--num"', '"n", "num"', "unknown parameter 'num'", "lockstep", "'--num'?"),
        ('["n", "--num"]', '["n"]', "keys in lockstep are two", "lockstep", "lockstep = [["),
        ("timeout = 60", 'timeout = "m"', "unknown parameter 'm'", "timeout", "n"),
        ("timeout = 60", "timeout = -1", "must be a positive number", "timeout", None),
        ("timeout = 60", "timeout = nan", "must be a positive number", "timeout", None),
        ("[0, 3]", '[0, "3"]', "must be a list of integers", "accept_exit", None),
        ('"1" }', "1 }", "'env' must be a table of texts", "env", None),
        ('name = "wave"', "name = 1", "'name' must be a text", "name", None),
        ('= "-v {verbose}"', "= 1", "'verbose' must be a text", "verbose = 1", None),
        ("= false", "= 0", "'is_parameters' must be true or false", "is_parameters", None),
        ("[[step]]", "[step]", "'step' must be written as [[step]]", "[step]", None),
        ('"@undefined"\n', '"@a(3)"\n', "@a(3) cannot be a default", '"@a(3)"', "parameter"),
        ("(0, 1, 5)", "(0, 1", "'@linspace(' is never closed", "@linspace", None),
        (
            "[parameters]",
            "[parameters]\noutput_dir=1",
            "not a parameter",
            "output_dir=1",
            "[study]",
        ),
        ("[1, 2, 3]", "[1, 2", "this is not TOML: Unclosed array", "--num = [", None),
        ("[study]", "[stdy]", "unknown table 'stdy'", "[stdy]", "did you mean 'study'?"),
    ],
)
def test_a_mistake_is_shown_where_it_is(old, new, message, at, hint):
    text = changed(old, new)

    error = wrong(text)

    assert message in error.message
    assert error.source.line == line_of(text, at)
    assert (hint or "") in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "there is no table [study]", None),
        ("[parameters]\nn = 1", "there is no table [study]", None),
        ("study = 1", "'study' must be a table", 1),
        ("[study]\ncommand = []", "the command is empty", 2),
        ("[study]\ncommand = ' '", "the command is empty", 2),
        ("[study]\ntimeout = 1", "'timeout' is about the program, but there is no command", 2),
        ("[study]\n[options]\na = 'b'", "'a' is about the program", 3),
        ("[study]\nscoop = 1", "unknown key of [study]: 'scoop'", 2),
        ("scoop = [1]\n[study]", "'scoop' must be written as [[scoop]]", 1),
        ("[study]\n[study]", "this is not TOML", 2),
        ("[study]\n[parameters]\na = " + "9" * 5000, "this is not TOML", None),
        ("a = " + "[" * 50_000, "this is not TOML: it is nested too deep", None),
    ],
)
def test_a_text_that_is_no_study_is_refused(text, message, line):
    error = wrong(text)

    assert message in error.message
    assert error.source.line == line


# --- lines -------------------------------------------------------------------------------

TRICKY = '''\
a = 1 # [no] = "table"
"quoted key" = """
[not] = 1
b = 2
"""
c.d.e = { f = [1, { g = 2 }], "h i" = 3 }
[t]
'lit=eral' = \'\'\'
x = "y"\'\'\'
array = [
  1,
  # 2 = 3,
  [4,
   5],
  "]", { k = "}" },
]
[t.sub."x.y"]
z = 1979-05-27T07:32:00Z
[[list]]
v = 1.5e+3
[[list.inner]]
w = true
[[list.inner]]
w = false
[[list]]
v = "\\"#"
'''


def test_the_line_of_everything_is_known():
    assert tomllib.loads(TRICKY)

    lines = lines_of(TRICKY)

    where = {".".join(map(str, path)): line for path, line in lines.items()}
    assert where == {
        "a": 1,
        "quoted key": 2,
        "c": 6,
        "c.d": 6,
        "c.d.e": 6,
        "c.d.e.f": 6,
        "c.d.e.f.0": 6,
        "c.d.e.f.1": 6,
        "c.d.e.f.1.g": 6,
        "c.d.e.h i": 6,
        "t": 7,
        "t.lit=eral": 8,
        "t.array": 10,
        "t.array.0": 11,
        "t.array.1": 13,
        "t.array.1.0": 13,
        "t.array.1.1": 14,
        "t.array.2": 15,
        "t.array.3": 15,
        "t.array.3.k": 15,
        "t.sub": 17,
        "t.sub.x.y": 17,
        "t.sub.x.y.z": 18,
        "list": 19,
        "list.0": 19,
        "list.0.v": 20,
        "list.0.inner": 21,
        "list.0.inner.0": 21,
        "list.0.inner.0.w": 22,
        "list.0.inner.1": 23,
        "list.0.inner.1.w": 24,
        "list.1": 25,
        "list.1.v": 26,
    }


KEYS = st.text("ab._- #=\"'", min_size=1, max_size=4).map(
    lambda text: '"' + text.replace('"', '\\"') + '"'
) | st.from_regex(r"[a-z_-]{1,3}", fullmatch=True)
LEAVES = st.sampled_from(["1", "true", "1.5", '"a]}#"', "'=,['", '"""x\ny"""', "1979-05-27"])
ITEMS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ",\n".join(items) + "]")
        | st.lists(inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"k{i} = {x}" for i, x in enumerate(items)) + " }"
        )
    ),
    max_leaves=6,
)


def paths(value, path=()):
    """Yield the path of everything in a value."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from paths(item, (*path, place))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(KEYS, ITEMS), max_size=4), st.lists(st.tuples(KEYS, ITEMS), max_size=3))
def test_lines_are_known_for_whatever_the_library_reads(first, second):
    text = "".join(f"{key} = {value}\n" for key, value in first) + "[[t]]\n"
    text += "".join(f"{key} = {value} # words\n" for key, value in second) + "[[t]]\n"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a key given twice

    lines = lines_of(text)

    assert set(lines) == set(paths(data))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
