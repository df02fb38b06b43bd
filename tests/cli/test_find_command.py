"""``soops find``: what is found, in which order, and how it is shown."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops import study
from soops_builtin.commands.find import layout

PLANNED = ["number", "pkey", "identity", "directory", "command", "parameters", "decision", "reason"]
ENDED = ["state", "cause", "returncode", "signal", "started", "ended", "elapsed", "cpu_time"]
ENDED += ["max_rss", "host", "attempts"]
KEY = "0123456789abcdef0123456789abcdef"


def old_run(root: Path, name: str, finished: bool = True, **columns: object) -> Path:
    """Write a run directory as soops 2026.2 left it."""
    directory = root / name
    directory.mkdir(parents=True)
    values = {"output_dir": str(directory), "script_dir": ".", **columns}
    order = [*columns, "output_dir", "script_dir"]
    header = ",".join(["pkey", "finished", "iset", *order])
    number, _, key = name.partition("/")[0].partition("-")
    row = ",".join([key, str(finished), number, *(str(values[name]) for name in order)])
    data = f"{header}\n{row}\n".encode("utf-8", "surrogateescape")
    (directory / "soops-parameters.csv").write_bytes(data)
    return directory


def test_without_a_query_a_table_of_what_varies(study_dir, typed):
    result = typed("soops-find", "out")

    head, *lines = result.out.splitlines()
    assert head.split() == ["number", "mode", "n_cell", "state", "elapsed", "directory"]
    assert [line.split()[:3] for line in lines] == [
        ["000", "ok", "1"],
        ["001", "ok", "20"],
        ["002", "fail", "1"],
        ["003", "fail", "20"],
        ["004", "signal", "1"],
        ["005", "signal", "20"],
        ["006", "hang", "1"],
    ]
    for line, state in zip(
        [lines[0], lines[2], lines[4], lines[6]],
        ["done ", "failed (exit 3) ", "failed (SIGSEGV) ", "timeout "],
        strict=True,
    ):
        assert f"  {state}" in line
    assert all(re.search(r"  out/runs/\d{3}-[0-9a-f]{32}$", line) for line in lines)
    assert result.err == "7 runs: 2 done, 4 failed, 1 timeout\n"


def test_states_choose(study_dir, typed):
    result = typed("soops-find", "--state", "timeout, done", "-k", "mode", "out")

    assert result.out.split() == ["ok", "ok", "hang"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("n_cell > 1", [1, 3, 5]),
        ("`--n-cell` > 1 and mode != 'ok'", [3, 5]),
        ("state == 'failed' & cause == 'exit'", [2, 3]),
        ("signal == 'SIGSEGV'", [4, 5]),
        ("returncode == 3 and number < 3", [2]),
        ("flag == '@undefined' & iset == 6", [6]),
        ("elapsed < 0", []),
        # Only pandas has words for these.
        ("mode.str.startswith('h') | n_cell.isin([20]) & finished", [1, 6]),
        ("mode.str.len() == 2", [0, 1]),
    ],
)
def test_queries(query, numbers, study_dir, typed):
    result = typed("soops-find", "-q", query, "-k", "iset", "out")

    assert (result.code, [int(word) for word in result.out.split()]) == (0, numbers)
    assert (result.err == "no run matches\n") == (not numbers)


def test_a_query_for_pandas_may_use_numexpr(study_dir, typed):
    pytest.importorskip("numexpr")

    result = typed("soops-find", "--engine=numexpr", "-q", "n_cell.abs() > 1", "-kiset", "out")

    assert result.out.split() == ["1", "3", "5"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-q", "n_cel == 1", "out"], 3, "did you mean 'n_cell'"),
        (["-q", "n_cell = 1", "out"], 3, "compare with =="),
        (["-q", "n_cell ==", "out"], 3, "column 10"),
        (["-q", "n_cell.nothing() == 1", "out"], 3, "column 7"),
        (["-k", "n_cel", "out"], 2, "did you mean 'n_cell'"),
        (["--state", "faild", "out"], 2, "did you mean 'failed'"),
        (["uot"], 3, "did you mean 'out'"),
        (["nothing/at/all"], 3, "'nothing/at/all'"),
    ],
)
def test_a_mistake_is_said_in_three_lines(words, code, said, study_dir, typed):
    result = typed("soops-find", *words)

    assert result.code == code
    assert said in result.err
    assert len(result.err.splitlines()) <= 3
    assert result.out == ""


def test_json_has_the_keys_of_plan_and_record(study_dir, typed):
    objects = typed("soops-find", "--json", "out").json()

    assert [list(item) for item in objects] == [PLANNED + ENDED] * 7
    failed = objects[2]
    assert failed["command"].startswith(f"sh prog.sh {failed['directory']} ")
    assert failed["parameters"] == {"--flag": "@undefined", "--mode": "fail", "--n-cell": 1}
    assert (failed["decision"], failed["reason"]) == (
        "rerun",
        "the last attempt ended failed (exit 3)",
    )
    assert (failed["state"], failed["cause"], failed["returncode"]) == ("failed", "exit", 3)
    assert (objects[0]["decision"], objects[0]["signal"]) == ("skip", None)
    assert objects[4]["signal"] == "SIGSEGV"


def test_a_query_shows_the_runs_as_pandas_shows_a_series(study_dir, typed):
    lines = typed("soops-find", "-q", "mode == 'fail'", "out").out.splitlines()

    first, second = (n for n, line in enumerate(lines) if line.startswith("find: result"))
    assert re.fullmatch(r"find: result 0 in out/runs/002-[0-9a-f]{32}:", lines[first])
    assert re.fullmatch(r"find: result 1 in out/runs/003-[0-9a-f]{32}:", lines[second])
    shown = dict(line.split(None, 1) for line in lines[1:second] if len(line.split()) > 1)
    series = pd.Series(shown, dtype=object)
    ours = [line for line in lines[1:second] if line.split()[0] in shown]
    assert ours == series.to_string().splitlines()
    assert list(shown)[:6] == ["finished", "iset", "flag", "mode", "n_cell", "output_dir"]
    assert (shown["state"], shown["cause"], shown["returncode"]) == ("failed", "exit", "3")


def test_long_values_are_cut_unless_all_is_wanted(tmp_path, typed):
    old_run(tmp_path, f"000-{KEY}", **{"--name": "x" * 80})

    cut = typed("soops-find", "-q", "iset == 0", str(tmp_path)).out
    full = typed("soops-find", "-m", "full", str(tmp_path)).out

    assert "x" * 46 + "..." in cut and "x" * 47 not in cut
    assert "x" * 80 in full


def test_a_single_column_is_printed_as_it_is(study_dir, typed):
    by_query = typed("soops-find", "-q", "n_cell == 1", "-m", "single", "out").out
    by_key = typed("soops-find", "-q", "n_cell == 1", "-k", "output_dir", "out").out

    assert by_query == by_key
    assert re.fullmatch(r"(out/runs/00[0246]-[0-9a-f]{32}\n){4}", by_query)


def test_numbers_sort_as_numbers(tmp_path, typed):
    for number in (1000, 101, 20, 999):
        old_run(tmp_path / "b10", f"{number:03d}-{number:032x}", **{"--aa": number})
    old_run(tmp_path / "b9", f"005-{5:032x}", **{"--aa": 5})

    result = typed("soops-find", "-k", "aa", str(tmp_path))

    assert result.out.split() == ["5", "20", "101", "999", "1000"]


def test_studies_of_the_ancestor_are_found_at_any_depth(tmp_path, typed):
    old_run(tmp_path / "x" / "y", f"000-{1:032x}", **{"--aa": "1.0"})
    old_run(tmp_path / "z", f"000-{2:032x}/sub", finished=False, **{"--aa": "@undefined"})
    (tmp_path / "x" / "empty").mkdir()

    objects = typed("soops-find", "--json", str(tmp_path)).json()

    assert [(item["state"], item["decision"]) for item in objects] == [
        ("unknown", "skip"),
        ("unknown", "rerun"),
    ]
    assert objects[0]["command"] is None and objects[0]["identity"] is None
    assert all(Path(item["directory"]).is_dir() for item in objects)


def test_each_run_is_found_once(study_dir, typed):
    result = typed("soops-find", "-k", "iset", "out", "out/runs", "out/runs/000*", "./out")

    assert result.out.split() == ["0", "1", "2", "3", "4", "5", "6"]


def test_run_directories_and_patterns_stand_for_themselves(study_dir, typed):
    (first,) = (study_dir / "out" / "runs").glob("001-*")

    single = typed("soops-find", "--json", str(first)).json()
    several = typed("soops-find", "--json", "out/runs/00[25]*").json()

    assert [item["directory"] for item in single] == [str(first)]
    assert [item["number"] for item in several] == [2, 5]
    assert several[0]["directory"] == f"out/runs/002-{several[0]['pkey']}"


def test_from_within_a_run_directory(study_dir, typed, monkeypatch):
    (first,) = (study_dir / "out" / "runs").glob("001-*")
    monkeypatch.chdir(first)

    (item,) = typed("soops-find", "--json", ".").json()

    assert (item["number"], item["directory"]) == (1, ".")


def test_a_study_that_was_moved_shows_where_it_is(study_dir, tmp_path, typed, monkeypatch):
    shutil.copytree(study_dir / "out", tmp_path / "moved")
    monkeypatch.chdir(tmp_path)

    result = typed("soops-find", "-k", "output_dir", "-q", "iset == 0", "moved")

    assert result.out.startswith("moved/runs/000-")
    assert Path(result.out.strip()).is_dir()


def test_names_that_would_be_the_same(tmp_path, typed):
    old_run(tmp_path, f"000-{KEY}", **{"--n-cell": 1, "n_cell": 2})

    ambiguous = typed("soops-find", "-q", "n-cell == 1", str(tmp_path))
    short = typed("soops-find", "-q", "n_cell == 2", str(tmp_path))
    quoted = typed("soops-find", "-q", "`--n-cell` == 1", "-k", "--n-cell", str(tmp_path))

    assert ambiguous.code == 3
    assert short.code == 0 and "find: result 0" in short.out
    assert quoted.out.split() == ["1"]


def test_a_parameter_keeps_its_name_beside_what_soops_knows(tmp_path, typed):
    old_run(tmp_path, f"000-{KEY}", **{"--state": "solid", "--host": "random"})

    by_parameter = typed("soops-find", "-q", "state == 'solid'", "-k", "host", str(tmp_path))
    by_record = typed("soops-find", "-q", "soops_state == 'unknown'", "-k", "state", str(tmp_path))

    assert by_parameter.out.split() == ["random"]
    assert by_record.out.split() == ["solid"]


def test_another_output_key_is_no_trouble(tmp_path, typed):
    directory = old_run(tmp_path, f"000-{KEY}", **{"--aa": 1})
    file = directory / "soops-parameters.csv"
    file.write_text(file.read_text().replace("output_dir", "where", 1))

    for key in ("where", "output_dir"):
        assert typed("soops-find", "-k", key, str(tmp_path)).out.strip() == str(directory)


@pytest.mark.parametrize("text", ["None", "NA", "", "nan", "x\x1b[31m"])
def test_values_stay_the_texts_they_are(text, tmp_path, typed):
    old_run(tmp_path, f"000-{KEY}", **{"--aa": text, "--bb": 1})

    result = typed("soops-find", "-k", "aa", str(tmp_path))

    assert result.code == 0
    assert result.out == {"x\x1b[31m": "x\\x1b[31m"}.get(text, text) + "\n"


def test_mixed_types_are_no_trouble(tmp_path, typed):
    for number, value in enumerate(["1", "x", "2.5", "@undefined", "[1]"]):
        old_run(tmp_path, f"{number:03d}-{number:032x}", **{"--aa": value})

    assert typed("soops-find", "-q", "aa > 1", "-k", "aa", str(tmp_path)).out.split() == ["2.5"]


def test_file_names_are_printed_safely(tmp_path, typed):
    old_run(tmp_path / "a\nb\x1b[31m", f"000-{KEY}", **{"--aa": 1})

    for words in ([], ["-k", "output_dir"], ["-m", "full"]):
        result = typed("soops-find", *words, str(tmp_path))
        assert "\x1b" not in result.out
        assert r"a\nb\x1b[31m" in result.out


def test_a_file_name_that_is_no_text_is_no_trouble(tmp_path, soops_process):
    import os

    name = os.fsencode(tmp_path) + b"/caf\xe9"
    try:
        os.mkdir(name)
    except OSError:
        pytest.skip("this disk has only names that are text")
    old_run(Path(os.fsdecode(name)), f"000-{KEY}", **{"--aa": 1})

    shown = soops_process(tmp_path, "find", ".")
    as_json = soops_process(tmp_path, "find", "--json", ".")

    assert (shown.code, as_json.code) == (0, 0)
    assert r"caf\udce9" in shown.out
    assert as_json.json()[0]["directory"].startswith("caf\udce9/")


def test_a_damaged_record_is_named_and_the_others_are_found(study_dir, tmp_path, typed):
    shutil.copytree(study_dir / "out", tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "runs" / ".soops")
    (first,) = (tmp_path / "out" / "runs").glob("000-*")
    (first / "soops-run.json").write_text("{}")

    result = typed("soops-find", "-k", "iset", str(tmp_path))

    assert result.out.split() == ["0", "1", "2", "3", "4", "5", "6"]
    assert result.err.startswith("warning: ") and "000-" in result.err


def test_the_shell_has_the_frame(study_dir):
    done = subprocess.run(
        [sys.executable, "-m", "soops", "find", "--shell", "out"],
        input="print('rows', len(apdf), list(apdf.columns)[:5], apdf.index.name)\n",
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0
    assert "rows 7 ['finished', 'iset', 'flag', 'mode', 'n_cell'] pkey" in done.stdout


def test_nothing_is_opened_without_being_asked(study_dir, typed):
    assert ">>>" not in typed("soops-find", "out").err


def test_the_frame_has_a_row_for_each_run(study_dir):
    found = study.find(["out"])

    frame = study.to_frame(found)

    assert list(frame["state"]) == [run.state for run in found]
    assert list(frame["n_cell"]) == [1, 20, 1, 20, 1, 20, 1]
    assert frame.index.name == "pkey" and frame.index.is_unique
    assert list(frame["output_dir"]) == [run.directory for run in found]


def test_finding_writes_nothing(study_dir, tmp_path, typed):
    shutil.copytree(study_dir / "out", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    typed("soops-find", str(tmp_path))
    typed("soops-find", "-q", "n_cell == 1", "--json", str(tmp_path))

    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


# --- the table on a terminal -------------------------------------------------------------

CELLS = st.text(alphabet="abc ", max_size=12)


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 5).flatmap(
        lambda n: st.lists(st.lists(CELLS, min_size=n + 4, max_size=n + 4), min_size=1, max_size=4)
    ),
    st.integers(0, 120),
)
def test_a_table_fits_or_says_what_it_left_out(rows, width):
    head = [f"c{number}" for number in range(len(rows[0]))]

    lines, hidden = layout(head, rows, width)
    wide, nothing = layout(head, rows, None)

    assert nothing == [] and len(lines) == len(wide) == len(rows) + 1
    assert set(hidden) <= set(head[1:-3]), "number, state, elapsed and directory stay"
    assert all(name in lines[0] for name in head if name not in hidden and name != head[-1])
    needed = sum(max(len(row[c]) for row in [head, *rows]) + 2 for c in (0, -3, -2))
    if width >= needed + 24:
        assert all(len(line) <= width for line in lines)


def test_the_directory_is_cut_from_its_left():
    lines, hidden = layout(["n", "s", "e", "dir"], [["0", "ok", "1", "a/long/way/to/000"]], 20)

    assert lines[1].endswith("/to/000") and "…" in lines[1] and len(lines[1]) <= 20
    assert hidden == []
