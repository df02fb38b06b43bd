"""The lines that scripts parse, byte for byte: soops-find and soops-info."""

from __future__ import annotations

import pytest

STUDY = "--aa=[1, 2, 10], --bb=[0.5, 1e-3], --name=[x, 'a b'], output_dir='out/%s'"


@pytest.fixture(params=["2026.2", "ours"])
def study(request, old, new, mini, tmp_path):
    """A directory with a study of twelve runs, made by either program."""
    program = old if request.param == "2026.2" else new
    program("run", "-n", "2", "-o", "out", STUDY, mini.name)
    return tmp_path


@pytest.fixture
def same(old, new):
    """Return what runs one command with both programs and returns the one output of both."""

    def run(command: str, *words: str) -> str:
        expected = old(command, *words).stdout
        found = new(command, *words).stdout
        assert found == expected
        assert isinstance(found, str)
        return found

    return run


def test_single_values_of_what_is_found(study, same):
    text = same("find", "-q", "aa > 1 and name == 'x'", "-m", "single", "out")
    assert [line[:7] for line in text.splitlines()] == ["out/004", "out/006", "out/008", "out/010"]
    assert same("find", "-q", "aa == 10 & bb < 0.01", "-k", "name", "out") == "x\na b\n"
    assert same("find", "-q", "aa == 2", "-k", "bb", "out").split() == [
        *["0.5"] * 2,
        *["0.001"] * 2,
    ]
    assert same("find", "-q", "aa < 2", "-m", "single", "-k", "iset", "out") == "0\n1\n2\n3\n"
    assert same("find", "-q", "aa == 2", "-k", "finished", "out") == "True\n" * 4
    assert same("find", "-q", "aa == 3", "-m", "single", "out") == ""


def test_the_keys_of_a_module(study, same):
    assert same("info", "mini.py").splitlines() == [
        "info:   0: --aa",
        "info:   1: --bb",
        "info:   2: --fail",
        "info:   3: --flag",
        "info:   4: --name",
    ]


def test_the_parameters_of_directories(study, same):
    runs = [f"out/{path.name}" for path in sorted((study / "out").glob("0*"))]
    text = same("info", "mini.py", "-e", *runs[:3])

    assert text.count("info: * ") == 15
    assert same("info", "mini.py", "--expl", runs[4]).splitlines()[:4] == [
        f"info: {runs[4]}/",
        "info:     finished: True",
        "info:         iset: 4",
        "info: *       --aa: 2",
    ]
    assert same("info", "-e", runs[0], runs[1], "--", "mini.py") in text
    assert same("info", "mini.py", "-e", "out/00[01]-*") in text
