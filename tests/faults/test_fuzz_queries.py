"""Queries and options of commands, whatever they are: understood or refused, never executed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import soops
import soops.study
from soops.base import import_file
from soops.cli.common import KeyValue
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.runner_options import runner_options
from soops.kernel.table.options import ScoopOptions
from soops.kernel.table.post import check_arguments

fuzzing = import_file(Path(__file__).with_name("fuzzing.py"), can_reload=False)
Target = fuzzing.Target


def query(study: Any, text: str) -> None:
    """A query of pandas, by the engine that is there anyway."""
    soops.find(["out"], query=text)


def query_for_pandas(study: Any, text: str) -> None:
    """A query that soops' own grammar does not know, so that pandas sees each text."""
    soops.find(["out"], query=f"num.isin([1, 2]) and ({text})")


def query_numexpr(study: Any, text: str) -> None:
    soops.find(["out"], query=text, engine="numexpr")


def plugin_args(study: Any, text: str) -> None:
    """What ``soops-scoop --plugin-args`` is given."""
    check_arguments(ScoopOptions(plugin_args=text).plugin_args)


def runner_opt(study: Any, text: str) -> None:
    """What ``soops-run --runner-opt`` is given, a word each."""
    try:
        pairs = [KeyValue().convert(word, None, None) for word in text.split(" ")]
    except click.UsageError as exc:
        assert len(exc.message.splitlines()) <= 3
        return
    runner_options(study.app, "dask", dict(pairs))


def retry_on(study: Any, text: str) -> None:
    """What ``soops-run --retry-on`` is given, a word each."""
    RunOptions.create({"retry_on": tuple(text.split(" "))})


def migrate_add(study: Any, text: str) -> None:
    soops.study.migrate("out", add=[text])


def migrate_rename(study: Any, text: str) -> None:
    soops.study.migrate("out", rename=[text])


ENDS = ("exit:", "signal:", "SIG", "kill", "timeout", " ", "failed", "lost", "137", "99", "_DFL")
QUERIES = (
    "num > 1 & name.str.contains('x')",
    "num.isin([1]) | state == 1",
    "`--num` in [1, 2] and not name == 'abc'",
)
TARGETS = (
    Target(query, QUERIES, fuzzing.LOGIC, 30),
    Target(query_for_pandas, ("num > 1", "num.abs() % 2 == 1"), fuzzing.LOGIC, 30),
    Target(query_numexpr, ("num > 1", "num in [1, 2] and not num == 1"), fuzzing.LOGIC, 30),
    Target(plugin_args, ("show_figures={a=1, b='x'}",), fuzzing.WORDS),
    Target(runner_opt, ("scheduler=tcp://h:1 dashboard=yes", "cluster=a:b"), fuzzing.WORDS),
    Target(retry_on, ("failed exit:137", "signal:SIGKILL lost"), ENDS),
    Target(migrate_add, ("--new=1, b='x'", "--new=@defined, c=[[1, 2]]"), fuzzing.WORDS, 40),
    Target(migrate_rename, ("--num:--other",), ("iset", "script_dir", ":", *fuzzing.WORDS), 40),
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


# --- what such texts have found ----------------------------------------------------------


@pytest.mark.parametrize("part", ["\\'", '\\"', "'\\", "\\\n'", "`", "'", "a'"])
def test_quotes_without_an_end_are_looked_at_once(study, part):
    # Each of 150000 quotes was tried as the start of a text, beyond fuzzing.LIMIT.
    target = Target(query_for_pandas, (), ())
    assert not fuzzing.understood(study, target, f"n{part * 75_000}")
