"""The reference page of the study file, made from its schema.

``python -m soops_builtin.readers.document.reference`` prints it.
"""

from __future__ import annotations

import sys

from soops_builtin.readers.document.schema import FILE, Key, Section

__all__ = ["page"]

HEAD = """\
# The study file

Program, space, results and steps of a study in one file, so that `soops run FILE` and
`soops scoop FILE` need nothing else.

```toml
[study]
command = ["sh", "-c", 'echo "energy $(({n} * {m}))" > "$0/out.txt"', "{output_dir}"]
output_dir = "output/small/%s"

[parameters]
n = [1, 2, 3]
m = [10, 20]

[[scoop]]
file = "out.txt"
scraper = "regex"
pattern = 'energy (?P<energy>\\d+)'
units = { energy = "eV" }
```

- `soops check FILE` says what is wrong, everything in one go, each with its line; and what the
  study comes to.
- `soops preview FILE` shows the first and the last sets, and what would be run and why.
- `soops new PROGRAM` writes such a file from the `--help` of a program.
- TOML is the main form. YAML (`.yaml`, with `soops[yaml]`) and JSON (`.json`) have the same
  structure.
- Editors complete and check the file with its [JSON Schema](study.schema.json): a first line
  `#:schema PATH` in TOML, a member `$schema` in JSON. `soops check --schema` prints the one of the
  installed version.
- Values that are texts and begin with `@` are [directives](value-language.md#directives).
- `where`, `exclude`, `derived`, `timeout` and `resources` take
  [expressions](value-language.md#expressions): no attributes, and no calls but those of a list of
  functions.

Below are all tables and keys. This page is made from the table that the reader checks with.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *(_section(section) for section in FILE)])


def _section(section: Section) -> str:
    head = f"[[{section.name}]]" if section.many else f"[{section.name}]"
    lines = [f"## {head}", "", section.words, ""]
    if section.example:
        lines += ["```toml", head, section.example, "```", ""]
    if section.keys:
        lines += ["| Key | Value | Meaning | Example |", "|---|---|---|---|"]
        lines += [_row(key) for key in section.keys]
        lines.append("")
    return "\n".join(lines)


def _row(key: Key) -> str:
    words = key.words
    if key.default:
        plain = " " in key.default or key.default in ("no limit",)
        words += f" Otherwise {key.default}." if plain else f" Otherwise `{key.default}`."
    cells = [f"`{key.name}`", key.kind, words, f"`{key.example}`"]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())
