"""``--update`` with a second process that looks at the run directories, and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

import soops.study
from soops.kernel.table import lookout

MODULE = """
def get_run_info():
    return "true {output_dir}", {}, "output_dir", "log.txt"


def read(filename, rdata=None):
    with open(filename) as file:
        return {"value": file.read()}


def get_scoop_info():
    return [("log.txt", read)]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A module, and a dozen run directories."""
    monkeypatch.setattr(lookout, "MANY", 2)
    monkeypatch.setattr(lookout, "available_cpus", lambda: 2)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mod.py").write_text(MODULE)
    for number in range(12):
        folder = tmp_path / "runs" / f"{number}"
        folder.mkdir(parents=True)
        (folder / "log.txt").write_text(f"{number}")
    return tmp_path


def scoop(name, **options):
    results = Path(f"{name}.h5")
    return soops.study.scoop("mod.py", ["runs"], results=results, call_plugins=False, **options)


def test_an_update_is_the_same_with_and_without_a_second_process(folder, monkeypatch):
    scoop("with")
    scoop("without")
    (folder / "runs" / "6" / "log.txt").write_text("changed")
    (folder / "runs" / "2" / "log.txt").unlink()
    (folder / "runs" / "12").mkdir()
    (folder / "runs" / "12" / "log.txt").write_text("new")
    slow = scoop("without", update=True, n_workers=1)

    def look(*args):
        raise AssertionError("this process has looked")

    monkeypatch.setattr(lookout, "find_run_directories", look)
    quick = scoop("with", update=True)
    values = [*"01345", "changed", *"789", "10", "11", "new"]
    assert quick.frame["value"].tolist() == slow.frame["value"].tolist() == values
    assert quick.frame.drop(columns="time").equals(slow.frame.drop(columns="time"))
    assert repr(quick.meta.to_numpy().tolist()) == repr(slow.meta.to_numpy().tolist())
    assert scoop("with", update=True).frame.equals(quick.frame)
