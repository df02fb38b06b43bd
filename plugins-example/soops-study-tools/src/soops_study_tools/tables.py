"""The step ``group_table``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["group_table"]

HOW = ("mean", "median", "min", "max", "std", "sum")


def group_table(
    df: pd.DataFrame,
    data: Any = None,
    *,
    by: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    how: str = "mean",
    filename: str = "groups.md",
) -> None:
    """Write a Markdown table with one row for each group of runs.

    Parameters
    ----------
    df : pandas.DataFrame
        One row for each run.
    data : object, optional
        What soops hands to steps: ``data.output_dir``, ``data.multi_par_keys``.
    by : sequence of str, optional
        The columns that make the groups. Default: the parameters with several values.
    columns : sequence of str, optional
        The columns that are condensed. Default: all with numbers that are no parameters.
    how : {'mean', 'median', 'min', 'max', 'std', 'sum'}
        How they are condensed.
    filename : str
        Where the table goes, in the output directory of ``soops-scoop``.
    """
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if how not in HOW:
        raise ValueError(f"how must be one of {', '.join(HOW)}, not {how!r}")
    parameters = sorted(getattr(data, "par_keys", None) or ())
    if by is None:
        by = sorted(getattr(data, "multi_par_keys", None) or ())
    if columns is None:
        columns = [
            name
            for name in df.columns
            if name not in parameters
            and name not in by
            and is_numeric_dtype(df[name])
            and not is_bool_dtype(df[name])
        ]
    missing = [name for name in (*by, *columns) if name not in df.columns]
    if missing:
        raise ValueError(f"no column {missing[0]!r}; there are: {', '.join(map(str, df.columns))}")
    folder = Path(getattr(data, "output_dir", None) or ".")
    folder.mkdir(parents=True, exist_ok=True)
    rows = _rows(df, list(by), list(columns), how)
    text = _markdown([*by, "runs", *(f"{how} {name}" for name in columns)], len(by), rows)
    (folder / filename).write_text(text, encoding="utf-8")


def _rows(df: pd.DataFrame, by: list[str], columns: list[str], how: str) -> list[list[str]]:
    """Return the cells of one row for each group, in the order in which they first appear."""
    # A value may be a list: its text tells groups apart as well and can be hashed.
    marks = [tuple(map(str, values)) for values in df[by].itertuples(index=False)]
    places: dict[tuple[str, ...], list[int]] = {}
    for place, mark in enumerate(marks):
        places.setdefault(mark, []).append(place)
    return [
        [
            *mark,
            str(len(chosen)),
            *(f"{getattr(df[name].iloc[chosen], how)():.6g}" for name in columns),
        ]
        for mark, chosen in places.items()
    ]


def _markdown(header: list[str], texts: int, rows: list[list[str]]) -> str:
    """Return a table; its first ``texts`` columns are set to the left, the others right."""
    table = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    widths = [max(3, len(name), *(len(row[i]) for row in table)) for i, name in enumerate(header)]
    lines = [_line(header, widths, texts)]
    lines.append(
        "|"
        + "|".join(
            "-" * (width + 2) if place < texts else "-" * (width + 1) + ":"
            for place, width in enumerate(widths)
        )
        + "|"
    )
    lines += [_line(row, widths, texts) for row in table]
    return "\n".join(lines) + "\n"


def _line(cells: list[str], widths: list[int], texts: int) -> str:
    padded = (
        cell.ljust(width) if place < texts else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join(padded) + " |"
