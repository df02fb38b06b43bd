"""Whatever stands in a study file, it is a study or errors with places: nothing else comes out."""

from __future__ import annotations

import copy
import json

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soops.api import SoopsError, Source, Study
from soops_builtin.readers import read_json, read_yaml
from soops_builtin.readers.document.schema import FILE
from soops_builtin.readers.json_form import lines_of

WHOLE = {
    "study": {
        "command": ["p", "{n}", "{x}", "{d}", "{output_dir}"],
        "output_dir": "out/%s",
        "finished": ["a", {"file": "b", "regex": "c"}],
        "timeout": "n + 1",
        "resources": {"cpus": 2, "memory": "4 GB"},
        "inputs": [{"file": "{n}.txt", "to": "in.txt"}],
        "where": ["n > 1"],
        "repeat": 2,
        "seed": "s",
    },
    "options": {"s": "-s {s}"},
    "parameters": {"n": [1, 2], "x": "@linspace(0, 1, 2)"},
    "derived": {"d": "n * 2"},
    "one_at_a_time": {"n": [1, 2]},
    "sample": {"count": 3, "over": {"x": {"low": 0, "high": 1}}},
    "block": [{"parameters": {"n": 3}, "exclude": "x > 0.5"}],
    "run": {"n_workers": 2},
    "scoop": [{"file": "a", "scraper": "regex", "pattern": "(?P<a>x)", "reduce": {"a": "last"}}],
    "step": [{"name": "plot", "x": "n", "y": "a"}],
    "results": {"sort": ["n"]},
}
NAMES = [section.name for section in FILE] + [k.name for s in FILE for k in s.keys]
WORDS = st.sampled_from(
    [
        "",
        "n",
        "{",
        "{n}",
        "{}",
        "{0}",
        "{n!r}",
        "{n.a}",
        "@",
        "@linspace(",
        "%s",
        "..",
        "/",
        "n >",
        "\0",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | WORDS, inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from places(item, (*path, place))


PLACES = list(places(WHOLE))[1:]


def put(path, value):
    """Return the whole with another value in one place."""
    data = copy.deepcopy(WHOLE)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return data


def read(reader, text):
    try:
        study = reader(text, Source(path="s"), None)
    except SoopsError as exc:
        others = getattr(exc, "others", ())
        assert all(item.source is not None and item.source.line for item in (exc, *others)), exc
        return exc
    assert isinstance(study, Study)
    return study


def test_the_whole_is_a_study():
    assert isinstance(read(read_json, json.dumps(WHOLE)), Study)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(PLACES), VALUES)
@example(("study", "command"), ["p", "{output_dir}", "{n:{x}}"])
@example(("parameters",), {"n": {"n": ["@linspace("]}})
@example(("sample", "over"), {"": {}})
@example(("derived",), {"n": "n"})
def test_any_value_in_any_place(path, value):
    data = put(path, value)

    as_json = read(read_json, json.dumps(data))
    as_yaml = read(read_yaml, yaml.safe_dump(data))

    assert isinstance(as_json, Study) == isinstance(as_yaml, Study)


@settings(deadline=None, max_examples=100)
@given(VALUES)
def test_the_lines_of_json_are_those_of_its_items(value):
    text = json.dumps(value, indent=1)
    lines = lines_of(text)

    rows = text.split("\n")
    for path in places(value):
        row = rows[lines[path] - 1]
        if path and isinstance(path[-1], str):
            assert json.dumps(path[-1]) in row
