"""Print the lowest direct dependencies as pins: every ``>=`` of pyproject.toml as ``==``.

Usage: python .ci/lowest.py [FILE]      (without FILE: standard output)

The list is a constraints file for pip. Besides the direct dependencies only what these old
releases cannot do with is held back.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

#: The extras whose lower bounds are promised to users; ``dev`` holds tools only.
EXTRAS = ("parquet", "yaml", "shell", "templates", "sampling", "test")
#: Old releases of matplotlib warn of every name that pyparsing 3.3 deprecates.
HELD_BACK = ["pyparsing<3.3"]
REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?\s*>=\s*(?P<version>[0-9][0-9A-Za-z.]*)\s*(?P<marker>;.*)?"
)


def lowest(project: dict[str, object]) -> list[str]:
    """Return one pin for each direct dependency of a ``[project]`` table.

    Raises
    ------
    SystemExit
        When a dependency has no lower bound, or two different ones.
    """
    texts = list(project["dependencies"])
    for extra in EXTRAS:
        texts += project["optional-dependencies"][extra]
    pins: dict[str, str] = {}
    for text in texts:
        match = REQUIREMENT.fullmatch(text.strip())
        if match is None:
            raise SystemExit(f"lowest.py: {text!r} is not of the form name>=version")
        pin = f"{match['name']}=={match['version']}{match['marker'] or ''}"
        if pins.setdefault(match["name"].lower(), pin) != pin:
            raise SystemExit(f"lowest.py: {match['name']} has two lower bounds")
    return sorted(pins.values(), key=str.lower)


def main() -> None:
    """Read pyproject.toml beside this folder and write the pins."""
    root = Path(__file__).resolve().parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = "\n".join([*lowest(project), *HELD_BACK]) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
