"""docs/commands.md says what the commands have: options, defaults, exit codes, JSON keys."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from soops.api import App, ExitCode
from soops.cli.group import OWN, command, soops

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
TEXT = PAGE.read_text(encoding="utf-8")
#: What every command has; said once on the page.
COMMON = {"--disable-plugin", "--help", "--version"}


def commands() -> dict[str, click.Command]:
    """Return every command of this distribution by the words that call it."""
    ctx = click.Context(soops, obj=App.create())
    names = [*OWN, "find", "info", "jobs", "index", "migrate", "new", "check", "preview", "demo"]
    found = {name: command(ctx, name) for name in names}
    group = found["plugins"]
    assert isinstance(group, click.Group)
    found.update({f"plugins {name}": inner for name, inner in group.commands.items()})
    return found


def section(name: str) -> str:
    match = re.search(rf"^##+ soops {re.escape(name)}\n(.*?)(?=^##+ |\Z)", TEXT, re.M | re.S)
    assert match, f"there is no section '## soops {name}'"
    return match[1]


def option_rows(cmd: click.Command) -> list[str]:
    """Return the rows of a table of the options of a command."""
    rows = []
    for param in cmd.params:
        if isinstance(param, click.Option) and not COMMON & set(param.opts):
            forms = ", ".join([*param.opts, *param.secondary_opts])
            value = param.metavar or ""
            if isinstance(param.type, click.Choice) and not value:
                value = "|".join(param.type.choices)
            cell = f"{forms} {value}".strip().replace("|", r"\|")
            text = str(param.help).replace("  [default:", " [default:")
            if param.show_default and isinstance(param.show_default, bool):
                default = param.default
                if param.secondary_opts:
                    default = param.opts[0] if param.default else param.secondary_opts[0]
                text += f" [default: {default}]"
            elif param.show_default:
                text += f" [default: {param.show_default}]"
            rows.append(f"| `{cell}` | {text} |")
    return rows


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_options_on_the_page_are_those_of_the_command(name: str) -> None:
    expected = option_rows(commands()[name])

    shown = [line for line in section(name).splitlines() if line.startswith("| `-")]

    assert shown == expected, "the page should have:\n" + "\n".join(expected)


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_words_after_the_options_are_on_the_page(name: str) -> None:
    usage = " ".join(commands()[name].collect_usage_pieces(click.Context(commands()[name])))
    words = usage.removeprefix("[OPTIONS]").replace("COMMAND [ARGS]...", "").strip()

    assert f"soops {name} [OPTIONS] {words}".strip() in section(name)


def test_the_exit_codes_are_those_of_the_kernel() -> None:
    rows = re.findall(r"^\| (\d+) \| ", TEXT, re.M)

    assert [int(row) for row in rows] == [int(code) for code in ExitCode]


def test_options_have_help_of_one_sentence_or_two() -> None:
    for name, cmd in commands().items():
        assert cmd.help, name
        for param in cmd.params:
            if isinstance(param, click.Option):
                text = re.sub(r"\s*\[default:.*\]$", "", param.help or "")
                assert text and text[0].isupper() and text.endswith("."), (name, param.opts)
