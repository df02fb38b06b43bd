"""The parameters of a run as its files have them, each with the text that its key is made of.

The key of a run is an md5 of what Python printed of its values. So the recorded values are
believed when they make the key of the run again. Only ``rekey`` uses it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from soops.kernel.records.column_types import ColumnTypes
from soops.kernel.records.parameters_csv import parse_row, split_rows
from soops.kernel.study.identity import from_jsonable, pkey_of_texts, to_jsonable
from soops.kernel.values.frozen import dataclass

__all__ = ["Recorded", "RecordedParameters", "UnreadableError", "key_of"]

#: Keys that may be unhashed at once in a study that does not say which, and directories that
#: are tried for it.
GUESSED, PATIENCE = 2, 3


class UnreadableError(Exception):
    """A directory does not say which parameters it is about; it is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The parameters of a run as they are recorded: the text that is hashed, JSON, value."""

    texts: Mapping[str, str]
    jsonable: Mapping[str, Any]
    values: Mapping[str, Any]


class RecordedParameters:
    """Finds the parameters of runs, and learns which of their keys do not count.

    Parameters
    ----------
    unhashed : collection of str
        Keys that do not count; None where that is not known: then it is found out.

    Attributes
    ----------
    unhashed : frozenset of str
        As far as is known.
    """

    def __init__(self, unhashed: Iterable[str] | None = None) -> None:
        self._failures = 0 if unhashed is None else PATIENCE
        self.unhashed = frozenset(unhashed or ())
        self._types = ColumnTypes(self.unhashed)

    def find(self, records: Mapping[str, dict[str, Any]], csv: bytes | None, pkey: str) -> Recorded:
        """Return the parameters that make the key of a run, as the best of its files has them."""
        for unhashed in self._guesses(records, csv):
            for record in records.values():
                found = _of_record(record["parameters"], unhashed, pkey)
                if found is not None:
                    return self._believe(unhashed, found)
            found = self._of_csv(csv, unhashed, pkey)
            if found is not None:
                return self._believe(unhashed, found)
        self._failures += 1
        if not records and csv is None:
            raise UnreadableError("nothing in it tells of its parameters")
        raise UnreadableError(f"its parameters, as they are recorded, do not make its key {pkey}")

    def _believe(self, unhashed: frozenset[str], found: Recorded) -> Recorded:
        if unhashed != self.unhashed:
            self.unhashed = unhashed
            self._types = ColumnTypes(unhashed)
            self._failures = PATIENCE
        return found

    def _guesses(
        self, records: Mapping[str, dict[str, Any]], csv: bytes | None
    ) -> Iterator[frozenset[str]]:
        """Yield sets of keys that may not count: an older study does not say which."""
        yield self.unhashed
        if self._failures >= PATIENCE:
            return
        names: list[str] = []
        for record in records.values():
            names = names or list(record["parameters"])
        if not names and csv is not None:
            try:
                names = list(split_rows(csv))[2:]
            except ValueError:
                return
        for count in range(1, GUESSED + 1):
            yield from map(frozenset, itertools.combinations(names, count))

    def _of_csv(self, data: bytes | None, unhashed: frozenset[str], pkey: str) -> Recorded | None:
        if data is None:
            return None
        try:
            row = parse_row(data)
        except ValueError:
            return None
        types = self._types if unhashed == self.unhashed else ColumnTypes(unhashed)
        readings, certain = types.readings(row)
        if not certain or row.pkey != pkey:
            return None
        return Recorded(
            texts={name: text for name, (_, text, _) in readings.items()},
            jsonable={name: to_jsonable(value) for name, (_, _, value) in readings.items()},
            values={name: value for name, (_, _, value) in readings.items()},
        )


def key_of(texts: Mapping[str, str], unhashed: frozenset[str]) -> str:
    """Return the key of parameters without those that do not count."""
    return pkey_of_texts({key: text for key, text in texts.items() if key not in unhashed})


def _of_record(given: Mapping[str, Any], unhashed: frozenset[str], pkey: str) -> Recorded | None:
    """Return the parameters of a record in JSON form when they make its key."""
    try:
        plain = {key: _printable(value, False) for key, value in given.items()}
        texts = {key: repr(value) for key, value in plain.items()}
        if key_of(texts, unhashed) != pkey:
            texts = {key: repr(_printable(value, True)) for key, value in given.items()}
            if key_of(texts, unhashed) != pkey:
                return None
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    return Recorded(texts=texts, jsonable=given, values=plain)


class _Verbatim:
    """Stands for a value of which only the printed form is known."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _printable(value: Any, numpy: bool) -> Any:
    """Return a value in JSON form as what prints as it did, numpy's scalars as numpy 2 does."""
    if isinstance(value, list):
        return [_printable(item, numpy) for item in value]
    if not isinstance(value, dict):
        return value
    kind, inner = value.get("@"), value.get("v")
    if kind == "tuple":
        return tuple(_printable(item, numpy) for item in inner or ())
    if kind == "dict":
        return {_printable(key, numpy): _printable(item, numpy) for key, item in inner or ()}
    if kind == "repr":
        return _Verbatim(str(from_jsonable(inner)))
    plain = from_jsonable(value)
    if kind == "numpy" and numpy and not isinstance(plain, list):
        return _Verbatim(_numpy_text(str(value["dtype"]), plain))
    return plain


def _numpy_text(dtype: str, plain: Any) -> str:
    if dtype == "bool":
        return f"np.{plain}_"
    name = "str_" if dtype.startswith("<U") else dtype
    return f"np.{name}({plain!r})"
