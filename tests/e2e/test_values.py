"""A value reaches the program exactly, and comes back from everywhere with its type."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import soops
from soops.cli import find_main, info_main, run_main
from soops.kernel.study.identity import from_jsonable, identity

MODULE = """\
from pathlib import Path


def get_run_info():
    return COMMAND, OPTIONS, "output_dir", "word"


def get_scoop_info():
    import soops.scoop_outputs as sc

    return [("soops-parameters.csv", sc.load_soops_parameters, True)]


def given(args, gkeys, dconf, options):
    nan, inf = float("nan"), float("inf")
    return {"--v": eval(Path(args.file).read_text(encoding="utf-8", errors="surrogatepass"))}
"""
SHELL = MODULE.replace("COMMAND", repr("sh {script_dir}/program.sh {output_dir}")).replace(
    "OPTIONS", repr({"--v": "--v={--v}"})
)
PLAIN = MODULE.replace(
    "COMMAND", repr(("sh", "{script_dir}/program.sh", "{output_dir}", "--v={--v}"))
).replace("OPTIONS", repr({}))
PROGRAM = 'printf %s "$2" > "$1/word"\n'

#: Pairs that are easily mixed up, and values that break quoting.
NOTABLE = [
    [1, 1.0, "1", True, "True", "1.0", "1.10", 1.1, "1e5", 1e5],
    [None, "None", "", "none", "nan", "inf", "null"],
    [0, 0.0, False, "0", "007", 7, "-0", "0x10", "1_000"],
    [2**53 + 1, float(2**53), 2**70, -(2**64), 12345678901234567, 0.1 + 0.2],
    [[1, 2], (1, 2), [(1,)], (), {}, {"a": 1, "b": [None, True]}, {1: (2.0, "x")}, [[]]],
    [float("nan"), float("inf"), float("-inf"), 1j, 1 + 2.5j],
    ["$HOME", "$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "'", '"', "\\", "a\\b", "!x"],
    ["a b", " a ", "\t", "a\nb", "\n", "*", "~", "a;b", "a&b", "a|b", "a>b", "#a", "{a}", "%s"],
    ["žluťoučký", "日本", "\U0001f600", "\u202eabc", "\u0301", "a,b", "a=b", "[1]", "-x", "--v=1"],
    ["x" * 100_000, "@@mail"],
]

NUMBERS = {int, float, complex}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
    | st.text("\"'`$\\ \n\t{}()[]!*?~#;&|<>%@=,-ab1", max_size=12)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, types included, nan too."""
    return type(one) is type(other) and identity({"v": one}) == identity({"v": other})


def as_column(cell: Any, item: Any, items: list[Any]) -> bool:
    """Tell whether a cell of a table is a value as its column has it.

    A column of numbers has one type of number, and NaN is what is missing in a column of
    numbers or of texts; the values of any other column are as they are.
    """
    kinds = {type(other) for other in items}
    if item is None:
        return cell != cell and (kinds <= {str, type(None)} or kinds <= NUMBERS | {type(None)})
    return kinds <= NUMBERS | {type(None)} and (cell == item or (cell != cell and item != item))


def usable(items: list[Any]) -> list[Any]:
    """Return values that make one run each; a text with one @ in front is a directive."""
    kept: dict[str, Any] = {}
    for item in items:
        if not (isinstance(item, str) and item.startswith("@")):
            kept.setdefault(identity({"v": item}), item)
    return list(kept.values())


@pytest.fixture
def here() -> Iterator[Path]:
    """Return a directory that is emptied before each example."""
    before = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="soops values "))
    os.chdir(folder)
    yield folder
    os.chdir(before)
    shutil.rmtree(folder)


def run_values(items: list[Any], module: str) -> dict[str, Any]:
    """Run one study over the values; return the value of each directory."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    Path("module.py").write_text(module)
    Path("program.sh").write_text(PROGRAM)
    Path("values.txt").write_text(repr(items), encoding="utf-8", errors="surrogatepass")
    done: dict[str, Any] = {}

    def note(record: Any) -> None:
        done[record.directory] = record

    summary = soops.run(
        "output_dir='out/%s', --v=@generate",
        "module.py",
        generate="function=given, file=values.txt",
        on_record=note,
        silent=True,
    )
    assert summary.ok and len(done) == len(items)
    return {name: record.parameters["--v"] for name, record in done.items()}


def check_everywhere(items: list[Any], module: str) -> None:
    recorded = run_values(items, module)

    found = sorted(soops.find(["out"]), key=lambda run: run.number)
    assert not Path("pwned").exists()
    assert len(found) == len(items)
    for item, run in zip(items, found, strict=True):
        word = Path(run.path, "word").read_bytes()
        # The program got exactly this word, and no other.
        assert word == os.fsencode(f"--v={item}")
        assert same(run.parameters["--v"], item)
        shown = json.loads(json.dumps(run.as_json()))
        assert same(from_jsonable(shown["parameters"]["--v"]), item)
    assert len(recorded) == len(found)
    frame = soops.scoop("module.py", ["out"], save_csv=False).frame
    assert sorted(frame["rfiles"].map(len)) == [1] * len(items)
    cells = dict(zip(frame["rdir"].map(lambda name: Path(name).name), frame["--v"], strict=True))
    for item, run in zip(items, found, strict=True):
        cell = cells[Path(run.path).name]
        assert same(cell, item) or as_column(cell, item, items), (item, cell)


@pytest.mark.parametrize("module", [SHELL, PLAIN], ids=["shell", "words"])
@pytest.mark.parametrize("items", NOTABLE, ids=lambda items: ascii(items[0])[:12])
def test_notable_values_go_through_everything(here, items, module):
    check_everywhere(usable(items), module)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(values, min_size=1, max_size=15).map(usable).filter(bool), st.booleans())
@example(["", "\x7f", "\x1b[31m"], True)
def test_values_go_through_everything(here, items, in_shell):
    check_everywhere(items, SHELL if in_shell else PLAIN)


def test_a_program_cannot_get_a_null_character_and_its_run_says_so(here):
    Path("module.py").write_text(SHELL)
    Path("program.sh").write_text(PROGRAM)
    Path("values.txt").write_text("['a', 'b\\0c']")

    words = ["output_dir='out/%s', --v=@generate", "--generate-pars"]
    code = run_main(["--silent", *words, "function=given, file=values.txt", "module.py"])

    states = [(run.number, run.state) for run in soops.find(["out"])]
    assert code == 1
    assert states == [(0, "done"), (1, "failed")]


def test_the_commands_show_the_value_as_it_is(here, capfd):
    run_values([1, 1.0, "1", "1.10", "007", "", None, True], SHELL)
    shown = ["1", "1.0", "1", "1.10", "007", "", "None", "True"]
    directories = sorted(str(path) for path in Path("out").glob("*-*"))
    capfd.readouterr()

    assert find_main(["-k", "--v", "out"]) == 0
    assert capfd.readouterr().out.split("\n")[:-1] == shown
    assert info_main(["module.py", "-e", *directories]) == 0
    lines = [line for line in capfd.readouterr().out.splitlines() if "--v: " in line]
    assert [line.partition("--v: ")[2] for line in lines] == shown
    assert find_main(["--json", "out"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [row["parameters"]["--v"] for row in rows] == [
        1,
        1.0,
        "1",
        "1.10",
        "007",
        "",
        None,
        True,
    ]
    assert [type(row["parameters"]["--v"]) for row in rows[:3]] == [int, float, str]
    assert find_main(["-q", "v == '007'", "-k", "iset", "out"]) == 0
    assert capfd.readouterr().out.strip() == "4"
