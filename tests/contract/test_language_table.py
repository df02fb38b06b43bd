"""The dict-like language, line by line as soops 2026.2 reads it, and where ours is better.

Each row has the text and what it gives with free words and with plain words. Where the
reading differs from that of 2026.2, the row says what 2026.2 gave; ``docs/differences.md``
says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from soops.parsing import GrammarError, parse_as_dict, parse_as_list

ERROR = "an error"
SAME: Any = object()


@dataclass(frozen=True)
class Row:
    """One text; ``was`` and ``was_strict`` are what 2026.2 gave when that was different."""

    text: str
    free: Any
    strict: Any = SAME
    was: Any = SAME
    was_strict: Any = SAME


ROWS = [
    Row("a=1, b=2.5, c=x", {"a": 1, "b": 2.5, "c": "x"}),
    Row("a='x,y=z', b=\"q'q\"", {"a": "x,y=z", "b": "q'q"}),
    Row("a='it''s'", {"a": "it''s"}),
    Row(r"a='it\'s'", {"a": r"it\'s"}),
    Row(r"a='line\nbreak'", {"a": r"line\nbreak"}),
    Row("a=", {"a": None}),
    Row("a=, b=2", {"a": None, "b": 2}),
    Row("a=''", {"a": ""}),
    Row("a=1,", {"a": 1}),
    Row("a=1,,b=2", ERROR),
    Row(",a=1", ERROR),
    Row("a", ERROR),
    Row("a=[1,2,3,]", {"a": [1, 2, 3]}),
    Row("a=[]", {"a": []}),
    Row("a=[,]", ERROR),
    Row("a=()", {"a": ()}),
    Row("a=(1)", {"a": (1,)}),
    Row("a=(1,)", {"a": (1,)}),
    Row("a={}", {"a": {}}),
    Row("a={b=1,c=[2,{d=3}]}", {"a": {"b": 1, "c": [2, {"d": 3}]}}),
    Row(
        "a=[1,'b',2.0,None,True,(1,),{c=d}]",
        {"a": [1, "b", 2.0, None, True, (1,), {"c": "d"}]},
    ),
    Row("a={b:1}", ERROR, {"a": {"b": 1}}),
    Row("a={b : 1}", {"a": {"b": 1}}),
    Row("a={'b':1}", {"a": {"b": 1}}),
    Row("a={1:2}", ERROR, {"a": {1: 2}}),
    Row("a:1, b:2", ERROR, {"a": 1, "b": 2}),
    Row("a : 1", {"a": 1}),
    Row("a=none, b=TRUE, c=nOnE", {"a": None, "b": True, "c": None}),
    Row("a=Nonesuch", {"a": "Nonesuch"}),
    Row("a=Truely", {"a": "Truely"}),
    Row("a=true-ish", {"a": "true-ish"}, ERROR),
    Row("a=nan", {"a": "nan"}),
    Row("a=inf", {"a": "inf"}),
    Row("a=-inf", {"a": "-inf"}, ERROR),
    Row("a=-1", {"a": -1}),
    Row("a=+1", {"a": 1}),
    Row("a=- 1", ERROR),
    Row("a=.5", {"a": 0.5}, was={"a": ".5"}, was_strict=ERROR),
    Row("a=-.5", {"a": -0.5}, was={"a": "-.5"}, was_strict=ERROR),
    Row("a=5.", {"a": 5.0}),
    Row("a=1e3", {"a": 1000.0}),
    Row("a=1E3", {"a": 1000.0}),
    Row("a=1e-3", {"a": 0.001}),
    Row("a=1.e5", {"a": 100000.0}),
    Row("a=1e400", {"a": math.inf}),
    Row("a=0x10", {"a": "0x10"}, ERROR),
    Row("a=1_000", {"a": "1_000"}, ERROR),
    Row("a=1d3", {"a": "1d3"}, ERROR),
    Row("a=007", {"a": 7}),
    Row("a=00", {"a": 0}),
    Row("a=-0", {"a": 0}),
    Row("a=1.0j", {"a": 1j}, was={"a": 1 + 0j}, was_strict={"a": 1 + 0j}),
    Row("a=1j", {"a": 1j}, was={"a": "1j"}, was_strict=ERROR),
    Row("a=1+2j", {"a": 1 + 2j}, was={"a": "1+2j"}, was_strict=ERROR),
    Row("a=1.0+2.0j", {"a": 1 + 2j}, was={"a": "1.0+2.0j"}, was_strict=ERROR),
    Row("a=2020-01-01", {"a": "2020-01-01"}, ERROR),
    Row("a=12:30:00", {"a": "12:30:00"}, ERROR),
    Row("a=1.2.3", {"a": "1.2.3"}, ERROR),
    Row("a=1.10", {"a": 1.1}),
    *(
        Row(f"a={word}", {"a": word}, ERROR)
        for word in (
            "x@y.com",
            "/tmp/x/y.txt",
            "../x",
            "*.py",
            "x+y",
            "v1-2",
            "C:/tmp/x",
            "http://x.y/z",
            "x:y",
        )
    ),
    *(
        Row(f"a={word}", {"a": word}, ERROR, was=ERROR)
        for word in (
            "~/x",
            "$HOME",
            "%s",
            "a/%s",
            "x#y",
            "x!y",
            "x;y",
            "x?",
            "x&y",
            "x%y",
            r"a\b",
        )
    ),
    Row(r"a='C:\tmp\y'", {"a": r"C:\tmp\y"}),
    Row(r"a='C:\new\x'", {"a": r"C:\new\x"}, was=ERROR, was_strict=ERROR),
    Row(r"a='\'", ERROR),
    Row(r"a='\\'", {"a": r"\\"}),
    Row("a=žluť", {"a": "žluť"}, was=ERROR, was_strict=ERROR),
    Row("a=日本", {"a": "日本"}, was=ERROR, was_strict=ERROR),
    Row("a='žluť'", {"a": "žluť"}),
    Row("a=x{y}z", ERROR),
    Row("a={y}z", ERROR),
    Row("a=@undefined", {"a": "@undefined"}, ERROR),
    Row("a=[@defined,@undefined]", {"a": ["@defined", "@undefined"]}, ERROR),
    Row("a=@arange(1,3)", ERROR),
    Row("a='@arange(1,3)'", {"a": "@arange(1,3)"}),
    Row("--a=1, --b-c=2", {"--a": 1, "--b-c": 2}, ERROR),
    Row("-a=1", {"-a": 1}, ERROR),
    Row("a.b=1", {"a.b": 1}, ERROR),
    Row("a/b=1", {"a/b": 1}, ERROR),
    Row("@a=1", {"@a": 1}, ERROR),
    Row("1=2", {1: 2}),
    Row("1.5=2", {1.5: 2}),
    Row("None=1", {None: 1}),
    Row("'a b'=1", {"a b": 1}),
    Row("(1,2)=3", {(1, 2): 3}),
    Row("[1]=2", ERROR),
    Row("a=1, a=2", {"a": 2}),
    Row("a==1", ERROR),
    Row("a=b=c", ERROR),
    Row("a='x' 'y'", ERROR),
    Row("a=1 2", ERROR),
    Row("a=[1 2]", ERROR),
    Row("a=[1,2", ERROR),
    Row("a=x y", ERROR),
    Row("a=1 ", {"a": 1}, was={"a": "1"}),
    Row("a=1 ,b=2", {"a": 1, "b": 2}, was={"a": "1", "b": 2}),
    Row("a=[1 ,2]", {"a": [1, 2]}, was={"a": ["1", 2]}),
    Row("a=[ 1, 2 ]", {"a": [1, 2]}, was={"a": [1, "2"]}),
    Row("a=True ,b=1", {"a": True, "b": 1}, was={"a": "True", "b": 1}),
    Row("a=None ", {"a": None}, was={"a": "None"}),
    Row("a=[1, 5 , 15]", {"a": [1, 5, 15]}, was={"a": [1, "5", 15]}),
    Row("a=[\n1,\n2\n]", {"a": [1, 2]}, was={"a": [1, "2"]}),
    Row("a='l1\nl2'", ERROR),
    Row("a=1\nb=2", ERROR),
    Row("", {}),
]

LISTS = [
    Row("", []),
    Row("a,b,", ["a", "b"]),
    Row("options.txt,output_log.txt", ["options.txt", "output_log.txt"], ERROR),
    Row("[1,2],3", [[1, 2], 3]),
    Row("x-y", ["x-y"], ERROR),
    Row("--num", ["--num"], ERROR),
]


def same(found: Any, wanted: Any) -> bool:
    """Tell whether two values are equal, types of all parts included."""
    return repr(found) == repr(wanted)


def read(text: str, free: bool, function: Any) -> Any:
    try:
        return function(text, free_word=free)
    except GrammarError as exc:
        assert exc.source is not None
        assert exc.source.line and exc.source.column, "an error says where"
        return ERROR


@pytest.mark.parametrize("row", ROWS, ids=lambda row: repr(row.text))
@pytest.mark.parametrize("free", [True, False], ids=["free", "plain"])
def test_a_text_is_read_as_the_table_says(row: Row, free: bool):
    wanted = row.free if free or row.strict is SAME else row.strict

    assert same(read(row.text, free, parse_as_dict), wanted)


@pytest.mark.parametrize("row", LISTS, ids=lambda row: repr(row.text))
@pytest.mark.parametrize("free", [True, False], ids=["free", "plain"])
def test_a_list_is_read_as_the_table_says(row: Row, free: bool):
    wanted = row.free if free or row.strict is SAME else row.strict

    assert same(read(row.text, free, parse_as_list), wanted)


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if not (row.was is SAME and row.was_strict is SAME)],
    ids=lambda row: repr(row.text),
)
def test_a_better_reading_is_documented(row: Row):
    """Each text that is read otherwise than by 2026.2 stands in the table of differences."""
    page = Path(__file__).resolve().parents[2] / "docs" / "differences.md"
    language = page.read_text(encoding="utf-8").partition("## Language")[2].partition("\n## ")[0]
    shown = row.text.replace("\n", "⏎")

    assert f"`{shown}`" in language


def test_none_and_values_pass_through():
    assert parse_as_dict(None) == {}
    assert parse_as_list(None) == []
    items = [1, "x"]
    assert parse_as_list(items) is items
    assert parse_as_dict({"a": 1}, defaults="a=2, b=3") == {"b": 3, "a": 1}
    assert parse_as_dict("a=1", defaults={"c": 4}) == {"a": 1, "c": 4}
    assert parse_as_dict(None, defaults="b=3") == {"b": 3}
