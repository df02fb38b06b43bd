"""Defects of soops 2026.2, by their number in docs/differences.md: the language of values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest

import soops as so


def dry(mini, study):
    """Return the values of --aa that a study means."""
    from soops.kernel.study.identity import from_jsonable

    result = mini.run(study, "--dry-run", "--json")
    assert result.code == 0, result
    lines = [json.loads(line) for line in result.out.splitlines()]
    return [from_jsonable(line["parameters"]["--aa"]) for line in lines]


# --- D21: blanks changed types -----------------------------------------------------------------

BLANKS = {
    "--aa=1 ": [1],
    "--aa=1 , --bb=2": [1],
    "--aa=[1 ,2]": [1, 2],
    "--aa=[ 1, 2 ]": [1, 2],
    "--aa=[1, 5 , 15]": [1, 5, 15],
    "--aa=[\n1,\n2\n]": [1, 2],
    "--aa=True , --bb=1": [True],
    "--aa=None ": [None],
    "--aa=[0.5 , 1e3 ]": [0.5, 1000.0],
    "--aa=(1 , 2 )": [(1, 2)],
    "--aa={x = 1 }": [{"x": 1}],
}


@pytest.mark.parametrize("study", BLANKS)
def test_d21_blanks_change_no_type(mini, study):
    values = dry(mini, study)

    assert values == BLANKS[study]
    assert [type(value) for value in values] == [type(value) for value in BLANKS[study]]


def test_d21_blanks_change_no_run(mini):
    mini.run("--aa=[1, 5, 15]")

    result = mini.run("--aa=[ 1 , 5 ,15 ]")

    assert "3 finished before" in result.err
    assert mini.logs() == [["start", "end"]] * 3
    assert [found.parameters["--aa"] for found in mini.found()] == [1, 5, 15]


# --- D22: time for each item, and exponentially for nesting ------------------------------------


def calls_to_parse(text):
    """Return how many functions are called to parse a text: work by count, not by the clock."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        so.parse_as_dict(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("brackets", ["[]", "()"])
def test_d22_nesting_costs_the_same_at_every_depth(brackets):
    left, right = brackets
    so.parse_as_dict("a=[1]")  # whatever is made once

    counts = [calls_to_parse(f"a={left * n}1,{right * n}") for n in (10, 20, 30, 40)]

    steps = [after - before for before, after in pairwise(counts)]
    assert 0 < max(steps) < 1.5 * min(steps), counts


def test_d22_nested_dicts_cost_the_same_at_every_depth():
    so.parse_as_dict("a={b=1}")

    counts = [calls_to_parse("a=" + "{b=" * n + "1" + "}" * n) for n in (10, 20, 30, 40)]

    steps = [after - before for before, after in pairwise(counts)]
    assert 0 < max(steps) < 1.5 * min(steps), counts


def test_d22_each_item_costs_the_same():
    so.parse_as_dict("a=[1]")

    counts = [calls_to_parse(f"a={[*range(n)]}") for n in (1000, 2000, 3000)]

    steps = [after - before for before, after in pairwise(counts)]
    assert 0 < max(steps) < 1.1 * min(steps), counts
    assert max(counts) / 3000 < 40, "calls for an item"


def test_d22_a_deep_and_a_long_study_are_planned(mini):
    assert dry(mini, "--aa=[" + "[" * 40 + "1" + "]" * 41) == [
        eval("[" * 40 + "1" + "]" * 40),
    ]
    assert len(dry(mini, f"--aa={[*range(2000)]}")) == 2000


# --- D23: what could not be written, and errors that did not help ------------------------------

WORDS = {
    ".5": 0.5,
    "-.5": -0.5,
    "1j": 1j,
    "1.0j": 1j,
    "1+2j": 1 + 2j,
    "~/x": "~/x",
    "a%s": "a%s",
    "žluť": "žluť",
    "日本": "日本",
    "x#y": "x#y",
    "a\\b": "a\\b",
    "'C:\\new\\x'": "C:\\new\\x",
}


def test_d23_numbers_and_words_that_were_errors_or_others(mini):
    result = mini.run(f"--aa=[{', '.join(WORDS)}]")

    assert result.code == 0
    values = [found.parameters["--aa"] for found in mini.found()]
    expected = [*dict.fromkeys(WORDS.values())]
    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]
    assert [mini.words(path) for path in mini.directories()] == [
        [f"--aa={value}"] for value in expected
    ]


@pytest.mark.parametrize("text", WORDS)
def test_d23_they_mean_the_same_alone(mini, text):
    assert dry(mini, f"--aa={text}") == [WORDS[text]]


@pytest.mark.parametrize(
    "study, column, said",
    [
        ("--aa=[1, 2", 27, "'[' is never closed"),
        ("--aa=1 2", 29, "'2' where ',' or the end should be"),
        ("--aa=[1,, 2]", 30, "there is no value before ','"),
    ],
)
def test_d23_an_error_says_where_and_what(mini, study, column, said):
    result = mini.run(study)

    assert result.code == 3
    assert f"line 1, column {column}" in result.err
    assert said in result.err
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) <= 3


def test_d23_a_mistyped_name_of_a_file_is_told_as_such(mini):
    mini.write("study.cfg", "[one]\noutput_dir = out/%s\n--aa = 1\n")

    result = mini.call(so.cli.run_main, "studdy.cfg", "mini.py")

    assert result.code == 3
    assert "studdy.cfg" in result.err
    assert "study.cfg" in result.err.replace("studdy.cfg", "")
    assert "Traceback" not in result.err


# --- D46: other encodings than UTF-8 -----------------------------------------------------------

LATIN = {
    "LC_ALL": "C",
    "LANG": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}


def test_d46_a_locale_without_utf_8_costs_no_run(mini):
    mini.write("study.cfg", "[one]\noutput_dir = out/%s\n--name = ['žluť', '日本', a]\n")
    words = [sys.executable, "-m", "soops", "run", "-o", "out", "--json", "study.cfg", "mini.py"]

    done = subprocess.run(words, env={**os.environ, **LATIN}, capture_output=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    names = ["žluť", "日本", "a"]
    assert [found.parameters["--name"] for found in mini.found()] == names
    assert [mini.words(path) for path in mini.directories()] == [
        [f"--name={name}"] for name in names
    ]
    assert [mini.csv_row(path)["--name"] for path in mini.directories()] == names


def test_d46_a_dry_run_shows_what_the_terminal_lacks(mini):
    driver = mini.start("--name='žluť'", "--dry-run", PYTHONIOENCODING="iso-8859-1")
    out, err = driver.communicate(timeout=60)

    assert driver.returncode == 0, err
    assert "--name=\\u017elu\\u0165" in out


def test_d46_output_that_is_no_utf_8_is_kept_byte_by_byte(mini):
    mini.write("program.sh", "printf 'caf\\351\\377\\n'\ntouch \"$1/done.txt\"\n")

    result = mini.run("--aa=1")

    assert result.code == 0
    (directory,) = mini.directories()
    assert (directory / "stdout.txt").read_bytes() == b"caf\xe9\xff\n"


def test_d46_scripts_may_print_what_the_terminal_lacks(mini):
    code = (
        "import soops as so\n"
        "out = so.Output('test:', filename='log.txt')\n"
        "out('\\u017elu\\u0165')\n"
        "so.save_options('options.txt', [('options', {'name': '\\u65e5\\u672c'})])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **LATIN}, capture_output=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert "žluť" in (mini.folder / "log.txt").read_text(encoding="utf-8")
    assert so.load_options("options.txt")["name"] == "日本"
