"""docs/study-file.md and the JSON Schema say what the reader checks; each example is read."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from soops import study
from soops.api import Source, StudyError
from soops_builtin.readers import read_toml
from soops_builtin.readers.document.json_schema import json_schema
from soops_builtin.readers.document.kinds import KINDS
from soops_builtin.readers.document.reference import page
from soops_builtin.readers.document.schema import FILE, ROOT

DOCS = Path(__file__).resolve().parents[2] / "docs"

#: What an example needs around it; a key that is the example is left out here.
AROUND = {
    "study": {
        "command": '["true", "{n}", "{x}", "{--num}", "{verbose}", "{--seed}", "{m}"]',
        "output_dir": '"out/%s"',
    },
    "parameters": {"n": "[1, 2]", "x": "[0.5, 1]", "--num": "[1, 2]", "verbose": "1"},
    "defaults": {"--seed": "1", "m": "3"},
    "sample": {"count": "4", "over": "{ m = { low = 0, high = 1 } }"},
    "block": {"name": '"one"'},
    "scoop": {"file": '"result.txt"', "scraper": '"regex"', "pattern": "'(?P<energy>x)'"},
    "step": {"name": '"show_figures"'},
}
EXAMPLES = [
    *((section, key.example) for section in FILE for key in section.keys),
    *((section, section.example) for section in FILE if section.example),
]


def around(section, example: str) -> str:
    """Return a study with an example in its place."""
    key = example.partition(" = ")[0].strip().strip('"')
    tables = {name: dict(given) for name, given in AROUND.items()}
    if section.name != "sample":
        del tables["sample"]
    for name in ("block", "scoop", "step"):
        if name != section.name:
            del tables[name]
    tables.setdefault(section.name, {}).pop(key, None)
    if section.name == "study" and key == "command":
        names = ["{n}", "{x}", "{--num}", "{verbose}", "{--seed}", "{m}"]
        example = example.replace('"]', '", ' + str(names)[1:-1].replace("'", '"') + "]")
    if section.name == "options":
        tables["defaults"].pop(key, None)
    if section.name == "derived":
        tables["study"]["command"] = '["true", "{n}", "{x}", "{--num}", "{verbose}", "{dt}"]'
        tables["defaults"] = {}
    if section.name == "step" and key == "name":
        example = example.replace("plot", "show_figures")
    lines = []
    for name, given in tables.items():
        many = name in ROOT and ROOT[name].many
        lines.append(f"[[{name}]]" if many else f"[{name}]")
        lines += [f'"{inner}" = {value}' for inner, value in given.items()]
        if name == section.name:
            lines.append(example)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("section", "example"), EXAMPLES, ids=[f"{s.name}: {e[:30]}" for s, e in EXAMPLES]
)
def test_each_example_is_read_and_fits_the_schema(section, example, tmp_path):
    for name in ("mesh.txt", "big.dat"):
        (tmp_path / name).touch()
    (tmp_path / "deck.in.j2").write_text("n {{ n }}\n")
    (tmp_path / "cases.csv").write_text("cells\n3\n")
    if example.startswith('rows = "'):
        (tmp_path / "cases.csv").write_text("n\n3\n")
    text = around(section, example)

    if example.startswith("seed") and section.name == "study":
        text = text.replace('"--seed" = 1\n', "")
    if "one_at_a_time" in (section.name, example.partition(" ")[0]):
        text = text.replace('"n" = [1, 2]', '"n" = 1')
    try:
        read_toml(text, Source(path=str(tmp_path / "s.toml")), None)
    except StudyError as exc:
        pytest.fail(f"{exc}\n{text}")
    jsonschema.validate(tomllib.loads(text), json_schema())


def test_the_page_is_the_one_that_is_made():
    shown = (DOCS / "study-file.md").read_text(encoding="utf-8")
    assert shown == page(), (
        "python -m soops_builtin.readers.document.reference > docs/study-file.md"
    )


def test_the_published_schema_is_the_one_that_is_made():
    shown = json.loads((DOCS / "study.schema.json").read_text(encoding="utf-8"))
    assert shown == json_schema(), "soops check --schema > docs/study.schema.json"


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, []),
        ({"study": {"comand": ["x"]}}, ["study"]),
        ({"study": {"timeout": -1}}, ["study", "timeout"]),
        ({"study": {"timeout": True}}, ["study", "timeout"]),
        ({"study": {}, "run": {"n_workers": 0}}, ["run", "n_workers"]),
        ({"study": {}, "step": {"name": "x"}}, ["step"]),
        ({"study": {}, "scoop": [{"file": 1}]}, ["scoop", 0, "file"]),
        ({"study": {}, "sample": {"method": "lsh"}}, ["sample", "method"]),
        ({"study": {}, "block": [{"sample": {"cuont": 1}}]}, ["block", 0, "sample"]),
        ({"study": {}, "other": {}}, []),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(given, path):
    with pytest.raises(jsonschema.ValidationError) as caught:
        jsonschema.validate(given, json_schema())

    assert list(caught.value.absolute_path) == path
    from soops_builtin.readers import read_json

    with pytest.raises(StudyError):
        read_json(json.dumps(given), Source(path="s.json"), None)


def test_every_kind_in_the_schema_is_known_and_every_known_one_is_used():
    used = {key.kind for section in FILE for key in section.keys}
    used |= {section.free for section in FILE if section.free}

    # The root has tables of tables, which are kinds as well.
    assert used <= set(KINDS)
    assert set(KINDS) - used <= {"anything", "a list of texts or tables", "a table"}


def test_the_study_at_the_top_of_the_page_runs(blocks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    first = next(block for block in blocks(DOCS / "study-file.md") if block.word == "toml")
    (tmp_path / "small.toml").write_text(first.body, encoding="utf-8")

    assert study.run("small.toml").ok
    assert sorted(study.scoop("small.toml").frame["energy"]) == [10, 20, 20, 30, 40, 60]
