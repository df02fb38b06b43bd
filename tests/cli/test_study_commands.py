"""soops new, soops check, soops preview."""

from __future__ import annotations

import sys
import tomllib

import pytest

STUDY = """\
[study]
command = ["echo", "energy {n} {x}"]
output_dir = "out/%s"
[parameters]
n = [1, 2, 3]
x = "@linspace(0, 1, 5)"
[[block]]
[[block]]
name = "more"
parameters = { n = [3, 4], x = 0.5 }
"""


@pytest.fixture
def file(project):
    (project / "s.toml").write_text(STUDY, encoding="utf-8")
    return "s.toml"


def test_check_says_what_a_study_comes_to(file, typed, project):
    result = typed("soops", "check", file)

    assert result.code == 0
    assert result.out.splitlines() == [
        "s: 16 parameter sets",
        "  block 'block 1': 15 parameter sets",
        "  block 'more': 2 parameter sets",
        "  1 parameter set of them in several blocks, run once",
        "command: echo 'energy {n} {x}'",
        "parameters: n, x",
        "16 to run, 0 to skip, 2 at once",
    ]
    assert not (project / "out").exists()


def test_check_guesses_the_time_from_runs_that_are_done(file, typed):
    assert typed("soops", "run", "--where", "n == 1", file).code == 0

    (found,) = typed("soops", "check", "--json", "-n", "4", file).json()

    assert (found["sets"], found["to_run"], found["to_skip"], found["measured"]) == (16, 11, 5, 5)
    assert found["n_workers"] == 4
    assert 0 < found["seconds"] < 60
    assert "from the times of 5 runs that are done" in typed("soops", "check", file).out


def test_check_tells_all_mistakes_and_where(file, typed, project):
    text = STUDY.replace("command", "comand").replace("linspace", "linspac")
    (project / "s.toml").write_text(text)

    result = typed("soops", "check", file)

    assert result.code == 3
    assert result.out == ""
    assert result.err.splitlines() == [
        "error: unknown key of [study]: 'comand'",
        "  in s.toml, line 2",
        "  hint: did you mean 'command'?",
        "error: unknown directive 'linspac'",
        "  in s.toml, line 6",
        "  hint: did you mean 'linspace' or 'logspace'?; write @@linspac(0, 1, 5) for the text "
        "itself",
        "2 mistakes in all",
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("[run]\nrunner_options = { cpu = 2 }", "unknown option of the runner 'local' 'cpu'"),
        ("[run]\nrunner = 'locl'", "unknown runner 'locl'"),
        ("[run]\nrun_function = 'x'", "unknown run function 'x'"),
        ("[run]\nrunner = 'dask'\nsurvive = true", "runs cannot outlive their driver"),
        ("[run]\nrunner_options = { memory = -1 }", "memory=-1 is no amount"),
    ],
)
def test_check_knows_what_the_runner_would_refuse(lines, message, file, typed, project):
    (project / "s.toml").write_text(f"{STUDY}{lines}\n", encoding="utf-8")

    result = typed("soops", "check", file)

    assert result.code in (2, 4)
    assert message in result.err
    assert len(result.err.splitlines()) <= 3


def test_check_needs_a_study(typed, project):
    assert typed("soops", "check").code == 2
    assert typed("soops", "check", "gone.toml").code == 3


def test_check_prints_the_schema(typed, project):
    assert '"title": "soops study"' in typed("soops", "check", "--schema").out


def test_preview_shows_both_ends_and_why(file, typed, project):
    assert typed("soops", "run", "--where", "n == 1 and x == 0", file).code == 0

    lines = typed("soops", "preview", "-e", "2", file).out.splitlines()

    table = lines[lines.index("") + 1 :]
    assert table[:6] == [
        "run  n  x           why",
        "000  1  0.0   skip  finished",
        "001  1  0.25  run   new",
        "... 12 more",
        "014  3  1.0   run   new",
        "015  4  0.5   run   new",
    ]
    assert "000: echo 'energy 1 0.0'" in table
    assert "015: echo 'energy 4 0.5'" in table


def test_preview_says_what_all_sets_have_in_common(file, typed, project):
    out = typed("soops", "preview", "--where", "n == 4", file).out

    assert "in all of these: n = 4, x = 0.5" in out
    assert "... " not in out


def test_preview_of_nothing(file, typed, project):
    assert "there are no sets" in typed("soops", "preview", "--where", "n > 9", file).out


# --- new ---------------------------------------------------------------------------------

ARGPARSE = """\
import argparse
p = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
p.add_argument("--num", type=int, default=100, help="number of cells")
p.add_argument("-m", "--mode", choices=["a", "b"], default="a", help="which {way}")
p.add_argument("--fast", action="store_true", help="be quick")
p.add_argument("-q", metavar="Q")
p.add_argument("source")
p.add_argument("output_dir")
print(vars(p.parse_args()))
"""
CLICK = """\
import click

@click.command()
@click.option("--num", type=int, default=100, show_default=True, help="Cells.")
@click.option("--mode", type=click.Choice(["a", "b"]))
@click.option("--fast / --slow", help="Be quick.")
@click.option("--out-dir", help="Where.")
@click.argument("source")
def main(**options): print(options)

main()
"""
DOCOPT = """\
import sys
print('''Naval Fate.

Usage:
  prog.py ship <name> [--speed=<kn>]
  prog.py (-h | --help)

Options:
  -h --help     Show this screen.
  --speed=<kn>  Speed in knots [default: 10].
  --moored      Moored (anchored) mine.
''' if '--help' in sys.argv else sys.argv[1:])
"""


def new(typed, project, text, *words):
    (project / "prog.py").write_text(text)
    result = typed("soops", "new", *(words or (sys.executable, "prog.py")))
    assert result.code == 0, result.err
    return (project / "study.toml").read_text()


def filled(text, *pairs):
    """Return a study with lines of its comments filled in."""
    for old, value in pairs:
        assert old in text
        text = text.replace(old, value)
    return text


def test_new_from_argparse(typed, project):
    text = new(typed, project, ARGPARSE)

    found = tomllib.loads(text)
    assert found["study"]["command"] == [
        sys.executable,
        "{script_dir}/prog.py",
        "{source}",
        "{output_dir}",
    ]
    assert found["options"] == {
        "--num": "--num={--num}",
        "--mode": "--mode={--mode}",
        "--fast": "--fast",
        "-q": "-q{-q}",
    }
    assert found["parameters"] == {}
    assert '# --num = [100]\n# --mode = ["a", "b"]\n' in text
    assert '--num = "--num={--num}"  # number of cells\n' in text


def test_what_new_writes_runs_when_it_is_filled_in(typed, project):
    text = filled(
        new(typed, project, ARGPARSE),
        ("# source = ...  # needed", 'source = "src"'),
        ("# --num = [100]", "--num = [100, 200]"),
        ("# --fast =", "--fast ="),
    )
    (project / "study.toml").write_text(text)

    assert typed("soops", "run", "study.toml").code == 0

    outputs = sorted(path.read_text() for path in project.glob("output/prog/*/stdout.txt"))
    assert len(outputs) == 4
    assert "'num': 200, 'mode': 'a', 'fast': True, 'q': None, 'source': 'src'" in outputs[3]


def test_check_asks_for_what_new_could_not_know(typed, project):
    new(typed, project, ARGPARSE)

    result = typed("soops", "check", "study.toml")

    assert result.code == 3
    assert "the placeholder {source} has no value" in result.err


def test_new_from_click(typed, project):
    found = tomllib.loads(new(typed, project, CLICK))

    assert found["study"]["command"][-2:] == ["{source}", "--out-dir={output_dir}"]
    assert found["options"] == {
        "--num": "--num={--num}",
        "--mode": "--mode={--mode}",
        "--fast": "--fast",
    }


def test_new_from_docopt(typed, project):
    text = new(typed, project, DOCOPT, "prog.py")

    found = tomllib.loads(text)
    assert found["study"]["command"] == ["python3", "{script_dir}/prog.py", "ship", "{name}"]
    assert found["options"] == {"--speed": "--speed={--speed}", "--moored": "--moored"}
    assert "# --speed = [10]" in text


def test_new_from_a_module(typed, project):
    assert typed("soops", "new", "-o", "sub/m.toml", "mod.py").code == 0

    found = tomllib.loads((project / "sub" / "m.toml").read_text())

    assert found["study"]["command"] == "sh prog.sh {output_dir}"
    assert found["study"]["finished"] == "result.txt"
    assert list(found["options"]) == ["--n-cell", "--mode", "--flag"]
    assert typed("soops", "check", "sub/m.toml").code == 0


def test_new_overwrites_nothing_and_says_what_is_wrong(typed, project):
    (project / "study.toml").write_text("mine")

    assert typed("soops", "new", "ls").code == 2
    assert (project / "study.toml").read_text() == "mine"
    assert "there is no program 'nope'" in typed("soops", "new", "-o", "-", "nope").err
    assert typed("soops", "new", "-o", "-", "gone.py").code == 3
    assert "names no options" in typed("soops", "new", "-o", "-", "echo", "hello").err


def test_new_prints_to_standard_output(typed, project):
    out = typed("soops", "new", "-o", "-", "ls").out

    assert tomllib.loads(out)["options"]["--all"] == "--all"
    assert not (project / "study.toml").exists()
