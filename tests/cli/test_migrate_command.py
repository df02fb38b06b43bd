"""``soops migrate``: what it prints, its exit codes, and the study that goes on afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

STUDY = "output_dir='out/runs/%s', --n-cell=[1, 2, 3, 4, 5, 6, 7], --mode=ok"
ROOT = "out/runs"
KEYS = ["directory", "new_directory", "pkey", "new_pkey", "status", "reason", "applied"]
NAME = r"\d{3}-[0-9a-f]{32}"


@pytest.fixture
def done(project, typed):
    """Return a project of seven runs whose script has one more option by now."""
    assert typed("soops-run", "-o", "out", STUDY, "mod.py").code == 0
    module = project / "mod.py"
    module.write_text(
        module.read_text().replace("'--flag':", "'--tol': '--tol={--tol}', '--flag':")
    )
    return project


def names(project):
    return sorted(path.name for path in (project / ROOT).iterdir() if path.name != ".soops")


def test_it_shows_what_would_be_renamed_and_writes_nothing(done, typed):
    before = sorted(done.rglob("*"))

    result = typed("soops", "migrate", ROOT, "--add=--tol=1e-6")

    *moves, last = result.out.splitlines()
    assert [re.fullmatch(rf"({NAME}) -> {NAME}", line)[1] for line in moves] == names(done)[:5]
    assert last == "... and 2 more"
    assert result.err == f"{ROOT}: 7 of 7 run directories would be changed; --apply does it\n"
    assert result.code == 0
    assert sorted(done.rglob("*")) == before


def test_the_changed_study_goes_on_and_starts_nothing(done, typed):
    before = names(done)
    found = typed("soops-find", "--json", ROOT).json()
    preview = typed("soops", "migrate", ROOT, "--add", "--tol=1e-6", "--json").json()

    result = typed("soops", "migrate", "--apply", "--json", ROOT, "--add=--tol=1e-6")

    moves = result.json()
    assert (result.code, result.err) == (0, f"{ROOT}: 7 of 7 run directories changed\n")
    assert list(moves[0]) == KEYS
    assert [move["directory"] for move in moves] == before
    assert [move["new_directory"] for move in moves] == names(done)
    assert [{**move, "applied": True} for move in preview] == moves

    changed = f"{STUDY}, --tol=1e-6"
    assert typed("soops-run", "-o", "out", "--dry-run", changed, "mod.py").out == ""
    again = typed("soops-run", "-o", "out", changed, "mod.py")
    assert "7 finished before" in again.err
    assert names(done) == [move["new_directory"] for move in moves]
    after = typed("soops-find", "--json", ROOT).json()
    for old, new in zip(found, after, strict=True):
        assert new["parameters"] == {**old["parameters"], "--tol": 1e-6}
        for key in ("number", "state", "started", "ended", "elapsed", "attempts", "command"):
            assert new[key] == old[key]
    table = (done / "out" / "all_parameters.csv").read_text()
    assert all(name in table for name in names(done))
    assert not any(name in table for name in before)
    shown = typed("soops-info", "mod.py", "-e", f"{ROOT}/{names(done)[0]}").out
    assert re.search(r"\* +--tol: 1e-06\n", shown)
    assert typed("soops", "index", ROOT).code == 0


def test_scoop_has_the_new_parameter(done, typed):
    module = done / "mod.py"
    module.write_text(
        module.read_text().replace(
            "return [('result.txt'",
            "import soops.scoop_outputs as sc\n"
            "    return [('soops-parameters.csv', sc.load_soops_parameters, True), ('result.txt'",
        )
    )
    assert typed("soops", "migrate", ROOT, "--add=--tol=1e-6", "--apply").code == 0

    rows = typed("soops-scoop", "--json", "--no-plugins", "mod.py", ROOT).json()

    assert [row["--tol"] for row in rows] == [1e-6] * 7


def test_undo_shows_and_does(done, typed):
    before = names(done)
    assert typed("soops", "migrate", ROOT, "--drop=--flag", "--apply").code == 0
    between = names(done)

    shown = typed("soops", "migrate", ROOT, "--undo")
    assert shown.out.splitlines()[0] == f"{between[0]} -> {before[0]}"
    assert shown.err == f"{ROOT}: 7 of 7 run directories would be taken back; --apply does it\n"
    assert names(done) == between
    result = typed("soops", "migrate", ROOT, "--undo", "--apply")

    assert (result.code, names(done)) == (0, before)
    again = typed("soops", "migrate", ROOT, "--undo")
    assert (again.code, again.err) == (3, f"error: no migration of {ROOT!r} can be taken back\n")


def test_what_is_in_the_way_is_shown_and_nothing_is_done(done, typed):
    before = names(done)

    shown = typed("soops", "migrate", ROOT, "--drop=--n-cell")
    result = typed("soops", "migrate", ROOT, "--drop=--n-cell", "--apply")

    lines = [line for line in shown.out.splitlines() if line.startswith("conflict: ")]
    assert [line.split()[1].rstrip(":") for line in lines] == before[1:]
    assert f"it would have the same parameters as {before[0]!r}" in lines[0]
    assert shown.err == f"{ROOT}: 6 of 7 run directories in the way; nothing can be changed\n"
    assert shown.code == 1
    assert result.code == 3
    assert result.err.startswith(f"error: nothing was changed, because of {before[1]!r}: ")
    assert "(and 5 more)" in result.err
    assert (result.out, names(done)) == ("", before)


def test_what_cannot_be_read_is_left_alone(done, typed):
    odd = done / ROOT / f"099-{'0' * 32}"
    odd.mkdir()

    result = typed("soops", "migrate", ROOT, "--add=--tol=1e-6", "--apply")

    assert f"left alone: {odd.name}: " in result.out
    assert result.err.endswith("7 of 8 run directories changed; 1 left alone\n")
    assert result.code == 1
    assert odd.is_dir()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--drop=--n-cel",), 3, r"unknown parameter '--n-cel'\n  hint: did you mean '--n-cell'"),
        (("--rename=--fla:--x",), 3, r"unknown parameter '--fla'"),
        (("--add=--mode=1",), 3, r"all runs have a parameter '--mode' already"),
        (("--add=--x",), 3, r"no value for '--x'\n  in --add, line 1, column 4"),
        (("--add=--x=[1, 2]",), 2, r"is a list"),
        (("--rename=--mode",), 2, r"write --rename=--old:--new"),
        ((), 2, r"there is nothing to be changed"),
        (("--undo", "--drop=--mode"), 2, r"--undo takes back"),
        (("--undo",), 3, r"no migration"),
    ],
)
def test_mistakes(done, typed, words, code, message):
    result = typed("soops", "migrate", ROOT, *words)

    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("error: ")
    assert re.search(message, result.err), result.err


def test_a_driver_at_work_keeps_it_out(done, typed):
    code = (
        "import sys; from soops.kernel.records.lock import Lock\n"
        "with Lock(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, ROOT], stdin=pipe, stdout=pipe) as held:
        assert held.stdout.readline() == b"held\n"

        result = typed("soops", "migrate", ROOT, "--add=--tol=1e-6", "--apply")

        held.stdin.close()
    assert result.code == 6
    assert f"pid {held.pid}" in result.err


def test_no_driver_begins_while_a_migration_is_cut_off(done, typed):
    assert typed("soops", "migrate", ROOT, "--add=--tol=1e-6", "--apply").code == 0
    logs = done / ROOT / ".soops" / "migrations"
    os.rename(logs / "0001.done.jsonl", logs / "0001.pending.jsonl")
    before = names(done)

    refused = typed("soops-run", "-o", "out", STUDY, "mod.py")
    preview = typed("soops", "migrate", ROOT)
    completed = typed("soops", "migrate", ROOT, "--apply")
    run = typed("soops-run", "-o", "out", f"{STUDY}, --tol=1e-6", "mod.py")

    assert refused.code == 3
    assert f"hint: go on with it: soops migrate {done}/{ROOT} --apply" in refused.err
    assert "0 of 7 run directories would be changed" in preview.err
    assert completed.err.endswith("changed (the rest of what was cut off)\n")
    assert "7 finished before" in run.err
    assert names(done) == before
