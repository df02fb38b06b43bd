"""Defects of soops 2026.2, by their number in docs/differences.md: the other commands."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import soops
import soops.cli
from soops.testing import wait_until

NAMES = """
def get_run_info():
    opt_args = {
        '--n-cell': '--n-cell={--n-cell}', 'n_cell': '--n_cell={n_cell}',
        'n-cell': '--x={n-cell}', '--aa': '--aa={--aa}',
    }
    return 'true {place}', opt_args, 'place', 'exit:0'
"""


def call(mini, name: str, *words: str):
    return mini.call(getattr(soops.cli, f"{name}_main"), *words)


def values(done) -> list[str]:
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


# --- D42: find and info ------------------------------------------------------------------


def test_d42_the_key_of_the_directory_may_have_any_name(mini):
    mini.write("names.py", NAMES)
    study = "place='k/%s', --aa=[1, 2], --n-cell=1, n_cell=2, n-cell=3"
    assert call(mini, "run", study, "names.py").code == 0

    found = values(call(mini, "find", "k", "-q", "aa == 2", "-m", "single"))

    assert [Path(name).name[:4] for name in found] == ["001-"]
    assert Path(found[0]).is_dir()


@pytest.mark.parametrize(
    ("key", "value"), [("`--n-cell`", "1"), ("n_cell", "2"), ("`n-cell`", "3")]
)
def test_d42_keys_that_differ_in_dashes_only_are_told_apart(mini, key, value):
    mini.write("names.py", NAMES)
    study = "place='k/%s', --n-cell=1, n_cell=2, n-cell=3"
    assert call(mini, "run", study, "names.py").code == 0

    assert len(values(call(mini, "find", "k", "-q", f"{key} == {value}", "-m", "single"))) == 1
    shown = call(mini, "find", "k", "-q", "True", "-m", "single", "-k", key.strip("`"))
    assert values(shown) == [value]


MIXED = "--aa=[1, 'x', 2.5, None, 'None', 'NA', '', 'nan', '007']"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        *(("aa > 1", 2), ("aa == None", 3), ("aa == 'None'", 4), ("aa == 'NA'", 5)),
        *(("aa == ''", 6), ("aa == 'nan'", 7), ("aa == '007'", 8), ("aa == 'x'", 1)),
    ],
)
def test_d42_values_of_different_types_keep_them_in_queries(mixed, query, number):
    assert values(call(mixed, "find", "out", "-q", query, "-m", "single", "-k", "iset")) == [
        str(number)
    ]


@pytest.fixture(scope="module")
def copies(tmp_path_factory) -> Path:
    """Return where the runs are kept after the first test, to be copied for the others."""
    return tmp_path_factory.mktemp("copies")


@pytest.fixture
def mixed(mini, copies):
    """Return a study with values of many types."""
    import shutil

    if not (copies / "out").exists():
        assert mini.run(MIXED).code == 0
        shutil.copytree("out", copies / "out")
    else:
        shutil.copytree(copies / "out", "out")
    return mini


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["-q", "aa >"],
            3,
            [
                "error: the end where a value should be",
                "  in --query, line 1, column 5: aa >",
            ],
        ),
        (
            ["-q", "az == 1"],
            3,
            [
                "error: unknown parameter 'az'",
                "  in --query, line 1, column 1: az == 1",
                "  hint: ",
            ],
        ),
        (
            ["-q", "aa == 1", "-m", "single", "-k", "nope"],
            2,
            ["error: unknown column 'nope'", "  hint: known: "],
        ),
    ],
)
def test_d42_a_wrong_query_or_key_is_told(mixed, words, code, said):
    done = call(mixed, "find", "out", *words)

    lines = done.err.splitlines()
    assert (done.code, done.out, len(lines)) == (code, "", len(said))
    for line, begin in zip(lines, said, strict=True):
        assert line.startswith(begin)


def test_d42_nothing_found_is_said(mixed):
    done = call(mixed, "find", "out", "-q", "aa == 99")

    assert (done.code, done.out, done.err) == (0, "", "no run matches\n")
    done = call(mixed, "find", "nodir")
    assert (done.code, done.err.splitlines()[0]) == (3, "error: there is no directory 'nodir'")


@pytest.mark.parametrize(
    "words", [[], ["-q", "True"], ["-q", "True", "-m", "single"], ["--json"]], ids=" ".join
)
def test_d42_a_closed_pipe_is_no_error_and_no_shell_is_opened(mixed, words):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "soops", "find", "out", *words],
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writer)

    assert done.returncode == 0
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    ("folder", "first"),
    [
        ("nodir", "error: there is no directory 'nodir'"),
        ("empty", "error: there is no run directory in 'empty'"),
    ],
)
def test_d42_info_says_that_there_is_no_run(mini, folder, first):
    (mini.folder / "empty").mkdir()

    done = call(mini, "info", "mini.py", "-e", folder)

    assert (done.code, done.out, done.err.splitlines()[0]) == (3, "", first)
    assert len(done.err.splitlines()) == 2


def test_d42_info_shows_a_run_without_a_file_of_parameters(mixed):
    """Its record has them."""
    (mixed.directories()[1] / "soops-parameters.csv").unlink()

    lines = values(call(mixed, "info", "mini.py", "-e", str(mixed.directories()[1])))

    assert "info: *       --aa: x" in lines


# --- D43: jobs ---------------------------------------------------------------------------


def test_d43_other_processes_with_soops_run_in_their_line_do_no_harm(mini):
    mini.run("--aa=[1, 2]")
    words = [sys.executable, "-c", "input()", "soops-run.log", "--output-dir=x", "-ox"]
    other = subprocess.Popen(words, stdin=subprocess.PIPE)
    try:
        done = call(mini, "jobs")
        assert (done.code, done.out) == (0, "")
        assert done.err == "no study is running; --all shows the others\n"
        (line,) = values(call(mini, "jobs", "--all"))
        assert re.fullmatch(rf"[0-9]+ ended 2/2 {re.escape(str(mini.root))}", line)
    finally:
        other.communicate(b"\n")


def test_d43_a_running_study_of_text_is_shown_with_its_numbers_and_log(mini):
    driver = mini.start("--aa=[1, 2, 3], --hold=gate")
    wait_until(lambda: len(mini.pids()) >= 1)

    (line,) = values(call(mini, "jobs"))
    assert line == f"{driver.pid} running 0/3 {mini.root}"
    shown = values(call(mini, "jobs", "-vvv"))
    assert f"job: {driver.pid} (running)" in shown[0]
    assert {f"output in: {mini.root}", "finished: 0/3"} <= set(shown)
    (log,) = [line.removeprefix("last log: ") for line in shown if line.startswith("last log: ")]
    assert Path(log).parent in mini.directories()

    mini.gate.touch()
    driver.communicate()
    assert call(mini, "jobs").out == ""


def test_d43_failures_are_not_finished(mini):
    assert mini.run("--aa=[1, 2], --fail=[0, 1]").code == 1

    (line,) = values(call(mini, "jobs", "out"))

    assert line.split()[1:3] == ["ended", "2/4"]
    assert "others: 2 failed" in values(call(mini, "jobs", "out", "-v"))


def test_d43_the_module_of_a_study_is_not_imported(mini):
    text = Path("mini.py").read_text()
    mini.write("mini.py", text + "\nwith open('imports.txt', 'a') as file:\n    file.write('x')\n")
    mini.run("--aa=1")
    before = Path("imports.txt").read_text()

    values(call(mini, "jobs", "-a", "-vvv"))

    assert Path("imports.txt").read_text() == before == "x"


# --- D44, D45, D46 -----------------------------------------------------------------------


@pytest.mark.parametrize(("section", "count"), [("study", 48), ("study-g", None)])
def test_d44_the_studies_of_the_example_are_shipped(mini, monkeypatch, section, count):
    from importlib.resources import as_file, files

    with as_file(files("soops_builtin") / "examples" / "monty_hall") as folder:
        conf, module = folder / "studies.cfg", folder / "monty_hall.py"
        monkeypatch.chdir(mini.folder)
        planned = list(
            soops.study.plan(conf, module, section=section, contracts="--switch + --seed")
        )

    assert len(planned) == count if count else planned


def test_d45_what_is_needed_is_required_in_a_version(mini):
    lines = importlib.metadata.requires("soops") or []
    needed = {re.split(r"[^\w.-]", line)[0]: line for line in lines if "extra ==" not in line}

    assert "pyparsing" not in needed
    assert "pytest" in needed, "soops.test() runs it"
    assert all(">=" in line for line in needed.values()), needed


def test_d45_studies_are_read_without_pyparsing(mini):
    code = (
        "import sys; sys.modules['pyparsing'] = None; from soops.cli import run_main; "
        "sys.exit(run_main())"
    )
    words = [sys.executable, "-c", code, "--dry-run", "output_dir='out/%s', --aa=[1, 2]", "mini.py"]

    done = subprocess.run(words, capture_output=True, text=True, timeout=60)

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr


@pytest.fixture
def ascii_command(mini):
    """Return what types a command where the locale has the letters of English only."""
    env = {
        **os.environ,
        **{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        "PYTHONIOENCODING": "ascii",
    }

    def run(name: str, *words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "soops", name, *words],
            env=env,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_d46_a_locale_without_the_letters_ends_no_run(mini, ascii_command):
    mini.write("s.cfg", "[study]\noutput_dir = out/%s\n--name = 'žluť 日本'\n")
    code, command, _ = ascii_command("run", "--dry-run", "s.cfg", "mini.py")
    assert (code, command.split(maxsplit=3)[3]) == (0, '"--name=žluť 日本"\n')

    code, _, said = ascii_command("run", "-o", "out", "s.cfg", "mini.py")

    (folder,) = mini.directories()
    assert (code, mini.words(folder)) == (0, ["--name=žluť 日本"]), said
    for path in (folder / "soops-parameters.csv", mini.root / "all_parameters.csv"):
        assert "žluť 日本" in path.read_text(encoding="utf-8"), path
    assert soops.find(["out"])[0].parameters["--name"] == "žluť 日本"
    shown = ascii_command("find", "out", "-q", "True", "-m", "single", "-k", "name")
    assert shown == (0, "žluť 日本\n", "")
    code, table, said = ascii_command("find", "out")
    assert (code, len(table.splitlines())) == (0, 2), said


def test_d46_a_directory_that_cannot_have_its_name_is_told(mini, ascii_command):
    mini.write("s.cfg", "[study]\noutput_dir = žluť/%s\n--aa = 1\n")

    code, _, said = ascii_command("run", "s.cfg", "mini.py")

    assert (code, said.splitlines()) == (
        3,
        [
            "error: the output directory '\\u017elu\\u0165/%s' has letters that this locale lacks",
            "  in s.cfg [study], line 1",
            "  hint: choose a UTF-8 locale: LC_ALL=C.UTF-8",
        ],
    )
    assert not (mini.folder / "output").exists()
