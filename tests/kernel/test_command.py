"""Commands: the author's template stays as it is, values arrive exactly."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.errors import StudyError
from soops.kernel.runs.command import CommandTemplate, fields_of
from soops.kernel.values import RunInfo

ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"


def template(command, options=None):
    return CommandTemplate(
        RunInfo(command=command, options=options or {}, output_key="output_dir", finished="x")
    )


def received(command) -> list[str]:
    """Run a command the way a launch does; return the arguments the program saw."""
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    done = subprocess.run(argv, capture_output=True, check=True, text=True)
    result: list[str] = json.loads(done.stdout)
    return result


def test_plain_values_make_the_command_of_2026_2():
    build = template(
        "python3 {script_dir}/monty_hall.py {output_dir}  ",
        {"--host": "--host={--host}", "--num": " --num={--num}", "--silent": "--silent"},
    ).build
    command = build(
        {
            "--host": "random",
            "--num": 100,
            "--silent": "@defined",
            "output_dir": "output/study/000-a96d",
            "script_dir": "soops/examples",
        }
    )
    assert command == (
        "python3 soops/examples/monty_hall.py output/study/000-a96d "
        '"--host=random" "--num=100" "--silent"'
    )


@pytest.mark.parametrize("value", ["@undefined", False, None])
def test_a_flag_can_be_switched_off(value):
    build = template("prog {output_dir}", {"--flag": "--flag"}).build
    assert build({"--flag": value, "output_dir": "o"}) == "prog o"


@pytest.mark.parametrize("value", [True, "@defined", 1, "yes"])
def test_a_flag_can_be_switched_on(value):
    build = template("prog {output_dir}", {"--flag": "--flag"}).build
    assert build({"--flag": value, "output_dir": "o"}) == 'prog o "--flag"'


def test_none_is_a_value_of_an_option_that_takes_one():
    build = template("prog {output_dir}", {"--a": "--a={--a}"}).build
    assert build({"--a": None, "output_dir": "o"}) == 'prog o "--a=None"'


def test_shell_text_keys_stay_shell_text():
    build = template("{python} -c 'print(1)' {output_dir}").build
    assert build({"python": "nice -n 5 python3", "output_dir": "o"}).startswith("nice -n 5 python3")


def test_an_open_quote_of_the_template_is_left_to_its_closer():
    build = template(
        'bash -c "touch {output_dir}/x; echo', {"--a": "--a={--a}", "CLOSE": '"'}
    ).build
    command = build({"--a": 1, "CLOSE": "@defined", "output_dir": "o"})
    assert command == 'bash -c "touch o/x; echo "--a=1" """'


@pytest.mark.parametrize(
    "text",
    [
        "{python} -c '%s' {output_dir}",
        "{python} -c '%s' '{output_dir}'",
        "{python} -c '%s' \"{output_dir}\"",
    ],
)
@pytest.mark.parametrize("directory", ["my dir/x", "it's", 'a"b', "$HOME/`id`", "a\\b", "ž\nx"])
def test_paths_are_escaped_for_the_quotes_they_stand_in(text, directory):
    build = template(text % ECHO).build
    assert received(build({"python": shlex.quote(sys.executable), "output_dir": directory})) == [
        directory
    ]


TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=0, max_size=60
).filter(lambda text: text != "@undefined")  # which leaves the option out


@settings(deadline=None, max_examples=60)
@given(value=TEXT)
def test_option_values_arrive_exactly_through_the_shell(value):
    build = template("{python} -c '" + ECHO + "' {output_dir}", {"--a": "--a={--a}"}).build
    command = build({"python": shlex.quote(sys.executable), "output_dir": "o", "--a": value})
    assert received(command) == ["o", f"--a={value}"]


@settings(deadline=None, max_examples=30)
@given(value=TEXT)
def test_words_of_an_argument_list_arrive_exactly(value):
    build = template((sys.executable, "-c", ECHO, "x={x}", "{output_dir}")).build
    assert received(build({"x": value, "output_dir": "o"})) == [f"x={value}", "o"]


def test_a_word_with_an_undefined_parameter_is_left_out():
    build = template(("prog", "--tol={tol}", "{output_dir}")).build
    assert build({"tol": "@undefined", "output_dir": "o"}) == ("prog", "o")


def test_formats_and_literal_braces():
    build = template("awk '{{print $1}}' {output_dir}", {"x": "x={x:.3f}"}).build
    assert build({"x": 1 / 3, "output_dir": "o"}) == "awk '{print $1}' o \"x=0.333\""
    assert fields_of("{a:.3f} {{b}} {c}") == ["a", "c"]


def test_unbalanced_braces_are_named():
    with pytest.raises(StudyError, match="unbalanced braces"):
        template("prog {output_dir")
