"""The study in one file: what its space, its program and its forms mean; through the plan."""

from __future__ import annotations

import json

import pytest
import yaml

from soops import study
from soops.api import StudyError

HEAD = """\
[study]
command = ["true", "{n}", "{x}"]
output_dir = "out/%s"
"""


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Return a function: text of a file to the values of its sets, directories left out."""
    monkeypatch.chdir(tmp_path)

    def of(text: str, name: str = "s.toml", **options) -> list[dict]:
        (tmp_path / name).write_text(text, encoding="utf-8")
        planned = list(study.plan(name, **options))
        return [dict(run.parameters.values) for run in planned]

    return of


def pairs(found, *keys):
    return [tuple(item[key] for key in keys) for item in found]


def mistakes(call, *args) -> list[tuple[str, int | None]]:
    with pytest.raises(StudyError) as caught:
        call(*args)
    every = (caught.value, *caught.value.others)
    return [(item.message, item.source.line if item.source else None) for item in every]


# --- blocks ------------------------------------------------------------------------------


def test_blocks_are_a_union_and_a_set_of_two_blocks_is_run_once(sets):
    found = sets(
        HEAD
        + """
[parameters]
n = [1, 2]
x = 0
[[block]]
[[block]]
name = "fine"
parameters = { n = [2, 3], x = [0, 1] }
exclude = "n == 3 and x == 0"
"""
    )

    assert pairs(found, "n", "x") == [(1, 0), (2, 0), (2, 1), (3, 1)]


def test_filters_of_the_study_hold_for_all_blocks(sets):
    found = sets(
        HEAD.replace("[study]", '[study]\nwhere = ["n > 1", "x < 9"]\nexclude = "n == 3"')
        + """
[parameters]
n = [1, 2, 3, 4]
x = 0
[[block]]
[[block]]
parameters = { x = [5, 9] }
where = "n == 4"
"""
    )

    assert pairs(found, "n", "x") == [(2, 0), (4, 0), (4, 5)]


def test_a_block_may_give_what_others_have_by_default_and_must_give_what_nobody_does(sets):
    text = HEAD + "[parameters]\nn = 1\n[[block]]\nparameters = { x = 1 }\n"
    assert pairs(sets(text), "x") == [(1,)]

    ((message, line),) = mistakes(sets, text + "[[block]]\nname = 'empty'\n")

    assert message.startswith("the block 'empty' gives no value for 'x'")
    assert line == 8


def test_one_at_a_time_around_the_baseline(sets):
    found = sets(
        HEAD + "[parameters]\nn = 1\nx = 0.5\n[one_at_a_time]\nn = [1, 2, 3]\nx = [0.1, 0.5]\n"
    )

    assert pairs(found, "n", "x") == [(1, 0.5), (2, 0.5), (3, 0.5), (1, 0.1)]


def test_a_baseline_is_one_value(sets):
    ((message, line),) = mistakes(
        sets, HEAD + "[parameters]\nn = [1, 2]\nx = 1\n[one_at_a_time]\nn = [1]\n"
    )

    assert (message, line) == ("the baseline of 'n' is a list of values", 8)


# --- rows, samples -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.csv", "n,x,note\n1,0.5,a\n2,1.5,b\n"),
        ("c.jsonl", '{"n": 1, "x": 0.5, "note": "a"}\n\n{"n": 2, "x": 1.5, "note": "b"}\n'),
        ("c.parquet", None),
    ],
)
def test_rows_of_a_table_are_sets_in_lockstep(name, text, sets, tmp_path):
    if text is None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"n": [1, 2], "x": [0.5, 1.5], "note": ["a", "b"]}), name)
    else:
        (tmp_path / name).write_text(text)
    file = f'rows = {{ file = "{name}", columns = ["n", "x"] }}'

    found = sets(HEAD.replace("[study]", f"[study]\n{file}"))

    assert pairs(found, "n", "x") == [(1, 0.5), (2, 1.5)]
    assert type(found[0]["n"]) is int


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('"gone.csv"', "the rows cannot be read: 'gone.csv': No such file or directory"),
        ('"s.toml"', "rows are not read from 's.toml'"),
        ('{ file = "c.csv", columns = ["m"] }', "unknown column of 'c.csv': 'm'"),
        ('{ fil = "c.csv" }', "unknown key of rows: 'fil'"),
        ('"ragged.csv"', "'ragged.csv' is no table of rows: row 2 has 1 cells, not 2"),
        ('"empty.csv"', "'empty.csv' has no rows"),
        ('"bad.jsonl"', "'bad.jsonl' is no table of rows: line 1 is not an object"),
    ],
)
def test_rows_that_are_none(rows, message, sets, tmp_path):
    (tmp_path / "c.csv").write_text("n,x\n1,2\n")
    (tmp_path / "ragged.csv").write_text("n,x\n1\n")
    (tmp_path / "empty.csv").write_text("n,x\n")
    (tmp_path / "bad.jsonl").write_text("[1]\n")
    text = HEAD.replace("[study]", f"[study]\nrows = {rows}") + "[parameters]\nn = 1\nx = 1\n"

    assert mistakes(sets, text) == [(message, 2)]


def test_a_sample_is_crossed_with_the_lists_and_grows(sets):
    text = (
        HEAD
        + """
[parameters]
n = [1, 2]
[sample]
count = 4
over = { x = { low = 0.0, high = 1.0 } }
"""
    )
    small = sets(text)
    large = sets(text.replace("count = 4", "count = 8"))

    assert len(small) == 8 and len(large) == 16
    quarters = sorted(int(4 * item["x"]) for item in small if item["n"] == 1)
    assert quarters == [0, 1, 2, 3]
    assert {*pairs(small, "n", "x")} < {*pairs(large, "n", "x")}


def test_a_wrong_sample_names_its_parameter(sets):
    text = HEAD + "[parameters]\nn = 1\n[sample]\ncount = 4\nover.x = { low = 2, high = 1 }\n"

    ((message, line),) = mistakes(sets, text)

    assert "x" in message
    assert line == 8


# --- derived, replicates -----------------------------------------------------------------


def test_derived_parameters_are_sorted_by_their_needs(sets):
    text = HEAD + "[parameters]\nn = [1, 2]\n[derived]\nx = '2 * half'\nhalf = 'n / 4'\n"

    assert pairs(sets(text), "n", "half", "x") == [(1, 0.25, 0.5), (2, 0.5, 1.0)]


@pytest.mark.parametrize("way", ["where", "block", "exclude", "--where"])
def test_sets_without_a_derived_value_can_be_left_out(way, sets):
    text = HEAD + "[parameters]\nn = [0, 1, 2]\n[derived]\nx = '1 / n'\n"
    options = {"where": "n > 0"} if way == "--where" else {}
    if way in ("where", "exclude"):
        word = "where = 'n > 0'" if way == "where" else "exclude = 'n == 0'"
        text = text.replace("[study]", f"[study]\n{word}")
    if way == "block":
        text += "[[block]]\nwhere = 'n > 0'\n"

    assert pairs(sets(text, **options), "n", "x") == [(1, 1.0), (2, 0.5)]


def test_sets_from_elsewhere_are_completed_and_filtered(sets):
    text = HEAD.replace("[study]", "[study]\nexclude = 'x > 4'")
    text += "[parameters]\nn = 0\n[derived]\nx = '2 * n'\n"

    found = sets(text, sets=[{"n": 1}, {"n": 2}, {"n": 3}])

    assert pairs(found, "n", "x") == [(1, 2), (2, 4)]


def test_derived_parameters_in_a_circle(sets):
    text = HEAD + "[parameters]\nn = 1\n[derived]\nx = 'y + 1'\ny = 'x + 1'\n"

    assert mistakes(sets, text) == [("'x', 'y' need each other", 7)]


def test_replicates_have_seeds_of_their_own_that_stay_when_the_study_grows(sets):
    text = (
        HEAD.replace("{x}", "{seed}").replace("[study]", "[study]\nrepeat = 2")
        + "[parameters]\nn = [1, 2]\n"
    )
    few = sets(text)
    many = sets(text.replace("repeat = 2", "repeat = 3").replace("[1, 2]", "[0, 1, 2]"))

    assert pairs(few, "n", "replicate") == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert len({item["seed"] for item in few}) == 4
    assert {*pairs(few, "n", "replicate", "seed")} < {*pairs(many, "n", "replicate", "seed")}


def test_a_seed_may_have_another_name_and_need_no_replicates(sets):
    text = HEAD.replace("{x}", "{--rng}").replace("[study]", '[study]\nseed = "--rng"')

    found = sets(text + "[parameters]\nn = [1, 2]\n")

    assert len({item["--rng"] for item in found}) == 2


def test_the_parameter_of_replicates_is_not_given_twice(sets):
    text = HEAD.replace("[study]", "[study]\nrepeat = 2") + "[parameters]\nn = 1\nx = 1\n"

    ((message, line),) = mistakes(sets, text + "replicate = 3\n")

    assert "replicate" in message
    assert line == 2


# --- forms -------------------------------------------------------------------------------

DATA = {
    "study": {
        "command": ["true", "{n}", "{x}"],
        "output_dir": "out/%s",
        "where": "n > 1",
    },
    "parameters": {"n": [1, 2, 3], "x": "@linspace(0, 1, 2)"},
    "block": [{"parameters": {"n": [5]}}, {}],
}


def test_the_forms_say_the_same(sets):
    as_yaml = sets(yaml.safe_dump(DATA), "s.yaml")
    as_json = sets(json.dumps({"$schema": "study.schema.json", **DATA}), "s.json")

    assert pairs(as_yaml, "n", "x") == [(5, 0.0), (5, 1.0), (2, 0.0), (2, 1.0), (3, 0.0), (3, 1.0)]
    assert as_json == as_yaml


@pytest.mark.parametrize("name", ["s.yaml", "s.json"])
def test_each_form_knows_its_lines(name, sets):
    text = """\
{
  "study": {
    "command": ["true", "{n}",
                "{m}"],
    "output_dir": "out/%s",
    "timout": 3
  },
  "parameters": {"n": [1,
     "@linspac(1)"]
  }
}
"""
    found = mistakes(sets, text, name)

    assert found == [
        ("the placeholder {m} has no value", 4),
        ("unknown key of [study]: 'timout'", 6),
        ("unknown directive 'linspac'", 9),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message", "line"),
    [
        ("s.json", '{"study": {,}}', "this is not JSON: Expecting property name", 1),
        ("s.json", '{"study": {},\n"study": {}}', "the key 'study' is given twice", None),
        ("s.json", "[1]", "a study file is a table of tables", 1),
        ("s.json", '{"study": {"timeout": NaN}}', "this is not JSON: NaN", None),
        ("s.json", "[" * 100_000, "this is not JSON: it is nested too deep", None),
        ("s.yaml", "study: [", "this is not YAML", 1),
        ("s.yaml", "a: &a [*a, *a]", "this is not YAML", None),
        ("s.yaml", "study: !!python/name:os.system", "this is not YAML: could not determine", 1),
        ("s.yaml", "", "there is no table [study]", None),
        ("s.yaml", "study:\n  on: 1\n", "a key is no text", 2),
        ("s.yaml", "study: {}\nparameters:\n  1: 2\n  n: 1\n", "a key is no text", 3),
        ("s.yaml", "study: {}\nrun:\n  n: 1\n  n: 1\n", "the key 'n' is given twice", 4),
        ("s.yaml", "? [a]\n: b\n", "a key is no text", 1),
    ],
)
def test_a_text_that_is_not_of_its_form(name, text, message, line, sets):
    found = mistakes(sets, text, name)

    assert found[0][0].startswith(message)
    assert found[0][1] == line


# --- everything in one go ----------------------------------------------------------------

WRONG = """\
[study]
comand = ["sh"]
command = ["sh", "{n}", "{y}"]
output_dir = "out/%s"
templates = ["deck.in.j2", "nope.j2", "broken.j2"]
inputs = [{ file = "x.dat", lnk = true }]
finished = { file = "log.txt", regex = "(" }
timeout = "10 + m"
where = "n > > 1"
repeat = 0
resources = { cpus = "z(2)" }
[parameters]
n = [1, 2, 3]
x = "@linspac(0, 1)"
[derived]
dt = "x / nn"
[[scoop]]
file = "stdout.txt"
scraper = "regx"
[[scoop]]
file = "stdout.txt"
scraper = "regex"
pattern = 'energy (?P<energy>'
[[scoop]]
file = "stdout.txt"
scraper = "csv"
colums = ["a"]
[[step]]
name = "show_figure"
[run]
n_workers = "3"
"""


def test_every_mistake_is_told_in_one_go_with_its_file_and_line(sets, tmp_path):
    (tmp_path / "deck.in.j2").write_text("n {{ n }}\nm {{ mm }}\n")
    (tmp_path / "broken.j2").write_text("\n{% if %}\n")
    with pytest.raises(StudyError) as caught:
        sets(WRONG)

    found = [
        (item.source.path.rpartition("/")[2], item.source.line, item.message.partition(":")[0])
        for item in (caught.value, *caught.value.others)
    ]
    assert sorted(found) == sorted(
        [
            ("broken.j2", 2, "this is no template"),
            ("deck.in.j2", 2, "unknown variable of a template"),
            ("s.toml", 2, "unknown key of [study]"),
            ("s.toml", 3, "the placeholder {y} has no value"),
            ("s.toml", 5, "the template 'nope.j2' cannot be read"),
            ("s.toml", 6, "unknown key of inputs"),
            ("s.toml", 6, "the input 'x.dat' is not there"),
            ("s.toml", 7, "the regex '(' is wrong"),
            ("s.toml", 8, "unknown parameter 'm'"),
            ("s.toml", 9, "'>' where a value should be"),
            ("s.toml", 10, "'repeat' must be an integer, 1 or more"),
            ("s.toml", 11, "unknown function 'z'"),
            ("s.toml", 14, "unknown directive 'linspac'"),
            ("s.toml", 16, "unknown parameter 'nn'"),
            ("s.toml", 17, "unknown scraper 'regx'"),
            ("s.toml", 20, "scraper 'regex'"),
            ("s.toml", 24, "unknown option of the scraper 'csv'"),
            ("s.toml", 28, "unknown step 'show_figure'"),
            ("s.toml", 31, "'n_workers' must be an integer, 1 or more"),
        ]
    )
    assert caught.value.lines()[-1] == "19 mistakes in all"
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_one_mistake_whatever_uses_the_parameters(sets):
    text = HEAD.replace(', "{x}"', "").replace("[study]", "[study]\ntemplates = ['gone.j2']")

    found = mistakes(sets, text + "[parameters]\nn = 1\nx = 1\n")

    assert found == [("the template 'gone.j2' cannot be read: No such file or directory", 2)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('inputs = ["stdout.txt"]', "'stdout.txt' is a file of soops"),
        ('inputs = [{ file = "a.txt", to = "../a" }]', "'../a' leads out of the run directory"),
        ('inputs = [{ file = "a.txt", to = "/a" }]', "'/a' leads out of the run directory"),
        ('inputs = ["a.txt", { file = "b.txt", to = "a.txt" }]', "two files become 'a.txt'"),
        ('inputs = ["{m}.txt"]', "unknown parameter 'm'"),
        ('finished = ["a", "exit:0"]', "an exit code is a check by itself"),
        ('finished = { file = "a" }', "a check of a text has a file and a regex"),
        ('setup = ["echo it\'s"]', "a quotation mark of the setup is not closed"),
        ('timeout = "@range(3)"', "where a value should be"),
        ('timeout = "-1"', "'-1' is no amount"),
        ('timeout = "0"', "'0' is no amount"),
        ('resources = { cpus = "inf" }', "'inf' is no amount"),
    ],
)
def test_mistakes_of_the_program(given, message, sets, tmp_path):
    for name in ("a.txt", "b.txt", "stdout.txt"):
        (tmp_path / name).touch()
    text = HEAD.replace("[study]", f"[study]\n{given}") + "[parameters]\nn = 1\nx = 1\n"

    ((found, line),) = mistakes(sets, text)

    assert message in found
    assert line == 2
