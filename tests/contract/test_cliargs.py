"""soops.cliargs: one table of options for a script and for soops."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

from soops.cliargs import build_arg_parser, build_opt_args, normalize_opt_args

TABLE = {
    "output_dir": (None, "output directory"),
    "switch": (False, "switch doors"),
    "keep": (True, "do not keep it"),
    "host": (("random", "first"), "the host"),
    "num": (100, "how many"),
    "tol": (1e-3, "tolerance"),
    "name": ("abc", "name"),
    "seed": ([None, 1], "random seed"),
    "n_cell": (5, "cells"),
}


def parse(table, words, aliases=None):
    parser = ArgumentParser(prog="script")
    assert build_arg_parser(parser, table, aliases=aliases) is None
    return vars(parser.parse_args(words.split()))


def test_defaults():
    assert parse(TABLE, "out") == {
        "output_dir": "out",
        "switch": False,
        "keep": True,
        "host": "random",
        "num": 100,
        "tol": 1e-3,
        "name": "abc",
        "seed": None,
        "n_cell": 5,
    }


def test_options_have_the_types_of_their_defaults():
    words = "out --switch --no-keep --host=first --num=3 --tol=2 --name=5 --seed=7 --n-cell 6"

    assert parse(TABLE, words) == {
        "output_dir": "out",
        "switch": True,
        "keep": False,
        "host": "first",
        "num": 3,
        "tol": 2.0,
        "name": "5",
        "seed": 7,
        "n_cell": 6,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("out --host=last", "argument --host: invalid choice: 'last'"),
        ("out --num=x", "argument --num: invalid int value: 'x'"),
        ("out --keep", "unrecognized arguments: --keep"),
        ("", "the following arguments are required: output_dir"),
    ],
)
def test_what_is_wrong_is_refused(words, message, capsys):
    with pytest.raises(SystemExit):
        parse(TABLE, words)
    assert message in capsys.readouterr().err


def test_help_shows_defaults_and_types():
    parser = ArgumentParser(prog="script")
    build_arg_parser(parser, {**TABLE, "rate": ("50%", "100% of %(prog)s")}, {"num": "-n"})
    text = parser.format_help()

    # Python 3.13 names the type once.
    assert "-n INT, --num INT" in text or "-n, --num INT" in text
    assert "how many [default: 100]" in text
    assert "the host [default: random]" in text
    assert "random seed [default: None]" in text
    assert "--no-keep" in text
    assert "100% of script [default: 50%]" in " ".join(text.split())


@pytest.mark.parametrize("alias", ["-n", ["-n", "--number"], ("-n",)])
def test_aliases(alias):
    assert parse({"num": (1, "")}, "-n 3", {"num": alias}) == {"num": 3}
    assert parse({"keep": (True, "")}, "-k", {"keep": "-k"}) == {"keep": False}


@pytest.mark.parametrize(
    ("entry", "words", "value"),
    [
        ((1, "h", {"metavar": "N"}), "--a=4", 4),
        (([None, 1], "h", {"nargs": "+"}), "--a 1 2", [1, 2]),
        (("x", "h", {"choices": ["x", "y"]}), "--a y", "y"),
        ((0, "h", {"action": "count"}), "--a --a", 2),
        (("1", "h", {"type": float}), "--a 3", 3.0),
        ((1, "h", {"default": 9}), "", 9),
        ((None, "h", {"nargs": "?", "default": "d"}), "", "d"),
        ((None, "h", {"type": int}), "3", 3),
        (([None, float], "h"), "--a 2", 2.0),
        (((None, "b"), "h"), "--a b", "b"),
    ],
)
def test_further_arguments_take_precedence(entry, words, value):
    assert parse({"a": entry}, words) == {"a": value}


@pytest.mark.parametrize("entry", [5, (5,), (5, "h", {}, 1), ([1], "h"), ((), "h")])
def test_a_wrong_entry_is_named(entry):
    with pytest.raises(ValueError, match="the option 'num'"):
        parse({"num": entry}, "")


def test_options_of_a_study():
    assert build_opt_args(TABLE) == [
        "--switch",
        "--no-keep",
        "--host={--host}",
        "--num={--num}",
        "--tol={--tol}",
        "--name={--name}",
        "--seed={--seed}",
        "--n-cell={--n-cell}",
    ]


def test_defaults_of_a_study():
    _, defaults = build_opt_args(TABLE, return_defaults=True)

    assert defaults == {
        "--host": "random",
        "--num": 100,
        "--tol": 1e-3,
        "--name": "abc",
        "--seed": "@undefined",
        "--n-cell": 5,
    }


def test_what_is_no_parameter_is_left_out():
    table = {**TABLE, "show": (True, ""), "silent": (False, ""), "shell": (False, "")}

    assert build_opt_args(table) == build_opt_args(TABLE)
    assert build_opt_args(table, omit=[])[-3:] == ["--no-show", "--silent", "--shell"]
    assert "--num={--num}" not in build_opt_args(table, omit=["--num"])


@pytest.mark.parametrize(
    "more", [("--num", "--keep"), ["--num", "--no-keep"], {"--num": 1, "--keep": 1}]
)
@pytest.mark.parametrize("omit", [["--seed"], ("--seed",)])
def test_more_can_be_left_out(omit, more):
    """Lists and tuples could not be mixed."""
    options = build_opt_args(TABLE, omit=omit, add_to_omit=more)

    assert options == [
        "--switch",
        "--host={--host}",
        "--tol={--tol}",
        "--name={--name}",
        "--n-cell={--n-cell}",
    ]
    assert "--num={--num}" not in build_opt_args(TABLE, add_to_omit="--num")


@pytest.mark.parametrize(
    ("given", "defaults", "unhashed"),
    [
        (lambda options: options, {}, []),
        (lambda options: (options,), {}, []),
        (lambda options: (options, {"--num": 3}), {"--num": 3}, []),
        (lambda options: (options, {"--num": 3}, ["--flag"]), {"--num": 3}, ["--flag"]),
        (lambda options: (options, None, None), {}, []),
    ],
)
@pytest.mark.parametrize(
    "options",
    [{"--num": " --num={--num}", "--flag": "--flag"}, [" --num={--num}", "--flag"]],
    ids=["dict", "list"],
)
def test_normalize_opt_args(given, defaults, unhashed, options):
    assert normalize_opt_args(given(options)) == (
        {"--num": " --num={--num}", "--flag": "--flag"},
        defaults,
        unhashed,
    )


def test_the_key_of_a_template_is_what_stands_before_the_equals_sign():
    options, _, _ = normalize_opt_args(["x=y={x}", "CLOSE"])

    assert options == {"x": "x=y={x}", "CLOSE": "CLOSE"}


@pytest.mark.parametrize("wrong", [None, "--num", ("--a", "--b"), ([], {}, [], 1), ()])
def test_wrong_opt_args_are_refused(wrong):
    with pytest.raises(ValueError, match="opt_args"):
        normalize_opt_args(wrong)
