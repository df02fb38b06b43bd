"""What becomes of the values of a scraper: reduced, renamed, with defaults; units of columns."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soops.api import ScoopInfo, ScoopItem, Source, StudyError
from soops.kernel.plugging.usermodule import import_script
from soops.kernel.table import rows as reading
from soops.kernel.table.digests import with_digests
from soops.kernel.table.rows import scoop_rows
from soops.kernel.table.scoop import scoop_directory
from soops.kernel.table.shape import REDUCTIONS, check_shapes, reduced

NUMBERS = [1, 2.5, 4, -3]
SCRIPT = """
def read(path, rdata=None):
    with open(path) as file:
        numbers = [float(word) for word in file.read().split()]
    return {"t": numbers, "n": len(numbers)}
"""


def no_name(name: str) -> Any:
    raise LookupError(name)


def row_of(directory: Path, values: Any, **item: Any) -> Any:
    """Return the row of a directory with one item whose scraper gives these values."""
    (directory / "x.txt").write_text("")
    item = {"pattern": "x.txt", "scraper": lambda path, rdata=None: values, **item}
    return scoop_directory(str(directory), ScoopInfo(items=(ScoopItem(**item),)), no_name)


def given_by(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.values.items() if name not in ("rdir", "rfiles")}


# --- reduce -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("first", 1),
        ("last", -3),
        ("-2", 4),
        ("1", 2.5),
        ("mean", 1.125),
        ("median", 1.75),
        ("min", -3),
        ("max", 4),
        ("sum", 4.5),
        ("count", 4),
        ("std", np.std(NUMBERS)),
    ],
)
@pytest.mark.parametrize("make", [list, tuple, np.array])
def test_a_list_becomes_one_value(tmp_path: Path, make: Any, how: str, expected: Any) -> None:
    row = row_of(tmp_path, {"x": make(NUMBERS), "y": [1, 2]}, reduce={"x": how})
    assert row.errors == {}
    assert row.values["x"] == pytest.approx(expected, rel=1e-15)
    assert row.values["y"] == [1, 2]


@pytest.mark.parametrize("how", [*REDUCTIONS, "-2"])
def test_a_scalar_is_left_as_it_is_but_has_no_deviation_and_is_one(how: str) -> None:
    expected = {"std": 0.0, "count": 1}.get(how, 3)
    for value in (3, np.array(3), np.int64(3)):
        assert reduced(value, how) == expected
    assert reduced(None, how) is None
    if how != "std":
        assert reduced("word", how) == {"count": 1}.get(how, "word")


@pytest.mark.parametrize("how", [*REDUCTIONS, "-2"])
def test_nothing_becomes_a_missing_value(how: str) -> None:
    for empty in ([], (), np.array([]), np.zeros((0, 2))):
        value = reduced(empty, how)
        assert value == 0 if how == "count" else math.isnan(value)


@pytest.mark.parametrize("how", ["mean", "median", "min", "max", "sum", "std"])
def test_what_is_not_a_number_is_not_hidden(how: str) -> None:
    for values in ([1.0, math.nan, 2.0], [1, None, 2], np.array([1.0, math.nan])):
        assert math.isnan(reduced(values, how))


def test_integers_are_exact_and_tables_are_reduced_as_a_whole() -> None:
    assert reduced([2**70, 1], "sum") == 2**70 + 1
    assert reduced(np.array([2**62, 2**62]), "sum") == 2**63
    assert reduced([[1, 2], [3, 6]], "mean") == reduced(np.array([[1, 2], [3, 6]]), "mean") == 3.0
    assert reduced([[1, 2], [3, 6]], "last") == [3, 6]
    table = np.arange(6.0).reshape(3, 2)
    last = reduced(table, "last")
    assert last.tolist() == [4.0, 5.0]
    assert last.base is None, "the whole table would stay in memory"
    assert reduced([0.1] * 3, "std") == reduced(np.array([0.1] * 3), "std") == 0.0


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e9, 1e9) | st.integers(-(2**40), 2**40), max_size=20),
    how=st.sampled_from([*REDUCTIONS, "0", "-1"]),
)
@example([1e308, 1e308], "sum")
@example([math.inf, -math.inf], "mean")
@example([math.inf, 1.0], "std")
def test_a_list_gives_what_the_array_of_it_gives(values: list[float], how: str) -> None:
    floats = [float(value) for value in values]
    size = max(map(abs, floats), default=0.0)
    near = 1e-7 * size if math.isfinite(size) else 0.0
    for array in (np.array(floats), np.array(values or [0.0])[: len(values)]):
        expected = pytest.approx(reduced(array, how), rel=1e-9, abs=near, nan_ok=True)
        assert reduced(values, how) == expected


@pytest.mark.parametrize(
    ("values", "how", "words"),
    [
        (["a", "b"], "mean", "no 'mean' of 'x': it has 'a', which is no number"),
        (np.array(["a"]), "max", "which is no number"),
        (np.array(["2020-01-01"], dtype="M8[ns]"), "sum", "which is no number"),
        ([1j], "sum", "which is no number"),
        ([1, 2], "2", "no '2' of 'x': it has 2 items"),
        ([10**400, 0.5], "mean", "no 'mean' of 'x'"),
        ("word", "std", "which is no number"),
        ([1], "avg", "there is no such reduction"),
    ],
)
def test_what_cannot_be_is_an_error_of_the_item(
    tmp_path: Path, values: Any, how: str, words: str
) -> None:
    row = row_of(tmp_path, {"x": values}, reduce={"x": how})
    assert words in row.errors["x.txt"]
    assert given_by(row) == {}


# --- rename and default -------------------------------------------------------------------


def test_values_are_reduced_then_renamed_and_what_lacks_has_its_default(tmp_path: Path) -> None:
    row = row_of(
        tmp_path,
        {"a": [1, 2], "b": 3, "c": None, "d": [], "rdir": "there"},
        reduce={"a": "last", "d": "mean"},
        rename={"a": "b", "b": "a", "d": "e", "rdir": "place"},
        default={"c": 7, "e": 8, "f": [9], "a": 0},
    )
    assert row.errors == {}
    assert given_by(row) == {"b": 2, "a": 3, "c": 7, "e": 8, "place": "there", "f": [9]}
    assert row.files[0].columns == ("b", "a", "c", "e", "place", "f")


def test_a_missing_file_has_the_defaults_and_is_no_error(tmp_path: Path) -> None:
    item = {"pattern": "no-*.txt", "reduce": {"a": "last"}, "default": {"a": [1]}}
    first, second = (row_of(tmp_path, {}, is_parameters=True, **item) for _ in range(2))
    assert first.errors == {}
    assert given_by(first) == {"a": [1]}
    assert first.values["rfiles"] == []
    assert first.parameter_keys == ("a",)
    assert first.values["a"] is not second.values["a"], "a step may change one of them"


def test_a_file_that_cannot_be_read_has_no_defaults(tmp_path: Path) -> None:
    row = row_of(tmp_path, [1], default={"a": 1})
    assert given_by(row) == {}
    assert "TypeError" in row.errors["x.txt"]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"reduce": {"enrgy": "last"}}, "there is no value 'enrgy': did you mean 'energy'?"),
        ({"rename": {"x": "y"}}, "there is no value 'x': there are energy, time"),
        ({"rename": {"energy": "time"}}, "two values are called 'time'"),
    ],
)
def test_names_that_are_wrong_are_said(tmp_path: Path, item: Any, words: str) -> None:
    row = row_of(tmp_path, {"energy": 1, "time": 2}, **item)
    assert row.errors["x.txt"] == f"StudyError: {words}"
    assert given_by(row) == {}


def test_a_value_that_may_lack_is_one_with_a_default(tmp_path: Path) -> None:
    row = row_of(
        tmp_path, {"b": 1}, reduce={"a": "last"}, rename={"a": "A"}, default={"A": math.inf}
    )
    assert row.errors == {}
    assert given_by(row) == {"b": 1, "A": math.inf}
    assert given_by(row_of(tmp_path, None, reduce={"a": "last"})) == {}


@pytest.mark.parametrize(
    ("item", "message", "hint"),
    [
        ({"reduce": {"x": "meen"}}, "unknown reduction 'meen'", "did you mean 'mean'"),
        ({"reduce": {"x": "1.5"}}, "unknown reduction '1.5'", "known: count, first"),
        ({"rename": {"x": ""}}, "'' is no name of a column", ""),
        ({"rename": {"x": "z", "y": "z"}}, "two values are renamed 'z'", ""),
    ],
)
def test_what_no_file_can_make_right_is_said_before_one_is_read(
    item: Any, message: str, hint: str
) -> None:
    source = Source(path="study.toml", line=3)
    with pytest.raises(StudyError, match=message) as caught:
        check_shapes([ScoopItem(pattern="x", scraper="csv", source=source, **item)])
    assert caught.value.source == source
    assert hint in (caught.value.hint or "")


# --- elsewhere ----------------------------------------------------------------------------


def test_other_processes_shape_as_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    module = import_script(tmp_path / "script.py")
    texts = ["1 2 4", "", "0.1 0.1 0.1", "nan 1", "word", None] * 2
    directories = []
    for number, text in enumerate(texts):
        directories.append(str(tmp_path / f"{number:03d}"))
        Path(directories[-1]).mkdir()
        if text is not None:
            Path(directories[-1], "x.txt").write_text(text)
    info = ScoopInfo(
        items=(
            ScoopItem(
                pattern="x.txt",
                scraper=module.read,
                reduce={"t": "std"},
                rename={"t": "deviation"},
                default={"deviation": -1.0, "n": 0},
                units={"deviation": "s"},
                source=Source(path="study.toml"),
            ),
        )
    )
    app: Any = None

    def rows(n_workers: int) -> list[Any]:
        return [
            (row.values, row.errors, [file.columns for file in row.files])
            for row in scoop_rows(directories, info, app, n_workers)
        ]

    here = rows(1)
    monkeypatch.setattr(reading, "MIN_PARALLEL", 2)
    monkeypatch.setattr(reading, "WORTH_PROCESSES", -1.0)
    assert rows(2) == here
    values = [row[0].get("deviation") for row in here[:6]]
    assert values == [pytest.approx(np.std([1, 2, 4])), -1.0, 0.0, -1.0, None, -1.0]
    assert "could not convert" in here[4][1]["x.txt"]


def test_what_is_shaped_otherwise_is_read_again() -> None:
    def digest(**item: Any) -> str:
        (made,) = with_digests(
            ScoopInfo(items=(ScoopItem(pattern="x", scraper=max, **item),)), no_name
        ).items
        return made.digest

    plain = digest()
    shaped = [{"reduce": {"x": "last"}}, {"reduce": {"x": "mean"}}, {"rename": {"x": "last"}}]
    others = [digest(**item) for item in [*shaped, {"default": {"x": "last"}}]]
    assert len({plain, *others}) == 5
    assert digest(units={"x": "s"}, source=Source(path="a", line=1)) == plain


def test_numpy_is_not_imported_for_lists() -> None:
    code = """
import sys
from soops.kernel.table.shape import REDUCTIONS, reduced
for how in REDUCTIONS:
    reduced([1, 2.5, [3]], how)
    reduced(7, how)
sys.exit("numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
