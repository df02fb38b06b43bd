"""The pass over argv: what argparse understood, click understands the same way."""

from __future__ import annotations

import argparse
import contextlib
import io

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.cli.argv import ANCESTOR, disabled_plugins, prepare, table_of
from soops.cli.common import adopt
from soops.cli.run import run
from soops.kernel.errors import UsageError

RUN = adopt(run, "run")
STUDY = "--num=[100,1000], output_dir='output/%s'"


def parsed(args: list[str], command: click.Command = RUN) -> dict[str, object]:
    ctx = command.make_context("x", prepare(args, table_of(command)))
    return ctx.params


@click.command()
@click.argument("run_mod")
@click.option("-e", "--explain", multiple=True, metavar="DIR...")
@click.option("--shell", is_flag=True)
@click.option("-v", "--verbose", count=True)
@click.option("-p", "--pair", nargs=2)
def info(**_: object) -> None:
    pass


INFO = adopt(info, "info")


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (["-c=--switch + --seed"], "contracts", "--switch + --seed"),
        (["-c==x"], "contracts", "=x"),
        (["-c", "--aa+--bb"], "contracts", "--aa+--bb"),
        (["--contract=--aa + --bb"], "contracts", "--aa + --bb"),
        (["--cont=--aa + --bb"], "contracts", "--aa + --bb"),
        (["-o=dir"], "output_dir", "dir"),
        (["-odir"], "output_dir", "dir"),
        (["-o", "dir"], "output_dir", "dir"),
        (["-o="], "output_dir", ""),
        (["--output-dir="], "output_dir", ""),
        (["-n=1"], "n_workers", 1),
        (["-n1"], "n_workers", 1),
        (["-s=short"], "section", "short"),
        (["-r2"], "recompute", 2),
        (["--recomp", "0"], "recompute", 0),
        (["--re", "0"], "recompute", 0),
        (["--sil"], "silent", True),
        (["--gen", "function=f, seeds=[1, 2]"], "generate", "function=f, seeds=[1, 2]"),
        (["--gen=function=f, seeds=[1, 2]"], "generate", "function=f, seeds=[1, 2]"),
        (["--where=num > 10"], "where", "num > 10"),
        (["--whe", "num > 10"], "where", "num > 10"),
        (["--no-c"], "capture", False),
        (["--rerun=failed, timeout"], "rerun", ("failed", "timeout")),
        (["--accept-exit=0, 3"], "accept_exit", (0, 3)),
        (["-t=-1"], "timeout", -1.0),
        (["-t", "-1"], "timeout", -1.0),
    ],
)
def test_an_option_reads_as_argparse_read_it(args: list[str], name: str, value: object) -> None:
    for words in ([*args, "conf", "mod.py"], ["conf", "mod.py", *args], ["conf", *args, "mod.py"]):
        params = parsed(words)
        assert (params["conf"], params["run_mod"]) == ("conf", "mod.py")
        assert params[name] == value


@pytest.mark.parametrize(
    "text",
    [
        "--aa=1, output_dir='x/%s'",
        "-a=1, output_dir='x/%s'",
        "--num=[1,2],\noutput_dir='x/%s'",
        "--nun 1",
        # These begin like an option that could not take such a value, or like several.
        "--retries=[1, 2], output_dir='x/%s'",
        "--n=[1, 2], output_dir='x/%s'",
        "--silent=@defined, output_dir='x/%s'",
        "--s=[1, 2], output_dir='x/%s'",
        "-t=[1, 2], output_dir='x/%s'",
        "--rerun=[1, 2], output_dir : 'x/%s'",
    ],
)
def test_a_word_with_a_blank_that_begins_with_dashes_is_the_study(text: str) -> None:
    params = parsed(["-n", "3", text, "mod.py", "-o=out"])
    assert (params["conf"], params["run_mod"]) == (text, "mod.py")
    assert (params["n_workers"], params["output_dir"]) == (3, "out")


def test_after_two_dashes_everything_is_positional() -> None:
    params = parsed(["-n", "3", "--", "--aa=1", "-n"])
    assert (params["conf"], params["run_mod"], params["n_workers"]) == ("--aa=1", "-n", 3)


@pytest.mark.parametrize(
    ("args", "dirs", "module"),
    [
        (["mod.py", "-e", "d1", "d2", "d3"], ("d1", "d2", "d3"), "mod.py"),
        (["-e", "d1", "d2", "--shell", "mod.py"], ("d1", "d2"), "mod.py"),
        (["-e", "d1", "d2", "mod.py"], ("d1", "d2"), "mod.py"),
        (["mod.py", "-e=d1", "-e", "d2", "-v"], ("d1", "d2"), "mod.py"),
        (["-ed1", "mod.py"], ("d1",), "mod.py"),
        (["mod.py", "--expl", "d 1", "-d 2"], ("d 1", "-d 2"), "mod.py"),
        (["-e", "d1", "--", "mod.py"], ("d1",), "mod.py"),
    ],
)
def test_explain_takes_all_the_directories_that_follow(
    args: list[str], dirs: tuple[str, ...], module: str
) -> None:
    params = parsed(args, INFO)
    assert (params["explain"], params["run_mod"]) == (dirs, module)


def test_a_greedy_option_keeps_its_only_word() -> None:
    with pytest.raises(click.MissingParameter):
        parsed(["-e", "d1"], INFO)


def test_flags_come_in_bundles() -> None:
    assert parsed(["-vvv", "m"], INFO)["verbose"] == 3
    params = parsed(["-ve=d1", "m"], INFO)
    assert (params["verbose"], params["explain"]) == (1, ("d1",))


def test_an_option_of_two_values_takes_two() -> None:
    assert parsed(["-p", "a", "b", "m"], INFO)["pair"] == ("a", "b")


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["--nun=1", "c"], "no such option: --nun", "--run"),
        (["--recompte", "1"], "no such option: --recompte", "--recompute"),
        (["--con", "x"], "ambiguous", "--contract or --conf"),
        (["--max", "1"], "ambiguous", "--max-failures or --max-output"),
        (["-o", "-n", "3"], "-o needs a value", "-o=-n"),
        (["c", "m", "-o"], "-o needs a value", "give its value"),
        (["c", "-o", "--", "m"], "-o needs a value", ""),
        (["--silent=yes"], "takes no value", ""),
        (["-q"], "no such option: -q", ""),
    ],
)
def test_what_is_wrong_is_said_with_a_way_out(args: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(args)
    assert message in caught.value.message
    assert hint in str(caught.value)


def test_the_names_of_the_ancestor_are_there() -> None:
    from soops.cli.scoop import scoop

    for name, command in (("run", run), ("scoop", scoop)):
        table = table_of(adopt(command, name))
        assert set(ANCESTOR[name]) <= set(table.options)


def test_plugins_to_disable_are_found_before_the_command_is_known() -> None:
    words = ["find", "--disable-plugin", "a", "--disable-plugin=b", "x", "--", "--disable-plugin"]
    assert disabled_plugins(words) == ["a", "b"]
    assert disabled_plugins(["--dis", "x", "--disable=c"]) == ["c"]


# --- properties ------------------------------------------------------------------------------


def ancestor_parser() -> argparse.ArgumentParser:
    """The interface of soops-run 2026.2 as its help shows it."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    add = parser.add_argument
    add("--dry-run", action="store_true")
    add("-r", "--recompute", type=int, default=1)
    add("-n", "--n-workers", type=int, default=2)
    add("--cluster-kwargs")
    add("--runner", default="local")
    add("--run-function", default="subprocess.run")
    add("-t", "--timeout", type=float)
    add("--generate-pars", dest="generate")
    add("-c", "--contract", dest="contracts")
    add("--compute-pars", dest="compute")
    add("-s", "--study", dest="section")
    add("--conf", dest="overrides")
    add("--silent", action="store_true")
    add("--shell", action="store_true")
    add("-o", "--output-dir", default="output")
    add("conf")
    add("run_mod")
    return parser


FREE = ["-c", "--contract", "--cont", "-s", "--study", "--conf", "-o", "--output-dir", "--out"]
FREE += ["--generate-pars", "--gen", "--compute-pars", "--comp", "--cluster-kwargs", "--clu"]
FREE += ["--runner", "--run-function", "--run-f"]
FLAGS = ["--dry-run", "--dry", "--d", "--silent", "--sil", "--shell", "--sh"]
TEXTS = st.sampled_from(
    ["a", "a + b", "--aa + --bb", "k=v, l=w", "out/x y", "", "=", "x=1", "-", "a b"]
)
NUMBERS = st.sampled_from([("-n", "1"), ("--n-w", "3"), ("-r", "2"), ("--rec", "0"), ("-t", "1.5")])


@st.composite
def option_words(draw: st.DrawFn) -> list[str]:
    kind = draw(st.sampled_from(["free", "flag", "number"]))
    if kind == "flag":
        return [draw(st.sampled_from(FLAGS))]
    if kind == "number":
        name, value = draw(NUMBERS)
    else:
        name, value = draw(st.sampled_from(FREE)), draw(TEXTS)
    form = draw(st.sampled_from(["two", "equals", "attached"]))
    if form == "equals" or (form == "attached" and name.startswith("--")):
        return [f"{name}={value}"]
    if form == "attached" and value:
        return [name + value]
    return [name, value]


CONFS = st.sampled_from(["conf", "studies.cfg", STUDY, "--aa=1, --bb=2", "python=python3, a=[1,2]"])


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    parts = draw(st.lists(option_words(), max_size=5))
    where = sorted(draw(st.tuples(*[st.integers(0, len(parts))] * 2)))
    parts.insert(where[0], [draw(CONFS)])
    parts.insert(where[1] + 1, ["mod.py"])
    return [word for part in parts for word in part]


@settings(deadline=None, max_examples=100)
@given(command_lines())
def test_what_argparse_accepts_comes_out_the_same(args: list[str]) -> None:
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            expected = vars(ancestor_parser().parse_args(args))
    except (SystemExit, argparse.ArgumentError):
        expected = {}
    if expected:
        params = parsed(args)
        assert {name: params[name] for name in expected} == expected


@settings(deadline=None, max_examples=100)
@given(command_lines())
def test_a_line_that_was_prepared_stays_as_it_is(args: list[str]) -> None:
    table = table_of(RUN)
    try:
        once = prepare(args, table)
    except UsageError:
        return
    assert prepare(once, table) == once


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(alphabet="-=acnorst 1,", max_size=8), max_size=6))
def test_any_words_give_a_line_or_an_error_with_its_lines(words: list[str]) -> None:
    table = table_of(RUN)
    try:
        out = prepare(words, table)
    except UsageError as exc:
        assert 1 <= len(exc.lines()) <= 3
    else:
        positional = out[out.index("--") + 1 :] if "--" in out else []
        remaining = iter(words)
        assert all(word in remaining for word in positional), "a word was lost, made or moved"
