"""A study made by soops 2026.2 goes on after its script got one more option."""

from __future__ import annotations

import pytest

STUDY = "--aa=[1, 2.5, 'x'], --bb=[@undefined, 3], --fail=@undefined, output_dir='out/%s'"


def names(root):
    return sorted(path.name for path in root.iterdir() if path.is_dir() and path.name != ".soops")


def add_option(mini):
    mini.write_text(
        mini.read_text().replace('"--bb":', '"--tol": "--tol={--tol}",\n        "--bb":')
    )


@pytest.mark.parametrize(
    ("added", "conf"),
    [("--tol=1e-6", ", --tol=1e-6"), ("--tol=@undefined", ""), ("--tol='1'", ", --tol='1'")],
)
def test_nothing_is_started_again(old, new, mini, starts, tmp_path, added, conf):
    root = tmp_path / "out"
    old("run", "-o", "out", STUDY, mini.name)
    before = starts(root)
    assert list(before.values()) == [1] * 6
    add_option(mini)

    new("migrate", "out", f"--add={added}")
    assert starts(root) == before
    new("migrate", "out", f"--add={added}", "--apply")
    new("run", "-o", "out", STUDY + conf, mini.name)

    after = starts(root)
    assert list(after.values()) == [1] * 6
    assert [name[:3] for name in after] == [name[:3] for name in before]
    assert not after.keys() & before.keys()
    assert names(root) == sorted(after)


def test_the_old_one_knows_the_migrated_runs_again(old, new, mini, starts, tmp_path):
    root = tmp_path / "out"
    old("run", "-o", "out", STUDY, mini.name)
    add_option(mini)
    new("migrate", "out", "--add=--tol=1e-6", "--apply")

    old("run", "-o", "out", f"{STUDY}, --tol=1e-6", mini.name)

    assert list(starts(root).values()) == [1] * 6
    assert len(names(root)) == 6


def test_undo_brings_the_old_study_back(old, new, mini, starts, tmp_path):
    root = tmp_path / "out"
    old("run", "-o", "out", STUDY, mini.name)
    files = {
        path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }

    new("migrate", "out", "--rename=--bb:--cc", "--drop=--flag", "--add=x=1", "--apply")
    assert names(root) != sorted({path.parts[0] for path in files})
    new("migrate", "out", "--undo", "--apply")

    after = {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".soops" not in path.parts
    }
    assert after == files
    new("run", "-o", "out", STUDY, mini.name)
    assert list(starts(root).values()) == [1] * 6
