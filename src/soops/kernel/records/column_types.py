"""The types of parameters that only a ``soops-parameters.csv`` remembers, as texts.

The key of a run is the md5 of its typed values. So of all the values that the texts may
have been, those are right which give that key. Used where directories are read.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from soops.kernel.records.parameters_csv import ParametersRow

__all__ = ["ColumnTypes", "Reading", "parameter_columns", "typed_values"]

#: Combinations tried for one row; two microseconds each.
TRIES = 2000
#: The same, once several rows of a table have shown that it is in vain.
FEW_TRIES = 30
PATIENCE = 3

_WORDS: dict[str, tuple[Any, ...]] = {
    "": ("", None),
    "True": (True, "True"),
    "False": (False, "False"),
    "None": ("None", None),
}
#: What the parser of Python may warn about: backslashes, and 1or 2.
_SUSPICIOUS = re.compile(r"\\|[0-9][A-Za-z]").search
_NUMERIC = frozenset("-+.0123456789")
#: What a text may have been: its kind, the ``repr`` that was hashed, the value.
Reading = tuple[str, str, Any]


class ColumnTypes:
    """Restores typed values row by row, and learns from each what its columns hold.

    Parameters
    ----------
    unhashed : collection of str
        Parameters that do not count for the key.
    """

    def __init__(self, unhashed: Collection[str] = ()) -> None:
        self.unhashed = frozenset(unhashed)
        self._kinds: dict[tuple[str, ...], dict[str, str]] = {}
        self._failures: dict[tuple[str, ...], int] = {}

    def restore(self, row: ParametersRow) -> tuple[dict[str, Any], bool]:
        """Return the parameters of a row, and whether their types are certain.

        Without certainty a text is a number or a flag when Python writes that value with
        just this text; else it stays a text. The output directory and ``script_dir`` are
        left out.
        """
        readings, certain = self.readings(row)
        return {name: value for name, (_, _, value) in readings.items()}, certain

    def readings(self, row: ParametersRow) -> tuple[dict[str, Reading], bool]:
        """Return what :meth:`restore` does, each value with its kind and the text hashed."""
        names = tuple(parameter_columns(row.values))
        texts = [row.values[name] for name in names]
        kinds = self._kinds.setdefault(names, {})
        found = self._search(row.pkey, names, [[_likeliest(text)] for text in texts], 1)
        if found is None:
            columns = [
                _remembered_first(text, kinds.get(name))
                for name, text in zip(names, texts, strict=True)
            ]
            failures = self._failures.get(names, 0)
            found = self._search(
                row.pkey, names, columns, TRIES if failures < PATIENCE else FEW_TRIES
            )
            self._failures[names] = failures + 1 if found is None else 0
        certain = found is not None
        if found is None:
            found = [_likeliest(text) for text in texts]
        else:
            kinds.update((name, kind) for name, (kind, _, _) in zip(names, found, strict=True))
        return dict(zip(names, found, strict=True)), certain

    def _search(
        self,
        pkey: str,
        names: tuple[str, ...],
        columns: list[list[Reading]],
        tries: int,
    ) -> list[Reading] | None:
        """Return the readings, one of each column, that give the key."""
        hashed = [i for i, name in enumerate(names) if name not in self.unhashed]
        heads = {i: f"{names[i]!r}: " for i in hashed}
        for chosen in itertools.islice(_combinations(columns, hashed), tries):
            text = ", ".join([heads[i] + chosen[i][1] for i in hashed])
            key = hashlib.md5(
                b"{" + text.encode("utf-8", "surrogatepass") + b"}", usedforsecurity=False
            )
            if key.hexdigest() == pkey:
                return chosen
        return None


def typed_values(row: ParametersRow, unhashed: Collection[str] = ()) -> dict[str, Any]:
    """Return the parameters of one row with their types; see :meth:`ColumnTypes.restore`."""
    return ColumnTypes(unhashed).restore(row)[0]


def parameter_columns(columns: Mapping[str, str]) -> list[str]:
    """Return the columns that are parameters: all but the output directory and what follows."""
    names = list(columns)
    return names[:-2] if names[-1:] == ["script_dir"] else names


def _combinations(columns: list[list[Reading]], hashed: list[int]) -> Iterator[list[Reading]]:
    """Yield choices of one reading for each column: the likeliest, then ever less likely."""
    first = [readings[0] for readings in columns]
    open_columns = [i for i in hashed if len(columns[i]) > 1]
    for count in range(len(open_columns) + 1):
        for changed in itertools.combinations(open_columns, count):
            for others in itertools.product(*(columns[i][1:] for i in changed)):
                chosen = list(first)
                for i, reading in zip(changed, others, strict=True):
                    chosen[i] = reading
                yield chosen


def _likeliest(text: str) -> Reading:
    return next(_readings(text))


def _remembered_first(text: str, kind: str | None) -> list[Reading]:
    """Return what a text may have been; first what its column was found to hold before."""
    return sorted(_readings(text), key=lambda reading: reading[0] != kind)


def _readings(text: str) -> Iterator[Reading]:
    """Yield what a text may have been, most likely first."""
    if text in _WORDS:
        for value in _WORDS[text]:
            yield type(value).__name__, repr(value), value
        return
    number: Any = None
    if text[:1] in _NUMERIC and len(text) < 400:
        number = _number(text)
        if number is not None and repr(number) == text:
            yield type(number).__name__, text, number
    elif text[:1] in "([{" and len(text) < 10_000:
        value = _brackets(text)
        if value is not None:
            yield "brackets", text, value
    yield "str", repr(text), text
    yield from _rarer(text, number)


def _rarer(text: str, number: Any) -> Iterator[Reading]:
    """Yield readings of a number that older soops wrote with another text than Python's."""
    if isinstance(number, int):
        yield "np.int64", f"np.int64({number})", number
        if repr(number) != text:  # 007
            yield "int", repr(number), number
    elif isinstance(number, float):
        if repr(number) != text:  # 1e5
            yield "float", repr(number), number
        if number.is_integer() and abs(number) < 2**53:  # a column of 1 and 2.5
            yield "int", repr(int(number)), int(number)
        yield "np.float64", f"np.float64({number!r})", number
    elif text in ("nan", "inf", "-inf"):
        yield "float", text, float(text)


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text) if "_" not in text else None
        except ValueError:
            continue
    return None


def _brackets(text: str) -> Any:
    try:
        if not _SUSPICIOUS(text):
            value = ast.literal_eval(text)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return value if repr(value) == text else None
