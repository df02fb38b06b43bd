"""Tables as files and on the screen."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from soops_builtin.steps.cells import is_numeric, is_undefined, shown
from soops_builtin.steps.groups import counted, say

__all__ = ["output_path", "put_table", "save"]

#: Rows and characters a line that are shown on the screen.
_ROWS, _WIDTH = 60, 160


def output_path(data: Any, name: str) -> Path:
    """Return the place of an output file; its directory is made when it is not there."""
    path = Path(data.get("output_dir") or ".") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def save(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def put_table(table: Any, data: Any, names: Sequence[str]) -> None:
    """Write a table to files below the directory of the results, and show it."""
    paths = [output_path(data, name) for name in names]
    for path in paths:
        write_table(table, path)
    show_table(table, paths[-1])


def write_table(table: Any, path: Path) -> None:
    """Write a table as its suffix says: csv in full precision, md and txt to be read.

    Undefined values are empty in csv and ``undefined`` elsewhere, missing numbers are empty.
    """
    if path.suffix.lower() == ".csv":
        text = table.to_csv(index=False, lineterminator="\n")
        if "\r" in text:  # which the csv module does not quote before Python 3.13
            text = table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    elif path.suffix.lower() == ".md":
        heads, rows, right = _texts(table)
        marks = ["---:" if flag else "---" for flag in right]
        lines = [
            "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
            for row in [heads, marks, *rows]
        ]
        text = "\n".join(lines) + "\n"
    else:
        text = "\n".join(_aligned(table)) + "\n"
    save(path, text.encode("utf-8", "backslashreplace"))


def show_table(table: Any, path: Path) -> None:
    """Print the beginning of a table, and where all of it is."""
    for line in _aligned(table.head(_ROWS)):
        say(line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…")
    left = len(table) - _ROWS
    say(f"and {counted(left, 'more row')}: {path}" if left > 0 else str(path))


def _aligned(table: Any) -> list[str]:
    heads, rows, right = _texts(table)
    widths = [max(map(len, cells)) for cells in zip(heads, *rows, strict=True)]
    lines = [heads, ["-" * width for width in widths], *rows]
    return [
        "  ".join(
            cell.rjust(width) if flag else cell.ljust(width)
            for cell, width, flag in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]


def _texts(table: Any) -> tuple[list[str], list[list[str]], Sequence[bool]]:
    """Return the heads, the cells, and which columns are of numbers."""
    results = set(table.attrs.get("results", ()))
    columns = []
    for label in table.columns:
        empty = label in results
        cells = table[label].tolist()
        columns.append(["" if empty and is_undefined(cell) else shown(cell) for cell in cells])
    right = [label in results or is_numeric(table, label) for label in table.columns]
    heads = [shown(str(label), 100) for label in table.columns]
    return heads, [list(row) for row in zip(*columns, strict=True)], right
