"""Studies that no program could mean: refused in three lines, and nothing is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from soops.cli import run_main

MODULE = """\
def get_run_info():
    return "true {output_dir}", {"--a": "--a={--a}", "--b": "--b={--b}"}, "output_dir", "done"


def make(args, gkeys, dconf, options):
    return {"--a": [1]}
"""


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Return what runs a line that must be refused, and gives what it said."""
    monkeypatch.chdir(tmp_path)
    Path("mod.py").write_text(MODULE)

    def run(*words: str) -> str:
        code = run_main([*words, "mod.py"])
        out, err = capfd.readouterr()
        assert code == 3, err
        assert out == "" and err.startswith("error: ") and len(err.splitlines()) <= 3, err
        assert sorted(path.name for path in Path().iterdir() if path.suffix != ".py") == kept()
        return err

    def kept() -> list[str]:
        return ["__pycache__"] if Path("__pycache__").exists() else []

    return run


@pytest.mark.parametrize(
    "template", ["x" * 300 + "/%s", "%s/" + "y" * 300, "a/" * 2500 + "%s", "ž" * 130 + "%s"]
)
@pytest.mark.parametrize("mode", [(), ("--dry-run",)], ids=["run", "dry run"])
def test_a_directory_that_no_file_system_takes(refused, template, mode):
    said = refused(*mode, f"--a=1, --b=2, output_dir='{template}'")

    assert "is longer than the name of a file may be" in said


def test_a_long_name_that_a_file_system_takes_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mod.py").write_text(MODULE.replace("true {output_dir}", "touch {output_dir}/done; :"))
    room = 255 - len("000-") - 32

    assert run_main(["--silent", f"--a=1, --b=2, output_dir='{'x' * room}%s'", "mod.py"]) == 0
    assert [len(path.name) for path in Path().glob("xx*")] == [255]


@pytest.mark.parametrize("function", ["[make]", "{a=1}", "1", "(make,)"])
def test_a_function_that_is_no_name(refused, function):
    said = refused(
        "--generate-pars", f"function={function}", "--a=@generate, --b=1, output_dir='o/%s'"
    )

    assert "function" in said


def test_more_sets_than_a_float_can_count(refused, tmp_path):
    keys = [f"k{number}" for number in range(320)]
    fields = " ".join(f"{{{key}}}" for key in keys)
    (tmp_path / "mod.py").write_text(
        MODULE.replace("true {output_dir}", f"true {{output_dir}} {fields}")
    )
    study = ", ".join(f"{key}=@range(10)" for key in keys)

    assert "parameter sets" in refused(f"{study}, --a=1, --b=2, output_dir='o/%s'")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no file without an end")
def test_a_file_without_an_end(refused):
    assert "is no study" in refused("/dev/zero")
