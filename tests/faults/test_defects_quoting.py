"""Defects of soops 2026.2, by their number in docs/differences.md: shells, quotes and paths."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import soops

VALUES = [
    'q"q',
    "$HOME",
    "${HOME}",
    "$(touch pwned)x",
    "`touch pwned`",
    '"; touch pwned; "',
    "a\\b",
    "a\\",
    '\\"; touch pwned; \\"',
    "it's",
    "* ? [a-z] {a,b}",
    "a b  c",
    "#no > pwned",
    "&& touch pwned",
    "%s !x žluť 日本",
]


def study_of(mini, values):
    """Return a study file: TOML has escapes, the dict-like language writes texts as they are."""
    import json

    text = json.dumps(values, ensure_ascii=False)
    return mini.write(
        "study.toml", f'[parameters]\n"--name" = {text}\n[study]\noutput_dir = "out/%s"\n'
    )


# --- D18: values were shell text ---------------------------------------------------------------


def test_d18_values_arrive_as_they_are_and_nothing_in_them_is_run(mini):
    values = [*VALUES, "two\nlines", "a\ttab", "'\"'\"'"]
    study = study_of(mini, values)

    summary = soops.run(study, "mini.py", output_dir="out")

    assert summary.ok
    assert [mini.words(path) for path in mini.directories()] == [
        [f"--name={value}"] for value in values
    ]
    assert [found.parameters["--name"] for found in mini.found()] == values
    assert not list(mini.folder.rglob("pwned*"))


def test_d18_the_same_values_typed_on_the_command_line(mini):
    # A backslash before the closing quotation mark is a matter of the language.
    values = [value for value in VALUES if not value.endswith("\\")]
    texts = [f"'{value}'" if "'" not in value else f'"{value}"' for value in values]

    result = mini.run(f"--name=[{', '.join(texts)}]")

    assert result.code == 0
    assert [mini.words(path) for path in mini.directories()] == [
        [f"--name={value}"] for value in values
    ]
    assert not list(mini.folder.rglob("pwned*"))


@pytest.mark.parametrize("name", ["my runs", "a'b", 'a"b', "$HOME", "a;touch pwned", "(x)"])
def test_d18_output_directories_may_have_any_name(mini, name):
    quote = "'" if "'" not in name else '"'
    line = f"output_dir={quote}{name}/%s{quote}, --aa=[1, 2]"

    result = mini.call(soops.cli.run_main, "-o", name, line, "mini.py")

    assert result.code == 0
    found = mini.found(name)
    assert [item.state for item in found] == ["done", "done"]
    assert all(Path(item.path, "done.txt").exists() for item in found)
    assert not list(mini.folder.rglob("pwned*"))


@pytest.mark.parametrize("name", ["my scripts", "a'b", 'a"b', "$HOME"])
def test_d18_the_directory_of_the_script_may_have_any_name(mini, name):
    (mini.folder / name).mkdir()
    for file in ("mini.py", "program.sh"):
        (mini.folder / file).rename(mini.folder / name / file)

    result = mini.run("--aa=[1, 2]", module=f"{name}/mini.py")

    assert result.code == 0
    assert mini.states() == ["done", "done"]


@pytest.mark.parametrize(
    "text",
    [
        "@arange(2) if __import__('os').system('touch pwned') else @arange(3)",
        "@arange(__import__('os').system('touch pwned'))",
        "@linspace(0, 1, num=open('pwned', 'w').write('2'))",
    ],
)
def test_d18_directives_run_no_code(mini, text):
    result = mini.run(f'--aa="{text}"')

    assert result.code == 3
    assert "Traceback" not in result.err
    assert not (mini.folder / "pwned").exists()
    assert not mini.root.exists()


def test_d18_directives_still_count(mini):
    result = mini.run("--aa='@arange(1, 3)', --bb=@linspace(0, 1, 3)")

    assert result.code == 0
    pairs = [(found.parameters["--aa"], found.parameters["--bb"]) for found in mini.found()]
    assert pairs == [(a, b) for a in (1, 2) for b in (0.0, 0.5, 1.0)]


# --- D19: run.py worked from one directory only ------------------------------------------------


@pytest.mark.parametrize("where", ["/", "run", "work"])
def test_d19_run_py_works_from_any_directory(mini, where):
    mini.run("""--fail=3, --name='a "quoted" $HOME'""")
    (directory,) = mini.directories()
    cwd = {"/": Path("/"), "run": directory, "work": mini.folder}[where]
    for name in ("words.bin", "done.txt"):
        (directory / name).unlink()

    script = os.path.relpath(directory / "run.py", cwd)
    done = subprocess.run([sys.executable, script], cwd=cwd, timeout=60)

    assert done.returncode == 3, "it ends as the program does"
    assert (directory / "done.txt").exists()
    assert mini.words(directory) == ["--fail=3", '--name=a "quoted" $HOME']
    assert mini.logs() == [["start", "end", "start", "end"]]


# --- D20: formats and braces in the command ----------------------------------------------------


def test_d20_a_field_may_have_a_format(mini):
    module = """\
def get_run_info():
    run_cmd = "sh program.sh {output_dir} {xx:.3f} {nn:05d}"
    return run_cmd, {"--aa": "--aa={--aa:>4}"}, "output_dir", "done.txt"
"""
    mini.write("mini.py", module)

    result = mini.run("xx=0.12345, nn=42, --aa=7")

    assert result.code == 0
    (directory,) = mini.directories()
    assert mini.words(directory) == ["0.123", "00042", "--aa=   7"]
    (found,) = mini.found()
    assert (found.parameters["xx"], found.parameters["nn"]) == (0.12345, 42)


def test_d20_doubled_braces_are_braces(mini):
    module = """\
def get_run_info():
    run_cmd = "echo 1 2 | awk '{{print $2 {aa}}}' > {output_dir}/done.txt"
    return run_cmd, {}, "output_dir", "done.txt"
"""
    mini.write("mini.py", module)

    result = mini.run("aa=5")

    assert result.code == 0
    (directory,) = mini.directories()
    assert (directory / "done.txt").read_text() == "25\n"
