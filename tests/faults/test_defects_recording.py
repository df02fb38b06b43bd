"""Defects of soops 2026.2, by their number in docs/differences.md: what became of parameters."""

from __future__ import annotations

import csv

import pytest

import soops
import soops.cli

ONLY_AA = """\
def get_run_info():
    return "sh program.sh {output_dir}", {"--aa": "--aa={--aa}"}, "output_dir", "done.txt"
"""


def typed(values):
    """Return values with their types, which comparing does not tell apart."""
    return [(type(value), value) for value in values]


def recorded(mini, key="--aa"):
    return [found.parameters[key] for found in mini.found()]


def all_parameters(mini):
    with (mini.root / "all_parameters.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- D12: values with something in them --------------------------------------------------------

NESTED = {
    "[[1, 2], [3, 4]]": [[1, 2], [3, 4]],
    "(1, 2)": [(1, 2)],
    "[[7]]": [[7]],
    "(1,)": [(1,)],
    "{x=1}": [{"x": 1}],
    "{}": [{}],
    "[(), (1, [2, {x=[3]}])]": [(), (1, [2, {"x": [3]}])],
}


@pytest.mark.parametrize("text", NESTED)
def test_d12_lists_tuples_and_dicts_are_recorded_as_they_are(mini, text):
    result = mini.run(f"--aa={text}")

    expected = NESTED[text]
    assert result.code == 0
    assert typed(recorded(mini)) == typed(expected)
    assert [mini.words(path) for path in mini.directories()] == [
        [f"--aa={value}"] for value in expected
    ]
    assert [mini.csv_row(path)["--aa"] for path in mini.directories()] == [
        str(value) for value in expected
    ]

    mini.run(f"--aa={text}")

    assert mini.logs() == [["start", "end"]] * len(expected), "they are known again"


# --- D13: types of columns in place of types of values -----------------------------------------

TYPES = {
    "[1, 2.5, x]": [1, 2.5, "x"],
    "[12345678901234567, 0.5]": [12345678901234567, 0.5],
    "[0, 0.1]": [0, 0.1],
    "['007', '1e5', '1.10', '1.20']": ["007", "1e5", "1.10", "1.20"],
    "[None, '', 'None', 'nan', True, 'True']": [None, "", "None", "nan", True, "True"],
}


@pytest.mark.parametrize("text", TYPES)
def test_d13_each_value_keeps_its_type_whatever_the_others_are(mini, text):
    expected = typed(TYPES[text])
    mini.run(f"--aa={text}")
    assert typed(recorded(mini)) == expected

    again = mini.run(f"--aa={text}", "-r", "2")

    assert again.code == 0
    assert typed(recorded(mini)) == expected
    assert mini.logs() == [["start", "end", "start", "end"]] * len(expected)
    assert [row["--aa"] for row in all_parameters(mini)] == [
        "" if value is None else str(value) for _, value in expected
    ]


def test_d13_soops_info_shows_texts_as_texts(mini):
    texts = ["007", "None", "nan", ""]
    mini.run(f"--aa={texts}, --bb=None")

    shown = []
    for path in mini.directories():
        result = mini.call(soops.cli.info_main, "mini.py", "-e", str(path.relative_to(mini.folder)))
        assert result.code == 0
        shown.append([line for line in result.out.splitlines() if "--aa" in line])

    assert [
        all(repr(text) in " ".join(lines) for lines in [shown[n]]) for n, text in enumerate(texts)
    ]


def test_d13_a_parameter_that_names_no_run_may_change_its_type(mini):
    module = """\
def get_run_info():
    opt_args = {"--aa": "--aa={--aa}", "--name": "--name={--name}"}
    return "sh program.sh {output_dir}", (opt_args, {}, ["--name"]), "output_dir", "done.txt"
"""
    mini.write("mini.py", module)
    mini.run("--aa=[1, 2], --name=7")

    result = mini.run("--aa=[1, 2], --name='seven'", "-r", "2")

    assert result.code == 0
    assert recorded(mini, "--name") == ["seven", "seven"]
    assert [found.number for found in mini.found()] == [0, 1]


# --- D14: two runs of one command --------------------------------------------------------------


def test_d14_values_that_differ_in_type_only_are_named(mini):
    result = mini.run("--aa=[1, '1']")

    assert "warning" in result.err
    assert "'1'" in result.err
    assert typed(recorded(mini)) == typed([1, "1"])


# --- D15: one directory, two runs at once ------------------------------------------------------


def test_d15_a_repeated_set_is_one_run(mini):
    result = mini.run("--aa=[1, 1, 2, 1]", "-n", "4")

    assert result.code == 0
    assert recorded(mini) == [1, 2]
    assert mini.logs() == [["start", "end"]] * 2
    assert not list(mini.root.glob("*/beside.txt"))


def test_d15_sets_that_differ_in_what_names_no_run_are_one_run(mini):
    module = """\
def get_run_info():
    opt_args = {"--aa": "--aa={--aa}", "--name": "--name={--name}"}
    return "sh program.sh {output_dir}", (opt_args, {}, ["--name"]), "output_dir", "done.txt"
"""
    mini.write("mini.py", module)

    result = mini.run("--aa=1, --name=[x, y]")

    assert result.code == 0
    assert "--name" in result.err, "it is said"
    assert mini.logs() == [["start", "end"]]
    (directory,) = mini.directories()
    (found,) = mini.found()
    assert mini.words(directory) == ["--aa=1", f"--name={found.parameters['--name']}"]


# --- D16: flags, and words that begin with @ ---------------------------------------------------


def test_d16_a_flag_is_off_by_value(mini):
    mini.run("--flag=[True, False, None, '@defined', '@undefined']")

    assert [mini.words(path) for path in mini.directories()] == [
        ["--flag"],
        [],
        [],
        ["--flag"],
        [],
    ]
    assert recorded(mini, "--flag") == [True, False, None, "@defined", "@undefined"]


def test_d16_a_word_that_begins_with_at_can_be_passed(mini):
    mini.run("--name=[@@me, '@@you@example.org']")

    assert [mini.words(path) for path in mini.directories()] == [
        ["--name=@me"],
        ["--name=@you@example.org"],
    ]


def test_d16_values_to_be_generated_by_nothing_are_a_mistake(mini):
    result = mini.run("--aa=[1, 2], --name='@generate'")

    assert result.code == 3
    assert "the values of '--name' are to be generated, but nothing says how" in result.err
    assert "--generate-pars" in result.err
    assert "Traceback" not in result.err
    assert not mini.root.exists()


# --- D17: keys that look like numbers ----------------------------------------------------------


def test_d17_a_name_that_looks_like_a_number_is_a_name(mini):
    mini.write("mini.py", ONLY_AA)
    values = [2245811, 874868, 2599263]
    mini.run(f"--aa={values}")
    names = [path.name for path in mini.directories()]
    assert names[0] == "000-8212504846384249376297e297010660"
    assert names[1:] == [
        "001-45106835575437660778773422746344",
        "002-40540705542089e42965405386697255",
    ]

    again = mini.run(f"--aa={values}")

    assert again.code == 0
    assert "3 finished before" in again.err
    assert [path.name for path in mini.directories()] == names
    assert mini.logs() == [["start", "end"]] * 3
    assert [found.pkey for found in mini.found()] == [name[4:] for name in names]
    assert [row["pkey"] for row in all_parameters(mini)] == [name[4:] for name in names]


def test_d17_such_a_study_is_known_without_our_records(mini):
    mini.write("mini.py", ONLY_AA)
    mini.run("--aa=[2245811, 874868]")
    for path in [*mini.root.glob("*/soops-run.json"), *mini.root.glob(".soops/*")]:
        path.unlink()

    mini.run("--aa=[2245811, 874868]")

    assert len(mini.directories()) == 2
    assert mini.logs() == [["start", "end"]] * 2
    assert [found.number for found in soops.find(["out"])] == [0, 1]
