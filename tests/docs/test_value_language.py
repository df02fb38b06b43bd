"""The page about the value language is true: every line of its tables, every file it shows.

What a row means is said by the head of its table.
"""

from __future__ import annotations

import ast
import doctest
import math
import re
from pathlib import Path
from typing import Any

import pytest

from soops.api import StudyError
from soops.kernel.study.conf import expand, pending_keys, read_study
from soops.kernel.study.expression import compile_expression
from soops.kernel.study.operations import FUNCTIONS
from soops.study import create_app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "value-language.md"
TEXT = PAGE.read_text(encoding="utf-8")
CELL = re.compile(r"^(`+)(.*?)\1$", re.DOTALL)


def rows(head: str) -> list[tuple[str, str]]:
    """Return the rows of all tables whose first column has this name, code marks removed."""
    found = []
    inside = False
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == head:
            inside = True
        elif inside and not line.startswith("|---"):
            first, second = (bare(cell) for cell in cells)
            found.append((first, second))
    assert found, f"no table has the column {head!r}"
    return found


def bare(cell: str) -> str:
    match = CELL.match(cell)
    if not match:
        return cell
    text = match[2]
    return text[1:-1] if len(match[1]) > 1 else text


def python(text: str) -> Any:
    return math.inf if text == "inf" else ast.literal_eval(text)


@pytest.fixture(scope="module")
def app():
    return create_app()


@pytest.mark.parametrize(("text", "wanted"), rows("Entries"))
def test_entries(app, text, wanted):
    found = expand(app, read_study(app, text))

    assert repr(found) == repr(python(wanted))


@pytest.mark.parametrize(("text", "wanted"), rows("Text") + rows("Directive"))
def test_values(app, text, wanted):
    found = expand(app, read_study(app, f"key={text}"))["key"]

    assert repr(found) == repr(python(wanted))


@pytest.mark.parametrize(("text", "wanted"), rows("Wrong"))
def test_mistakes(app, text, wanted):
    with pytest.raises(StudyError) as caught:
        expand(app, read_study(app, text))

    source = caught.value.source
    assert f"line {source.line}, column {source.column}: {caught.value.message}" == wanted


@pytest.mark.parametrize(("text", "wanted"), rows("Expression"))
def test_expressions(app, text, wanted):
    above = TEXT.partition("For a run with `")[2].partition("`:")[0]
    values = expand(app, read_study(app, above))
    assert len(values) == 5

    assert repr(compile_expression(text, values)(values)) == wanted


def test_all_functions_of_expressions_are_named():
    named = TEXT.partition("- Functions: `")[2].partition("`")[0].split()

    assert sorted(named) == sorted(FUNCTIONS)


def test_the_file_with_sections(app, blocks, tmp_path):
    (block,) = [block for block in blocks(PAGE) if block.word == "ini"]
    path = tmp_path / block.file_name
    path.write_text(block.body, encoding="utf-8")

    small = read_study(app, str(path))
    large = read_study(app, str(path), section="large")

    assert small.values == {
        "python": "python3",
        "output_dir": "output/small/%s",
        "--num": [100, 200],
    }
    assert pending_keys(app, large) == ["--seed"]
    assert large.values["output_dir"] == "/scratch/output/large/%s"
    assert large.values["--num"] == [1000, 10000]
    assert large.generate == {"function": "make_seeds", "n": 3}


def test_the_file_in_toml(app, blocks, tmp_path):
    (block,) = [block for block in blocks(PAGE) if block.word == "toml"]
    path = tmp_path / "waves.toml"
    path.write_text(block.body, encoding="utf-8")

    study = read_study(app, str(path))
    values = expand(app, study)

    assert values == {
        "n": [1, 2, 3],
        "--num": [10, 20, 21],
        "x": [0.0, 0.25, 0.5, 0.75, 1.0],
        "output_dir": "output/wave/%s",
    }
    assert (study.name, study.contracts, study.where) == ("wave", (("n", "--num"),), "n > 1")
    assert study.module.run_info.command[0] == "awk"
    assert study.module.scoop_info.items[0].scraper in app.registry("scraper")
    assert study.module.steps[0].name in app.registry("step")


def test_the_lines_of_python(blocks):
    (block,) = [block for block in blocks(PAGE) if block.word == "pycon"]
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    test = parser.get_doctest(block.body, {}, PAGE.name, str(PAGE), block.line)
    out: list[str] = []

    runner.run(test, out=out.append)

    assert not runner.failures, "".join(out)
    assert runner.tries == 5
