"""Texts that say what to run, whatever they are: understood or refused, never executed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soops.base import import_file
from soops.kernel.study.grammar import parse_dict, parse_list, parse_older, parse_value
from soops.study import SoopsError

fuzzing = import_file(Path(__file__).with_name("fuzzing.py"), can_reload=False)
STUDY, WORDS, Target = fuzzing.STUDY, fuzzing.WORDS, fuzzing.Target


def value_text(study: Any, text: str) -> None:
    """The language itself, each way it is read; a refusal by one is none by the others."""
    refusals, understood = [], 0
    for free, directives in itertools.product((True, False), (True, False)):
        for parse in (parse_dict, parse_list):
            try:
                found = parse(text, free_word=free, directives=directives)
            except SoopsError as exc:
                refusals.append(exc)
                continue
            understood += 1
            assert repr(found)
            if isinstance(found, dict) and free and directives:
                parse_older(text, found)
    for part in text.split("=")[:3]:
        try:
            parse_value(part)
        except SoopsError as exc:
            refusals.append(exc)
    for refusal in refusals:
        assert len(refusal.lines()) <= 3
        assert refusal.source is not None
        assert refusal.source.line
    if not understood:
        raise refusals[0]


def study_text(study: Any, text: str) -> None:
    """A study on the command line."""
    study.plan(text)


def cfg(study: Any, text: str) -> None:
    study.write("study.cfg", text)
    study.plan("study.cfg")


def toml(study: Any, text: str) -> None:
    study.write("study.toml", text)
    study.plan("study.toml", module=False)


def overrides(study: Any, text: str) -> None:
    study.plan(overrides=text)


def overrides_of_a_cfg(study: Any, text: str) -> None:
    study.write("study.cfg", CFG)
    study.plan("study.cfg", overrides=text)


def contracts(study: Any, text: str) -> None:
    study.plan(contracts=text)


def where(study: Any, text: str) -> None:
    study.plan(where=text)


def generate(study: Any, text: str) -> None:
    study.plan("output_dir='out/%s', --num=@generate", generate=text)


def compute(study: Any, text: str) -> None:
    study.plan(compute=text)


CFG = """\
# two studies
[DEFAULT]
output_dir = 'out/%s'
[first]
--num = [1, 2,
    3] ; more
--name = ${second:--name}
[second]
--name : ['x y', abc]
--n-cell = @linspace(1, 2, 3)
[first.@generate]
function = make
"""
TOML = """
[study]
name = "first"
command = ["touch", "{output_dir}/{num}"]
output_dir = "out/%s"
lockstep = [["--num", "--name"]]
where = "num > 1"
timeout = 1.5
accept_exit = [0, 3]
[options]
"--name" = "--name={--name}"
"--num" = ""
[defaults]
num = 1
[parameters]
"--num" = [1, 2]
"--name" = ["x y", "@defined"]
[[scoop]]
file = "*.json"
scraper = "json"
[[step]]
name = "show_figures"
kwargs = {}
"""
TARGETS = (
    Target(value_text, (STUDY, "a=@range(1, 3), b={c: [1, (2,)]}, d=$'\\x41'"), WORDS, 120),
    Target(study_text, (STUDY, f"{STUDY}, --n-cell=@range(1, 9, 2)"), WORDS),
    Target(cfg, (CFG, CFG.replace("2, 3)", "2)")), (*WORDS, "\n[", "]\n", "\n", "${", "\n  ")),
    Target(toml, (TOML,), (*WORDS, *fuzzing.JSON, "\n[study]\n", "\n[[step]]\n", '"""', "'''")),
    Target(overrides, ("--num=3", "--name=[a, 'b c'], --flag=@defined"), WORDS),
    Target(overrides_of_a_cfg, ("--num=3", "--name=[a, 'b c'], --n-cell=1"), WORDS, 40),
    Target(contracts, ("--num + --name", "--num+--name, --flag+--n-cell"), WORDS),
    Target(generate, ("function=make, a=1",), ("function=", "make", *WORDS)),
    Target(compute, ("class=Computed, --num=1",), ("class=", "Computed", *WORDS)),
    Target(where, ("num > 1 and name == 'abc'", "`--n-cell` in [1, 2]"), fuzzing.LOGIC),
)
each_target = pytest.mark.parametrize("target", TARGETS, ids=str)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with fuzzing.finished_study(tmp_path_factory.mktemp("fuzz")) as study:
        yield study


@each_target
def test_texts_are_understood_or_refused(study, target):
    fuzzing.try_texts(study, target)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@each_target
def test_thousands_of_texts_are_understood_or_refused(study, target):
    fuzzing.try_texts(study, target, long=True)


@each_target
def test_what_the_texts_are_made_from_is_understood(study, target):
    # Otherwise nothing beyond the first look at a text would ever be tried.
    for text in target.starts:
        assert fuzzing.understood(study, target, text), text
