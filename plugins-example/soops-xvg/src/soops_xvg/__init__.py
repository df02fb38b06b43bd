"""Read .xvg files, the tables that GROMACS writes and Grace plots.

The one public function is registered by the entry point ``xvg`` of the group
``soops.scrapers``; there is no other code that knows of soops.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["read_xvg"]

_LABEL = re.compile(r'@\s*(?P<axis>xaxis|yaxis)\s+label\s+"(?P<text>.*)"')
_LEGEND = re.compile(r'@\s*s(?P<place>\d+)\s+legend\s+"(?P<text>.*)"')


def read_xvg(
    path: str | Path,
    rdata: Mapping[str, Any] | None = None,
    *,
    columns: Sequence[str] | None = None,
    average_from: float | None = None,
) -> dict[str, Any]:
    """Read the columns of an .xvg file.

    Parameters
    ----------
    path : str or path
        The file.
    rdata : mapping, optional
        What was read before of this run; not used.
    columns : sequence of str, optional
        Keep only these columns. Default: all.
    average_from : float, optional
        Give the mean and the standard deviation of each column over the rows whose first
        column is at least this, instead of the columns: ``potential_mean``,
        ``potential_std``. The run must be in equilibrium from there on.

    Returns
    -------
    dict
        Column name to list of floats, or to two floats (see ``average_from``). A name is
        the legend, or the label of the axis, in lower case and without its unit:
        ``"Kinetic En."`` becomes ``kinetic_en``.

    Raises
    ------
    ValueError
        When the file is no table, holds several, or lacks a column that is asked for.
    """
    names, rows = _read(Path(path))
    table = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    x = table[names[0]]
    if columns is not None:
        missing = [name for name in columns if name not in table]
        if missing:
            raise ValueError(f"no column {missing[0]!r}; there are: {', '.join(table)}")
        table = {name: table[name] for name in columns}
    if average_from is None:
        return table
    kept = [place for place, value in enumerate(x) if value >= average_from]
    if not kept:
        raise ValueError(f"{names[0]} ends at {x[-1]}, before average_from={average_from}")
    averages = {}
    for name, values in table.items():
        if name != names[0]:
            part = [values[place] for place in kept]
            averages[f"{name}_mean"] = statistics.fmean(part)
            averages[f"{name}_std"] = statistics.pstdev(part)
    return averages


def _read(path: Path) -> tuple[list[str], list[list[float]]]:
    labels: dict[str, str] = {}
    legends: dict[int, str] = {}
    rows: list[list[float]] = []
    ended = False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if text.startswith("@"):
                if match := _LABEL.match(text):
                    labels[match["axis"]] = match["text"]
                elif match := _LEGEND.match(text):
                    legends[int(match["place"])] = match["text"]
            elif text.startswith("&"):
                ended = True
            elif ended:
                raise ValueError(f"line {number}: a second table begins; only one can be read")
            else:
                rows.append(_row(text, number, rows))
    if not rows:
        raise ValueError("there are no numbers in it")
    return _names(labels, legends, len(rows[0])), rows


def _row(text: str, number: int, rows: list[list[float]]) -> list[float]:
    try:
        row = [float(word) for word in text.split()]
    except ValueError:
        raise ValueError(f"line {number}: not numbers: {text[:60]!r}") from None
    if rows and len(row) != len(rows[0]):
        raise ValueError(f"line {number}: {len(row)} numbers, {len(rows[0])} in the rows before")
    return row


def _names(labels: Mapping[str, str], legends: Mapping[int, str], count: int) -> list[str]:
    """Return one name for each column, all different."""
    texts = [labels.get("xaxis", "x")]
    for place in range(count - 1):
        single = labels.get("yaxis") if count == 2 else None
        texts.append(legends.get(place) or single or f"y{place}")
    names: list[str] = []
    for place, text in enumerate(texts):
        plain = re.sub(r"\(.*?\)|\\[A-Za-z0-9]", "", text)
        name = re.sub(r"[^0-9a-z]+", "_", plain.lower()).strip("_")
        if not name or name in names:
            name = f"{name}_{place}" if name else f"y{place}"
        names.append(name)
    return names
