"""Cells and columns of a table, as the builtin steps see them.

An *undefined* cell is None, NaN or ``@undefined``; an *array* is a cell with several values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from soops.api import UNDEFINED, printable
from soops_builtin.steps.arguments import StepError, known_as

__all__ = [
    "AS_UNDEFINED",
    "Levels",
    "drawable",
    "find_column",
    "is_array",
    "is_numeric",
    "is_undefined",
    "levels_of",
    "natural_key",
    "numbers",
    "plain_name",
    "shown",
]

#: How an undefined value is shown.
AS_UNDEFINED = "undefined"
#: Scales and their margins are computed in floats, too.
_LARGEST = 1e250
_DIGITS = re.compile(r"(\d+)")


def find_column(df: Any, name: str, what: str = "column") -> Any:
    """Return the label of a column; dashes of ``--n-cell`` may be left out as in expressions.

    Raises
    ------
    StepError
        With near misses and the columns, when there is none or several.
    """
    if name in df.columns:
        return name
    texts: dict[str, Any] = {str(label): label for label in df.columns}
    if name in texts:
        return texts[name]
    plain = [label for text, label in texts.items() if plain_name(text) == plain_name(name)]
    if len(plain) == 1:
        return plain[0]
    if plain:
        names = " and ".join(repr(str(label)) for label in plain)
        raise StepError(f"{what} {name!r} may be {names}: write one of them")
    raise StepError(f"unknown {what} {name!r}{known_as(name, texts)}")


def plain_name(name: Any) -> str:
    """Return the name of a parameter as it is written in expressions."""
    return str(name).lstrip("-").replace("-", "_")


def is_undefined(value: Any) -> bool:
    """Tell whether a cell is None, NaN, NaT, NA or ``@undefined``."""
    if value is None or type(value).__name__ == "NAType":
        return True
    if isinstance(value, str):
        return value == UNDEFINED
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # an array
        return False


def is_array(value: Any) -> bool:
    """Tell whether a cell holds several values."""
    return isinstance(value, list | tuple | dict | set) or getattr(value, "ndim", 0) > 0


def numbers(df: Any, label: Any) -> Any:
    """Return a column as floats, NaN where a cell is no number (of shape (rows,))."""
    import numpy as np

    series = df[label]
    if series.dtype.kind in "biuf" and hasattr(series.dtype, "type"):
        return series.to_numpy(dtype=float, na_value=np.nan, copy=True)
    return np.array([_number(value) for value in series.tolist()], dtype=float)


def drawable(values: Any) -> Any:
    """Return numbers with NaN for those that matplotlib has no room for, infinite ones too."""
    import numpy as np

    made = np.array(values, dtype=float)
    made[~(np.abs(made) < _LARGEST)] = np.nan
    made[np.abs(made) < 1 / _LARGEST] = 0.0
    return made


def _number(value: Any) -> float:
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        return float(value) if value.dtype.kind in "biuf" else float("nan")
    return float("nan")


def is_numeric(df: Any, label: Any) -> bool:
    """Tell whether all cells that are not undefined are numbers (truth values are none)."""
    kind = df[label].dtype.kind
    if kind in "iuf":
        return True
    if kind != "O":
        return False
    found = False
    for value in df[label].tolist():
        if is_undefined(value):
            continue
        if isinstance(value, bool) or is_array(value) or _number(value) != _number(value):
            return False
        found = True
    return found


def natural_key(value: Any) -> tuple[Any, ...]:
    """Return a key that orders any cells: numbers, texts by their numbers, undefined ones last."""
    if is_undefined(value):
        return (9,)
    if isinstance(value, bool):
        return (1, int(value))
    number = _number(value)
    if number == number:
        return (0, number)
    text = value if isinstance(value, str) else shown(value)
    parts = [(1, int(p), "") if p.isdecimal() else (0, 0, p) for p in _DIGITS.split(text[:400])]
    return (2 if isinstance(value, str) else 3, parts, text)


class Levels:
    """The different values of a column, in natural order, undefined ones as one at the end.

    Attributes
    ----------
    values : list
        The first cell of each level.
    codes : numpy.ndarray of int, shape (rows,)
        The level of each row.
    """

    def __init__(self, values: list[Any], codes: Any) -> None:
        self.values = values
        self.codes = codes

    def __len__(self) -> int:
        return len(self.values)

    def texts(self) -> list[str]:
        """Return how the levels are shown."""
        return [shown(value) for value in self.values]


def levels_of(cells: Iterable[Any]) -> Levels:
    """Return the levels of some cells."""
    import numpy as np

    seen: dict[Any, int] = {}
    firsts: list[Any] = []
    codes: list[int] = []
    for value in cells:
        code = seen.setdefault(_same(value), len(firsts))
        if code == len(firsts):
            firsts.append(value)
        codes.append(code)
    order = sorted(range(len(firsts)), key=lambda place: natural_key(firsts[place]))
    rank = np.empty(len(firsts), dtype=int)
    rank[order] = np.arange(len(firsts))
    places = np.array(codes, dtype=int)
    return Levels([firsts[place] for place in order], rank[places] if len(places) else places)


def _same(value: Any) -> Any:
    """Return something hashable that is equal for cells of one level."""
    if is_undefined(value):
        return None
    if isinstance(value, bool):
        return bool, value
    if hasattr(value, "tolist") and is_array(value):
        return type(value).__name__, repr(value.tolist())
    try:
        hash(value)
    except TypeError:
        return type(value).__name__, repr(value)
    return value


def shown(value: Any, limit: int = 60) -> str:
    """Return a cell as a person reads it, on one line."""
    if is_undefined(value):
        return AS_UNDEFINED
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif hasattr(value, "tolist") and getattr(value, "ndim", 0) > 0:
        text = str(value.tolist())
    elif isinstance(value, Mapping):
        text = ", ".join(f"{key}={shown(item)}" for key, item in value.items())
    else:
        text = str(value)
    text = printable(text)
    return text if len(text) <= limit else f"{text[: limit - 9]}…{text[-8:]}"
