"""Tables of a study file that know their lines, check what they hold, and collect mistakes.

Used by the modules of ``document`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from soops.api import SoopsError, Source, StudyError, all_mistakes, near_misses, unknown_name
from soops_builtin.readers.document.kinds import KINDS
from soops_builtin.readers.document.schema import Section

__all__ = ["Find", "Mistakes", "Path", "Table"]

#: Keys from the outermost table inwards; a number is a place in an array.
Path = tuple[str | int, ...]
Find = Callable[[Path], Source]


class Mistakes:
    """What is wrong with a file, collected to be told in one go."""

    def __init__(self) -> None:
        self._found: list[SoopsError] = []

    def add(
        self, message: str, source: Source, hint: str | None = None, *, only_to_run: bool = False
    ) -> None:
        """Note a mistake; ``only_to_run``: it does not matter to who reads what was run."""
        error = StudyError(message, source=source, hint=hint)
        error.only_to_run = only_to_run
        self._found.append(error)

    def take(self, error: SoopsError, source: Source | None = None) -> None:
        """Note an error; ``source`` is where it is, if it does not know better."""
        if error.source is None or (error.source.line is None and source is not None):
            error.source = source
        self._found.append(error)

    @contextmanager
    def noting(self, source: Source | None = None) -> Iterator[None]:
        """Note the error that comes out of a block, and go on behind it."""
        try:
            yield
        except SoopsError as exc:
            self.take(exc, source)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._found)

    def tell(self, partial: object) -> None:
        """Raise one error for all; ``partial`` is the study as far as it could be read.

        Raises
        ------
        StudyError
            When there is a mistake.
        """
        found = all_mistakes(self._found)
        if found is not None:
            if isinstance(found, StudyError):
                found.partial = partial
            raise found


class Table(Mapping[str, Any]):
    """One table of a file.

    Parameters
    ----------
    data : mapping
        What it holds.
    section : Section
        What it may hold; anything else is noted as a mistake.
    path : tuple
        Where it is in the file.
    find : callable
        Path to :class:`Source`.
    mistakes : Mistakes
        Where what is wrong is noted.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        section: Section,
        path: Path,
        find: Find,
        mistakes: Mistakes,
    ) -> None:
        self._data = data
        self.section = section
        self._path = path
        self._find = find
        self.mistakes = mistakes
        self._inner: dict[Path, Table] = {}
        self._check()

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @property
    def title(self) -> str:
        """The name of the table as messages write it."""
        return ".".join(str(part) for part in self._path if isinstance(part, str))

    def source(self, *keys: str | int) -> Source:
        """Return where a key of the table is, or else the table itself."""
        return self._find((*self._path, *keys))

    def wrong(self, message: str, *keys: str | int, hint: str | None = None) -> None:
        """Note a mistake in a key of the table."""
        self.mistakes.add(message, self.source(*keys), hint)

    def own(self) -> dict[str, Any]:
        """Return the keys that the user names, with their values, in order."""
        named = {key.name for key in self.section.keys}
        kind = KINDS[self.section.free] if self.section.free else None
        return {
            key: value
            for key, value in self._data.items()
            if key not in named and (kind is None or kind.test(value))
        }

    @property
    def has_strangers(self) -> bool:
        """Whether it has keys that are none: what they mean is missing elsewhere."""
        known = {key.name for key in self.section.keys}
        return not self.section.free and any(key not in known for key in self._data)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key that may be there; ``default`` when it is wrong."""
        value = self._data.get(key)
        if key not in self._data or not KINDS[self.section.key(key).kind].test(value):
            return default
        return value

    def need(self, key: str) -> Any:
        """Return the value of a key; a missing one is noted, and None."""
        if key not in self._data:
            close = near_misses(key, map(str, self.own())).replace("did you mean", "is it")
            hint = close or f"add {self.section.key(key).example}"
            self.wrong(f"[{self.title}] has no {key!r}", hint=hint)
        return self.get(key)

    def table(self, section: Section, key: str | None = None) -> Table:
        """Return a table in the table; an empty one when it is not there."""
        key = section.name if key is None else key
        data = self._data.get(key, {})
        # What is no table is noted by the check of this one.
        return self._make(data if isinstance(data, dict) else {}, section, key)

    def tables(self, section: Section) -> list[Table]:
        """Return the tables of an array ``[[name]]``."""
        name = section.name
        given = self._data.get(name, [])
        if not isinstance(given, list):
            return []
        return [
            self._make(item, section, name, place)
            for place, item in enumerate(given)
            if isinstance(item, dict)
        ]

    def _make(self, data: Mapping[str, Any], section: Section, *keys: str | int) -> Table:
        """Return a table in this one, checked once however often it is asked for."""
        if keys not in self._inner:
            path = (*self._path, *keys)
            self._inner[keys] = Table(data, section, path, self._find, self.mistakes)
        return self._inner[keys]

    def _check(self) -> None:
        known = {key.name: key for key in self.section.keys}
        for key, value in self._data.items():
            kind = known[key].kind if key in known else self.section.free
            if not kind:
                what = f"key of [{self.title}]:" if self._path else "table"
                self.mistakes.take(unknown_name(what, str(key), known, source=self.source(key)))
            elif not KINDS[kind].test(value):
                if kind == "a list of texts or tables" and not self._path:
                    self.wrong(f"{key!r} must be written as [[{key}]]", key)
                    continue
                hint = f"for instance: {known[key].example}" if key in known else None
                self.wrong(f"{key!r} must be {kind}", key, hint=hint)
