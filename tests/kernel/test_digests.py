"""What makes a scraper another one, so that what it read is read again."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soops.kernel.plugging.usermodule import import_script
from soops.kernel.table.digests import with_digests
from soops.kernel.values import ScoopInfo, ScoopItem

MODULE = '''\
"""A script with more than what reads."""
import re

FACTOR = 2
PATTERN = re.compile("x=(.*)")
TABLE = {"a": [1, 2]}

def helper(text):
    return float(text) * FACTOR

def further(text):
    return [helper(part) for part in text.split()]

def decorate(function):
    import functools

    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner

@decorate
def read(path, rdata=None, scale=1):
    found = PATTERN.search(open(path).read())
    return {"x": further(found[1]), "t": TABLE["a"]}

class Reader:
    limit = 3

    def __call__(self, path, rdata=None):
        return {"limit": self.limit}

instance = Reader()

def make(limit):
    def inner(path, rdata=None):
        return {"limit": limit}

    return inner

def plot(df, data=None):
    return 1
'''


@pytest.fixture
def digest(tmp_path: Path) -> Callable[..., str]:
    numbers = itertools.count()

    def digest(get: Callable[[Any], Any], old: str = "", new: str = "", **options: Any) -> str:
        assert old in MODULE
        path = tmp_path / f"script{next(numbers)}.py"
        path.write_text(MODULE.replace(old, new) if old else MODULE)
        item = ScoopItem(pattern="a.txt", scraper=get(import_script(path)), options=options)
        (with_digest,) = with_digests(ScoopInfo(items=(item,)), {}.__getitem__).items
        return with_digest.digest

    return digest


def read(module: Any) -> Any:
    return module.read


def test_the_same_text_is_the_same_scraper(digest):
    assert digest(read) == digest(read)
    assert re.fullmatch("[0-9a-f]{12}", digest(read))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('return {"x"', 'return {"y"'),
        ("float(text) * FACTOR", "float(text) / FACTOR"),
        ("FACTOR = 2", "FACTOR = 3"),
        ('re.compile("x=(.*)")', 're.compile("x = (.*)")'),
        ('"a": [1, 2]', '"a": [1, 3]'),
        ("scale=1", "scale=2"),
    ],
)
def test_what_it_uses_makes_it_another_one(digest, old, new):
    assert digest(read, old, new) != digest(read)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return 1", "return 2"),
        ('"""A script', '"""\n\n\nA script'),
        ("limit = 3", "limit = 4"),
    ],
)
def test_the_rest_of_its_script_does_not(digest, old, new):
    assert digest(read, old, new) == digest(read)


def test_options_and_the_arguments_of_partial_functions_count(digest):
    assert digest(read, scale=2) != digest(read)
    assert digest(read, scale=2) == digest(read, scale=2)
    two, three = (lambda module, n=n: functools.partial(module.read, scale=n) for n in (2, 3))
    assert digest(two) == digest(two) != digest(three)


def test_objects_and_closures_count(digest):
    one = lambda module: module.instance  # noqa: E731
    assert digest(one) == digest(one) != digest(one, "limit = 3", "limit = 4")
    three, four = (lambda module, n=n: module.make(n) for n in (3, 4))
    assert digest(three) == digest(three) != digest(four)


def test_where_something_is_in_memory_does_not_count(digest):
    assert digest(read, scale=object()) == digest(read, scale=object())


def test_what_has_no_source_is_its_name_or_its_code():
    made: list[Any] = []
    for text in ("1", "1", "2"):
        scope: dict[str, Any] = {}
        exec(f"def read(path, rdata=None): return {{'x': {text}}}", scope)
        made.append(scope["read"])
    items = [ScoopItem(pattern="a", scraper=scraper) for scraper in (*made, len, dict)]
    digests = [item.digest for item in with_digests(ScoopInfo(items=tuple(items)), {}.get).items]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_a_registered_scraper_is_what_it_stands_for():
    items = (ScoopItem(pattern="a", scraper="size"),)
    one, two = (
        with_digests(ScoopInfo(items=items), {"size": scraper}.__getitem__).items[0].digest
        for scraper in (len, repr)
    )
    assert one != two
