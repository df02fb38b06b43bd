"""``soops new``: a commented study file from the help of a program, or from a module."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soops.api import StudyError, UsageError
from soops_builtin.commands.help_text import HelpOption, read_options, read_positionals

if TYPE_CHECKING:
    from soops.api import App, RunInfo, UserModule

__all__ = ["new"]

#: Seconds that a program may take for its help.
PATIENCE = 60
_OUTPUT = re.compile(r"out|dir|dest|result", re.IGNORECASE)
_BARE = re.compile(r"[A-Za-z0-9_-]+").fullmatch

EPILOG = """\b
Examples:
  soops new python3 wave.py
  soops new -o studies/wave.toml ./simulate
  soops new monty_hall.py

\b
Exit codes: 0 written, 2 usage, 3 the program or module is wrong.
"""


@click.command(epilog=EPILOG, context_settings={"ignore_unknown_options": True})
@click.argument("program", metavar="PROGRAM...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="study.toml",
    show_default=True,
    help="The file to write; - for standard output.",
)
@click.pass_obj
def new(app: App | None, program: tuple[str, ...], output: str) -> int:
    """Write a study file for PROGRAM, from what its --help says.

    A script with get_run_info() is not run: its study file says what the script says.
    """
    path = Path(output)
    if output != "-" and path.exists():
        raise UsageError(f"{output!r} is there already", hint="name another file with -o")
    home = Path() if output == "-" else path.parent
    module = _module(app, program)
    if module is not None and module.run_info is not None:
        text, found = _of_module(module, module.run_info), len(module.run_info.options)
    else:
        words = ("python3", *program) if program[0].endswith(".py") else program
        text, found = _of_program(words, home)
    if output == "-":
        click.echo(text, nl=False)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    click.echo(f"{output}: {found} options of {' '.join(program)}", err=True)
    click.echo(f"give some of them values, then: soops check {output}", err=True)
    return 0


def _module(app: App | None, program: Sequence[str]) -> UserModule | None:
    """Return the module that a lone script is, if it says how it is run."""
    if len(program) != 1 or not program[0].endswith(".py"):
        return None
    path = Path(program[0])
    try:
        has_info = "def get_run_info" in path.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        raise StudyError(f"{program[0]!r} cannot be read: {exc.strerror}") from exc
    if not has_info:
        return None
    from soops import study

    return study.load_module(path, app)


# --- from the help of a program ----------------------------------------------------------


def _of_program(words: Sequence[str], home: Path) -> tuple[str, int]:
    help_text = _help_of(words)
    options = read_options(help_text)
    if not options and not read_positionals(help_text, options):
        raise StudyError(
            f"the help of {' '.join(words)} names no options",
            hint="soops new takes the program as it is called, without its arguments",
        )
    places = [item for item in _positionals(help_text, options) if item[1] not in words]
    command = [_word(word, home) for word in words] + [place for place, _ in places]
    options, output = _without_output(options)
    if output is not None and "{output_dir}" not in command:
        command.append(f"{output.name}={{output_dir}}")
    lines = [
        "# What the keys mean: soops check --schema, and the page on the study file.",
        "[study]",
        f"command = {_toml(command)}",
        f'output_dir = "output/{_stem(words)}/%s"',
    ]
    if "{output_dir}" not in " ".join(command):
        lines += [
            "# It is given no directory; what it prints is kept in stdout.txt of each run.",
            '# cwd = "{output_dir}"             # each run starts in its own directory',
        ]
    lines += [
        '# finished = "result.txt"          # a run is finished when this file is there',
        "# timeout = 600                    # seconds",
        "# repeat = 3                       # replicates of each set",
        "",
        "[options]",
        *(_option_line(option) for option in options),
        "",
        "# A list is an axis: one run for each combination. Options without a value are left out.",
        "[parameters]",
        *(f"# {name} = ...  # needed" for _, name in places if name),
        *(line for option in options for line in _parameter_lines(option)),
        "",
        "# What is read of each run directory.",
        "# [[scoop]]",
        '# file = "stdout.txt"',
        '# scraper = "regex"',
        "# pattern = 'energy: (?P<energy>\\S+)'",
    ]
    return "\n".join(lines) + "\n", len(options)


def _help_of(words: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            [*words, "--help"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
        )
    except FileNotFoundError as exc:
        raise StudyError(f"there is no program {words[0]!r}") from exc
    except OSError as exc:
        raise StudyError(f"{words[0]!r} cannot be run: {exc.strerror}") from exc
    except subprocess.TimeoutExpired as exc:
        raise StudyError(f"{' '.join(words)} --help did not end within {PATIENCE} s") from exc
    text = done.stdout if done.stdout.strip() else done.stderr
    if not text.strip():
        raise StudyError(
            f"{' '.join(words)} --help says nothing (exit code {done.returncode})",
            hint="write the study by hand: docs/study-file.md",
        )
    return text


def _positionals(text: str, options: Sequence[HelpOption]) -> Iterator[tuple[str, str]]:
    """Yield the words behind the program and the parameters in them; one is the directory."""
    taken = False
    for name, is_literal in read_positionals(text, options):
        if is_literal:
            yield name, ""
        elif not taken and _OUTPUT.search(name):
            taken = True
            yield "{output_dir}", ""
        else:
            yield f"{{{name}}}", name


def _without_output(options: list[HelpOption]) -> tuple[list[HelpOption], HelpOption | None]:
    """Return the options but for the one that takes the directory of the output."""
    for option in options:
        name = option.name.lstrip("-")
        if option.value is not None and re.fullmatch(r"(out|output|results?)[-_]?(dir.*)?", name):
            return [other for other in options if other is not option], option
    return options, None


def _word(word: str, home: Path) -> str:
    """Return a word of the command; a file beside the study is found from anywhere."""
    plain = word.replace("{", "{{").replace("}", "}}")
    if os.sep in word.rstrip(os.sep) or Path(word).suffix:
        path = Path(word)
        if not path.is_absolute() and path.is_file():
            return "{script_dir}/" + os.path.relpath(path, home or ".").replace("{", "{{")
    return plain


def _stem(words: Sequence[str]) -> str:
    name = next((w for w in reversed(words) if not w.startswith("-")), words[0])
    return re.sub(r"[^\w-]+", "-", Path(name).stem) or "study"


def _option_line(option: HelpOption) -> str:
    template = option.name
    if option.value is not None:
        template += f"={{{option.name}}}" if option.name.startswith("--") else f"{{{option.name}}}"
    words = f"  # {_short(option.words)}" if option.words else ""
    return f"{_key(option.name)} = {_toml(template)}{words}"


def _short(text: str, limit: int = 70) -> str:
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " ..."


def _parameter_lines(option: HelpOption) -> Iterator[str]:
    key = _key(option.name)
    if option.value is None:
        yield f'# {key} = ["@undefined", "@defined"]'
    elif option.choices:
        yield f"# {key} = {_toml([_literal(choice) for choice in option.choices])}"
    elif option.default is not None:
        yield f"# {key} = {_toml([_literal(option.default)])}"
    else:
        yield f"# {key} = []"


def _literal(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"True": True, "False": False}.get(text, text)


# --- from a module -----------------------------------------------------------------------


def _of_module(module: UserModule, info: RunInfo) -> str:
    command = info.command if isinstance(info.command, str) else list(info.command)
    finished = info.finished
    lines = [f"# From get_run_info() of {module.path.name}.", "[study]"]
    lines += [f"command = {_toml(command)}", f'output_dir = "output/{module.path.stem}/%s"']
    if info.output_key != "output_dir":
        lines.append(f"output_key = {_toml(info.output_key)}")
    if isinstance(finished, str) or (
        isinstance(finished, (list, tuple)) and all(isinstance(name, str) for name in finished)
    ):
        lines.append(f"finished = {_toml(finished)}")
    else:
        lines += ["# finished: a function of the module, which a file cannot call", ""]
    if info.unhashed:
        lines.append(f"unhashed = {_toml(info.unhashed)}")
    lines += ["", "[options]"]
    lines += [f"{_key(key)} = {_toml(text)}" for key, text in info.options.items()]
    if info.defaults:
        lines += ["", "[defaults]"]
        lines += [f"{_key(key)} = {_toml(value)}" for key, value in info.defaults.items()]
    lines += ["", "[parameters]"]
    lines += [f"# {_key(key)} = []" for key in info.options]
    for item in module.scoop_info.items if module.scoop_info is not None else ():
        name = getattr(item.scraper, "__name__", None) or "a function"
        if isinstance(item.scraper, str):
            name = item.scraper
        lines += ["", f"# The module reads this with {name}.", "# [[scoop]]"]
        lines += [f"# file = {_toml(item.pattern)}", '# scraper = "..."']
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE(name) else _toml(name)


def _toml(value: object) -> str:
    """Return the TOML of a plain value."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        pairs = (f"{_key(str(key))} = {_toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, (int, float)):
        return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")
    text = value if isinstance(value, str) else str(value)
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
