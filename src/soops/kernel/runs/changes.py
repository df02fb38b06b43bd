"""What is to become of the parameters of all runs of a study: drop, rename, add.

For ``migrate`` and ``rekey``; nothing here knows a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeVar

from soops.kernel.errors import UsageError
from soops.kernel.study.grammar import parse_dict
from soops.kernel.study.identity import to_jsonable
from soops.kernel.values import DEFINED, UNDEFINED, Directive, Source
from soops.kernel.values.frozen import dataclass

__all__ = ["Changes", "CollisionError"]

#: Columns that are no parameters, besides the one of the output directory.
RESERVED = frozenset({"pkey", "finished", "iset", "script_dir"})

T = TypeVar("T")


class CollisionError(Exception):
    """A change cannot be made in a directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to become of the parameters of every run: drop, then rename, then add.

    Attributes
    ----------
    drop : tuple of str
        Keys that go.
    rename : tuple of (str, str)
        Old and new key, one after the other.
    add : mapping
        New keys and their value.
    """

    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    add: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        add: Mapping[str, Any] | Iterable[str] = (),
        rename: Mapping[str, str] | Iterable[str] = (),
        drop: Iterable[str] = (),
    ) -> Changes:
        """Return the changes that values, or the texts of a command line, describe.

        Raises
        ------
        UsageError, StudyError
            For a text that is not understood, and for keys that cannot be changed.
        """
        if isinstance(add, Mapping):
            added = dict(add)
        else:
            added = {}
            for text in [add] if isinstance(add, str) else add:
                added.update(_parse_add(text))
        if isinstance(rename, Mapping):
            renamed = tuple(rename.items())
        else:
            texts = [rename] if isinstance(rename, str) else rename
            renamed = tuple(_parse_rename(text) for text in texts)
        dropped = (drop,) if isinstance(drop, str) else tuple(drop)
        for key in (*added, *itertools.chain(*renamed), *dropped):
            if key in RESERVED:
                raise UsageError(f"{key!r} is no parameter of a program, and stays")
        return cls(drop=dropped, rename=renamed, add=added)

    def __bool__(self) -> bool:
        return bool(self.drop or self.rename or self.add)

    def as_json(self) -> dict[str, Any]:
        """Return them as they stand in a log."""
        return {
            "drop": list(self.drop),
            "rename": [list(pair) for pair in self.rename],
            "add": {key: to_jsonable(value) for key, value in self.add.items()},
        }

    def renamed(self, keys: Iterable[str]) -> list[str]:
        """Return keys without those that go, the others under their new names."""
        left = [key for key in keys if key not in self.drop]
        for old, new in self.rename:
            left = [new if key == old else key for key in left]
        return left

    def apply(
        self, items: Mapping[str, T], added: Mapping[str, T], computed: Sequence[str] = ()
    ) -> dict[str, T]:
        """Return what belongs to each key afterwards, in the order that keys are hashed.

        Parameters
        ----------
        items : mapping
            What belongs to each key now.
        added : mapping
            What belongs to each new key; one that is there already keeps its own.
        computed : sequence of str
            The keys that a class of the user computes: they come last, in their order.

        Raises
        ------
        CollisionError
            When a key would get the name of another one.
        """
        found, last = dict(items), list(computed)
        for key in self.drop:
            found.pop(key, None)
        for old, new in self.rename:
            if old not in found:
                continue
            if new in found:
                raise CollisionError(f"it has {old} and {new}, so neither can be renamed")
            found[new] = found.pop(old)
            last = [new if key == old else key for key in last]
        for key, value in added.items():
            found.setdefault(key, value)
        last = [key for key in last if key in found]
        first = sorted(key for key in found if key not in last)
        return {key: found[key] for key in (*first, *last)}


def _parse_add(text: str) -> dict[str, Any]:
    source = Source(path="--add")
    found = parse_dict(text, source=source)
    for key, value in found.items():
        if isinstance(value, list):
            if len(value) != 1:
                raise UsageError(
                    f"the value of {key!r} is a list: all runs get the same value",
                    source=source,
                    hint=f"a value that is itself a list stands in brackets: {key}=[[1, 2]]",
                )
            value = value[0]
        if isinstance(value, Directive) and not (value.args or value.kwargs):
            value = {"defined": DEFINED, "undefined": UNDEFINED}.get(value.name, value)
        if _has_directive(value):
            raise UsageError(
                f"the value of {key!r} is to be generated",
                source=source,
                hint="of the directives only @defined and @undefined are one value",
            )
        found[key] = value
    return {str(key): value for key, value in found.items()}


def _has_directive(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_directive, value))
    if isinstance(value, dict):
        return any(map(_has_directive, value.values()))
    return isinstance(value, Directive)


def _parse_rename(text: str) -> tuple[str, str]:
    old, colon, new = (part.strip() for part in text.partition(":"))
    if not (old and colon and new) or old == new:
        raise UsageError(f"--rename {text!r} is not understood", hint="write --rename=--old:--new")
    return old, new
