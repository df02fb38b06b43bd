"""Defects of soops 2026.2, by their number in docs/differences.md: study files, keys, modules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import soops
import soops.cli

MODULE = """
def get_run_info():
    run_cmd = 'sh {script_dir}/program.sh {output_dir}'
    opt_args = {
        '--aa': '--aa={--aa}', '--bb': '--bb={--bb}', '--cc': '--cc={--cc}',
        '--Num': '--Num={--Num}', '--name': '--name={--name}',
    }
    return run_cmd, opt_args, 'output_dir', 'done.txt'
"""
PROGRAM = """
dir=$1
shift
for word in "$@"; do printf '%s\\n' "$word"; done > "$dir/words.txt"
touch "$dir/done.txt"
"""

Typed = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a program and its module, and be in it."""
    path = tmp_path / "here"
    path.mkdir()
    (path / "mod.py").write_text(MODULE)
    (path / "program.sh").write_text(PROGRAM)
    monkeypatch.chdir(path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return path


@pytest.fixture
def soops_run(here: Path, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Return ``soops_run(*words)``: the exit code and what was said on standard error."""

    def call(*words: str) -> tuple[int, list[str]]:
        capfd.readouterr()
        code = soops.cli.run_main(list(words))
        return code, capfd.readouterr().err.splitlines()

    return call


def tree(path: Path) -> dict[str, bytes | None]:
    return {
        str(name.relative_to(path)): name.read_bytes() if name.is_file() else None
        for name in path.rglob("*")
        if "__pycache__" not in name.parts
    }


def words(root: Path) -> list[list[str]]:
    return [path.read_text().splitlines() for path in sorted(root.glob("*/words.txt"))]


# --- D24: study files --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("--Num = 7", "--Num=7"),
        ("--name = a$x", "--name=a$x"),
        ("--name = '$5 of 100%'", "--name=$5 of 100%"),
        ("--aa = 5 ; five", "--aa=5"),
        ("--aa = 5 ; five = 5", "--aa=5"),
    ],
    ids=["capital letters", "dollar", "dollar and percent", "comment", "comment with ="],
)
def test_d24_a_line_of_a_study_file_means_what_it_says(here, soops_run, line, word):
    (here / "s.cfg").write_text(f"[study]\noutput_dir = runs/%s\n{line}\n")

    assert soops_run("--study=study", "s.cfg", "mod.py")[0] == 0
    assert words(here / "runs") == [[word]]


def test_d24_default_keys_go_to_studies_but_not_to_sections_of_arguments(here):
    (here / "s.cfg").write_text(
        "[DEFAULT]\noutput_dir = runs/%s\n[study]\n--aa = @generate\n"
        "[study.@generate]\nfunction = make\ncount = 2\n"
    )
    (here / "mod.py").write_text(
        MODULE + "\ndef make(args, gkeys, dconf, options):\n"
        "    assert set(args.keys()) == {'count'}, args\n"
        "    return {'--aa': list(range(args.count))}\n"
    )

    planned = list(soops.study.plan("s.cfg", "mod.py", section="study"))

    assert [run.parameters.values["--aa"] for run in planned] == [0, 1]


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        (
            ["--study=study"],
            "[study]\noutput_dir = r/%s\n--aa = 1\n--aa = 2\n",
            [
                "error: the key '--aa' is given twice, first in line 3",
                "  in s.cfg [study], line 4",
                "  hint: remove one",
            ],
        ),
        (
            ["--study=study"],
            "[study]\n--aa = 1\n[study]\n--aa = 2\n",
            [
                "error: the section 'study' is given twice, first in line 1",
                "  in s.cfg, line 3",
                "  hint: remove one",
            ],
        ),
        (
            [],
            "",
            [
                "error: there is no study in the file",
                "  in s.cfg",
                "  hint: begin one with a line [NAME]",
            ],
        ),
        (
            ["--study=study"],
            "[studio]\n--aa = 1\n",
            ["error: unknown study 'study'", "  in s.cfg", "  hint: did you mean 'studio'?"],
        ),
        (
            [],
            "--aa = 1\n",
            [
                "error: '--aa' is in no section",
                "  in s.cfg, line 1",
                "  hint: begin with a line [NAME]",
            ],
        ),
    ],
    ids=["key twice", "section twice", "empty", "missing section", "no section"],
)
def test_d24_a_mistake_in_a_study_file_is_told_by_its_line(here, soops_run, option, text, said):
    (here / "s.cfg").write_text(text)
    before = tree(here)

    assert soops_run(*option, "s.cfg", "mod.py") == (3, said)
    assert tree(here) == before


def test_d24_a_section_of_arguments_is_no_study(here, soops_run):
    text = "[study.@generate]\nfunction = f\n[study]\noutput_dir = runs/%s\n--aa = 1\n"
    (here / "s.cfg").write_text(text)

    assert soops_run("s.cfg", "mod.py")[0] == 0, "the first study is 'study'"
    assert words(here / "runs") == [["--aa=1"]]
    code, said = soops_run("--study=study.@generate", "s.cfg", "mod.py")
    assert (code, said[0]) == (3, "error: unknown study 'study.@generate'")


# --- D25: keys and options ---------------------------------------------------------------

PLACE = "output_dir='runs/%s'"
D25 = {
    "misspelled key": (
        [f"{PLACE}, --nun=1", "mod.py"],
        3,
        [
            "error: unknown parameter '--nun'",
            "  in command line",
            "  hint: did you mean '--Num'?",
        ],
    ),
    "unknown key in a contract": (
        ["-c", "--zz+--aa", f"{PLACE}, --aa=[1, 2]", "mod.py"],
        3,
        [
            "error: unknown parameter in a contract: '--zz'",
            "  in command line",
            "  hint: known: --Num, --aa, --bb, --cc, --name",
        ],
    ),
    "overlapping contracts": (
        [
            "-c",
            "--aa+--bb,--bb+--cc",
            f"{PLACE}, --aa=[1, 2], --bb=[1, 2], --cc=[1, 2]",
            "mod.py",
        ],
        3,
        [
            "error: the contracts name '--bb' twice",
            "  in command line",
            "  hint: join all keys in lockstep to one contract: a + b + c",
        ],
    ),
    "different lengths": (
        [
            "-c",
            "--aa+--bb+--cc",
            f"{PLACE}, --aa=[1, 2], --bb=[1, 2, 3], --cc=5",
            "mod.py",
        ],
        3,
        [
            "error: keys in lockstep have different numbers of values: "
            "--aa has 2, --bb has 3, --cc has 1",
            "  in command line",
            "  hint: give each the same number of values",
        ],
    ),
    "compute-pars without a class": (
        ["--compute-pars=x=1", f"{PLACE}, --aa=1", "mod.py"],
        3,
        [
            "error: --compute-pars does not name a class",
            "  in --compute-pars",
            "  hint: begin with class=NAME",
        ],
    ),
    "cluster arguments without a cluster": (
        ["--cluster-kwargs=processes=False", f"{PLACE}, --aa=1", "mod.py"],
        2,
        [
            "error: cluster arguments (processes) mean nothing to a runner of this machine",
            "  hint: leave them out, or choose --runner dask",
        ],
    ),
    "no workers": (
        ["-n", "0", f"{PLACE}, --aa=1", "mod.py"],
        2,
        [
            "error: invalid value for '-n' / '--n-workers': 0 is not in the range x>=1",
            "  hint: soops-run --help shows how it is used",
        ],
    ),
}


@pytest.mark.parametrize(("line", "code", "said"), D25.values(), ids=D25)
def test_d25_a_wrong_key_or_option_is_named_before_anything_is_written(
    here, soops_run, line, code, said
):
    assert soops_run(f"{PLACE}, --aa=0", "mod.py")[0] == 0
    before = tree(here)
    assert "output/options.txt" in before

    assert soops_run(*line) == (code, said)
    assert tree(here) == before


# --- D26: modules ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["calendar.py", "numpy.py", "my.v2.py", "my module.py"])
def test_d26_a_script_is_found_by_its_path_and_its_body_runs_once(here, name):
    """In a process of its own: in this one the libraries of these names are loaded."""
    (here / name).write_text(
        f"{MODULE}\nwith open('body.txt', 'a') as file:\n    file.write('x')\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "soops", "run", f"{PLACE}, --aa=1", name],
        cwd=here,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, words(here / "runs")) == (0, [["--aa=1"]]), done.stderr
    assert (here / "body.txt").read_text() == "x"


def test_d26_a_module_without_get_run_info_is_exit_3(here, soops_run):
    (here / "nothing.py").write_text("x = 1\n")
    before = tree(here)

    assert soops_run(f"{PLACE}, --aa=1", "nothing.py") == (
        3,
        [
            "error: there is no get_run_info() in 'nothing.py'",
            "  hint: define it: it returns (run_cmd, opt_args, output_dir_key, is_finished)",
        ],
    )
    assert tree(here) == before


def test_d26_a_missing_module_is_told_with_near_misses(here, soops_run):
    assert soops_run(f"{PLACE}, --aa=1", "mdo.py") == (
        3,
        ["error: the module 'mdo.py' does not exist", "  hint: did you mean 'mod.py'?"],
    )
