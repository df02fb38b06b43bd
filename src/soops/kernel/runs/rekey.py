"""One run directory under other parameters: which files change, and how. Nothing is written.

Only ``migrate`` uses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.records.column_types import parameter_columns
from soops.kernel.records.disk import DamagedFileError, read_file
from soops.kernel.records.migrations import Step
from soops.kernel.records.parameters_csv import PARAMETERS_NAME, join_rows, split_rows
from soops.kernel.records.record import RECORD_NAME, parse_record, render_dict
from soops.kernel.records.rundir import SCRIPT_NAME
from soops.kernel.runs.changes import Changes, CollisionError
from soops.kernel.runs.recorded import Recorded, RecordedParameters, UnreadableError, key_of
from soops.kernel.study.identity import identity, to_jsonable

__all__ = ["TEMPORARY", "Rekeyer", "put_name"]

#: What is put behind the name of a file while it is written anew.
TEMPORARY = ".migrating"


class Rekeyer:
    """Works out what changes in each directory of a root.

    Parameters
    ----------
    root : str
        The runs root.
    changes : Changes
        What is asked for.
    key_order : collection of str, optional
        The keys of the program as its newest pass had them; None where that is not known.
    unhashed : collection of str, optional
        Those that do not count for keys; None where that is not known: then it is found out.

    Attributes
    ----------
    known : dict
        Every parameter that was met, and in how many directories.
    """

    def __init__(
        self,
        root: str,
        changes: Changes,
        key_order: Iterable[str] | None = None,
        unhashed: Iterable[str] | None = None,
    ) -> None:
        self.root = root
        self.changes = changes
        self.known: dict[str, int] = {}
        self._parameters = RecordedParameters(unhashed)
        self._key_order = None if key_order is None else _with_old_names(key_order, changes)
        self._json = {key: to_jsonable(value) for key, value in changes.add.items()}
        self._texts = {key: repr(value) for key, value in changes.add.items()}

    def step(self, name: str, pkey: str) -> Step:
        """Return what is to be done with a run directory; without files: nothing.

        Raises
        ------
        UnreadableError
            When it cannot be told which parameters it is about.
        CollisionError
            When a key would get the name of another one.
        """
        files = self._read(f"{self.root}/{name}")
        records = dict(_records(files, pkey))
        found = self._parameters.find(records, files.get(PARAMETERS_NAME), pkey)
        for key in found.texts:
            self.known[key] = self.known.get(key, 0) + 1
        computed = list(found.texts)[self._count_sorted(list(found.texts)) :]
        texts = self.changes.apply(found.texts, self._texts, computed)
        if list(texts.items()) == list(found.texts.items()):
            return Step(old=name, new=name, old_pkey=pkey, new_pkey=pkey)
        ignored = frozenset(self.changes.renamed(self._parameters.unhashed))
        new_pkey = key_of(texts, ignored)
        values = self.changes.apply(found.values, self.changes.add, computed)
        facts = {
            "identity": identity({k: v for k, v in values.items() if k not in ignored}),
            "pkey": new_pkey,
            "directory": put_name(name, pkey, new_pkey),
        }
        changed = self._records(records, found, facts, computed)
        row = self._row(files.get(PARAMETERS_NAME), pkey, new_pkey, computed)
        if row is not None:
            changed[PARAMETERS_NAME] = row
        if SCRIPT_NAME in files:
            # The command is the one that was run; only the place of its output has moved.
            changed[SCRIPT_NAME] = files[SCRIPT_NAME].replace(pkey.encode(), new_pkey.encode())
        return Step(
            old=name,
            new=facts["directory"],
            old_pkey=pkey,
            new_pkey=new_pkey,
            files={
                file: (files[file], data) for file, data in changed.items() if files[file] != data
            },
        )

    def _records(
        self,
        records: Mapping[str, dict[str, Any]],
        found: Recorded,
        facts: Mapping[str, str],
        computed: Sequence[str],
    ) -> dict[str, bytes]:
        """Return the records of a run, of earlier attempts too, with the parameters changed."""
        everything = self.changes.apply(found.jsonable, self._json, computed)
        changed = {}
        for file, record in records.items():
            if record.get("output_key") in everything:
                raise CollisionError(f"{record['output_key']} is its output directory")
            own = record["parameters"]
            if own.keys() == found.jsonable.keys():
                own = self.changes.apply(own, self._json, computed)
            else:  # of a driver that could not read them
                own = everything
            changed[file] = render_dict({**record, **facts, "parameters": own})
        return changed

    def _read(self, path: str) -> dict[str, bytes]:
        """Return the files of a directory that tell of its parameters."""
        found = {}
        try:
            for name in sorted(os.listdir(path)):
                is_record = name.startswith(RECORD_NAME) and not name.endswith(TEMPORARY)
                if is_record or name in (PARAMETERS_NAME, SCRIPT_NAME):
                    file = f"{path}/{name}"
                    if os.path.islink(file):
                        raise UnreadableError(f"{name} is a symbolic link")
                    found[name] = read_file(file)
        except OSError as exc:
            raise UnreadableError(f"{exc.filename!r} cannot be read: {exc.strerror}") from exc
        except DamagedFileError as exc:
            raise UnreadableError(exc.message) from exc
        return found

    def _count_sorted(self, names: list[str]) -> int:
        """Return how many keys are those of the program; what a class computes comes after."""
        count = 1
        while count < len(names) and names[count - 1] < names[count]:
            count += 1
        while count and self._key_order is not None and names[count - 1] not in self._key_order:
            count -= 1
        return min(count, len(names))

    def _row(
        self, data: bytes | None, pkey: str, new_pkey: str, computed: list[str]
    ) -> bytes | None:
        """Return a ``soops-parameters.csv`` with the parameters changed; all else stays."""
        if data is None:
            return None
        try:
            cells = split_rows(data)
        except ValueError:
            return None
        if cells["pkey"] != pkey:
            return None
        first: dict[str, Any] = {
            key: cells.pop(key) for key in ("pkey", "finished", "iset") if key in cells
        }
        names = parameter_columns(cells)
        last = {key: text for key, text in cells.items() if key not in names}
        changed = self.changes.apply({key: cells[key] for key in names}, self.changes.add, computed)
        for key in last:
            if key in changed:
                raise CollisionError(f"{key} is its output directory")
        last = {key: text.replace(pkey, new_pkey) for key, text in last.items()}
        return join_rows({**first, "pkey": new_pkey, **changed, **last})


def _with_old_names(key_order: Iterable[str], changes: Changes) -> frozenset[str]:
    """Return the keys of a program, which may have their new names already, with the old."""
    keys = set(key_order)
    for old, new in reversed(changes.rename):
        if new in keys:
            keys.add(old)
    return frozenset(keys)


def put_name(name: str, pkey: str, new_pkey: str) -> str:
    """Return the name of a directory under another key; one that has no key in it stays."""
    entry, slash, inner = name.partition("/")
    return f"{entry.replace(pkey, new_pkey)}{slash}{inner}"


def _records(files: Mapping[str, bytes], pkey: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the records of a run, the newest first, with those of earlier attempts."""
    for name, data in files.items():
        if name.startswith(RECORD_NAME):
            try:
                record = parse_record(name, data)
            except StudyError:
                continue
            if record["pkey"] == pkey:
                yield name, record
