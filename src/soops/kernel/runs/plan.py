"""Prepared study and index to planned runs, one after the other.

Nothing is listed: memory is one chunk of sets, for ten sets or ten million.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from soops.kernel.errors import SoopsError, StudyError
from soops.kernel.records.found import how_it_ended
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.prepare import SCRIPT_DIR, Prepared
from soops.kernel.runs.sources import values_of
from soops.kernel.study.identity import identity, pkey
from soops.kernel.values import Decision, ParameterSet, PlannedRun, RunRecord, State

__all__ = ["FINISHED", "KnownRuns", "count_sets", "parameter_sets", "plan_runs"]

#: Sets looked up in the index at a time.
CHUNK = 256
#: Filtered sets are counted beforehand only when the whole space has so few.
COUNTED = 100_000
#: Where a set may come twice, counting means to make its key.
COUNTED_BY_KEY = 20_000
#: The reason for which a set is not run when the check says so.
FINISHED = "finished"
_STATES = {state.value: state for state in State}
BAD = (State.FAILED, State.TIMEOUT, State.LOST, State.CANCELLED)
UNDER_WAY = (State.QUEUED, State.RUNNING)


class KnownRuns(Protocol):
    """What the plan asks of the index. Rows map column names to values."""

    def lookup_pkeys(self, pkeys: list[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return the known rows of these keys."""

    def lookup_identities(self, identities: list[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return the known rows of these identities."""

    def next_number(self) -> int:
        """Return the number after the largest in use."""


def count_sets(prepared: Prepared) -> int | None:
    """Return the number of sets of a study; None when it is not known or dear to count."""
    if prepared.sets is not None:
        return None
    space = prepared.space
    if not prepared.where and space.is_exact:
        return len(space)
    most = COUNTED_BY_KEY if space.may_repeat else COUNTED
    if prepared.compute is not None or len(space) > most:
        return None
    if space.may_repeat:
        return sum(1 for _ in _keyed_values(prepared))
    return sum(all(item.holds(values) for item in prepared.where) for values in space)


def parameter_sets(prepared: Prepared) -> Iterator[ParameterSet]:
    """Generate the sets of a study; the identity of each is left for who needs it."""
    for index, values, key in _keyed_values(prepared):
        yield _parameter_set(index, values, key, "")


def _parameter_set(index: int, values: Mapping[str, Any], key: str, mark: str) -> ParameterSet:
    # Listeners are shown these values; nobody can change them.
    shown = MappingProxyType(values)
    return ParameterSet(index=index, values=shown, pkey=key, identity=mark)


#: The index of a set, its values, and their key.
_Keyed = tuple[int, dict[str, Any], str]


def _keyed_values(prepared: Prepared) -> Iterator[_Keyed]:
    unhashed = set(prepared.info.unhashed)
    given: Iterable[dict[str, Any]] = prepared.space
    if prepared.sets is not None:
        given = values_of(prepared.sets, prepared.space)
    # A computing class may map two sets to one, and a source or a block repeat one; only then
    # sets are remembered.
    may_repeat = prepared.compute is not None or prepared.sets is not None
    seen: set[str] | None = set() if may_repeat or prepared.space.may_repeat else None
    for number, values in enumerate(given):
        if prepared.compute is not None:
            values.update(prepared.compute(values))
        if prepared.where and not all(item.holds(values) for item in prepared.where):
            continue
        key = pkey(_hashed(values, unhashed) if unhashed else values)
        if seen is not None:
            if key in seen:
                continue
            seen.add(key)
        yield number, values, key


def plan_runs(
    prepared: Prepared, known: KnownRuns, options: RunOptions, *, whole: bool = True
) -> Iterator[PlannedRun]:
    """Say of each set where it lives, what its command is, and whether it will be run.

    Parameters
    ----------
    prepared : Prepared
        The study.
    known : KnownRuns
        Its runs of old.
    options : RunOptions
        What is to be run again.
    whole : bool
        False: leave the commands of sets that are skipped empty, for who does not read them.

    Raises
    ------
    StudyError
        When a check or a computing class of the user raises.
    """
    planner = _Planner(prepared, known, options, whole)
    sets = _keyed_values(prepared)
    # What comes from a source may depend on what came out of the last one.
    size = CHUNK if prepared.sets is None else 1
    while chunk := list(itertools.islice(sets, size)):
        yield from planner.plan(chunk)


class _Planner:
    def __init__(
        self, prepared: Prepared, known: KnownRuns, options: RunOptions, whole: bool
    ) -> None:
        self.prepared = prepared
        self.whole = whole
        #: Asks a check that looks at nothing but the directory.
        self.glance: Callable[[str], bool] | None = getattr(prepared.check, "glance", None)
        self.known = known
        self.options = options
        self.unhashed = set(prepared.info.unhashed)
        self.number = known.next_number()
        self.root = str(prepared.template.root)

    def plan(self, chunk: list[_Keyed]) -> Iterator[PlannedRun]:
        rows = dict(self.known.lookup_pkeys([key for _, _, key in chunk]))
        missing = {
            identity(_hashed(values, self.unhashed)): key
            for _, values, key in chunk
            if key not in rows
        }
        if missing:
            by_identity = self.known.lookup_identities(list(missing))
            by_older = self._lookup_older([item for item in chunk if item[2] not in rows])
            rows.update({missing[mark]: row for mark, row in by_identity.items()})
            rows.update(by_older)
        marks = {key: mark for mark, key in missing.items()}
        for index, values, key in chunk:
            row = rows.get(key)
            mark = marks.get(key)
            if row is not None:
                # A directory keeps the key in its name, by whatever way its set was found.
                key, mark = row["pkey"], mark or row["identity"]
            if not mark:
                mark = identity(_hashed(values, self.unhashed))
            yield self._one(index, values, key, mark, row)

    def _lookup_older(self, items: list[_Keyed]) -> dict[str, Mapping[str, Any]]:
        """Return the rows of sets whose values soops 2026.2 read otherwise, by their keys now."""
        if self.prepared.older is None:
            return {}
        keys = {}
        for index, _, key in items:
            values = self.prepared.older(index)
            if values is not None:
                keys[pkey(_hashed(values, self.unhashed))] = key
        return {keys[key]: row for key, row in self.known.lookup_pkeys(list(keys)).items()}

    def _one(
        self,
        index: int,
        given: dict[str, Any],
        key: str,
        mark: str,
        row: Mapping[str, Any] | None,
    ) -> PlannedRun:
        prepared = self.prepared
        if row is None:
            number = self.number
            self.number += 1
            directory = prepared.template.directory(number, key)
        else:
            number = row["number"]
            if number < 0:  # in a renamed directory of long ago
                number = self.number
                self.number += 1
            directory = self._known_directory(row)
        values = {
            **given,
            prepared.info.output_key: directory,
            SCRIPT_DIR: prepared.info.base,
        }
        decision, reason = self._decide(directory, values, row)
        wanted = self.whole or decision is not Decision.SKIP
        return PlannedRun(
            parameters=_parameter_set(index, given, key, mark),
            number=number,
            directory=directory,
            command=self._command(values, directory) if wanted else "",
            decision=decision,
            reason=reason,
            attempts=(row["attempts"] or 0) if row is not None else 0,
            values=MappingProxyType(values),
            known=row is not None,
        )

    def _command(self, values: dict[str, Any], directory: str) -> str | tuple[str, ...]:
        info = self.prepared.info
        if info.at_home:  # relative paths would mean something else there
            paths = {info.output_key: directory, SCRIPT_DIR: info.base}
            values = {**values, **{key: os.path.abspath(path) for key, path in paths.items()}}
        return self.prepared.command.build(values)

    def _known_directory(self, row: Mapping[str, Any]) -> str:
        name, template = row["directory"], self.prepared.template
        path = template.path_of(name, row["number"], row["pkey"])
        if path is not None:
            return path
        parsed = template.parse(name)
        if parsed is not None:
            return template.directory(*parsed)
        return os.path.join(self.root, name)

    def _decide(
        self, directory: str, values: Mapping[str, Any], row: Mapping[str, Any] | None
    ) -> tuple[Decision, str]:
        level = self.options.recompute
        if level == 0:
            return Decision.SKIP, "-r 0 runs nothing"
        if row is None:
            return Decision.RUN, "new"
        if level == 2:
            return Decision.RERUN, "-r 2 runs everything again"
        state = _STATES[row["state"]]
        if self.options.rerun:
            return self._decide_rerun(state, _how(state, row), directory, values, row)
        if state is State.DONE:
            if self._is_finished(directory, values, row):
                return Decision.SKIP, FINISHED
            return Decision.RERUN, "it ended well but the check does not find it finished"
        if state in UNDER_WAY:
            return Decision.RERUN, "it was interrupted"
        if state in BAD:
            return Decision.RERUN, f"the last attempt ended {_how(state, row)}"
        if self._is_finished(directory, values, row):
            return Decision.SKIP, FINISHED
        return Decision.RERUN, "not finished"

    def _decide_rerun(
        self,
        state: State,
        how: str,
        directory: str,
        values: Mapping[str, Any],
        row: Mapping[str, Any],
    ) -> tuple[Decision, str]:
        words = self.options.rerun
        if "all" in words or state.value in words:
            return Decision.RERUN, f"--rerun: the last attempt ended {how}"
        if "unfinished" in words and not (
            state not in BAD
            and state not in UNDER_WAY
            and self._is_finished(directory, values, row)
        ):
            return Decision.RERUN, "--rerun: not finished"
        return Decision.SKIP, f"not among --rerun: {how}"

    def _is_finished(
        self, directory: str, values: Mapping[str, Any], row: Mapping[str, Any]
    ) -> bool:
        try:
            if self.glance is not None:
                return self.glance(directory)
            record = _as_record(row) if row["state"] != State.UNKNOWN else None
            return bool(
                self.prepared.check(Path(directory), dict(values), self.prepared.namespace, record)
            )
        except SoopsError:
            raise
        except Exception as exc:
            raise StudyError(
                f"the completion check raised {type(exc).__name__}: {exc}",
                hint=f"it was asked about {directory!r}",
            ) from exc


def _how(state: State, row: Mapping[str, Any]) -> str:
    return how_it_ended(state, row["cause"], row["returncode"], row["signal"])


def _as_record(row: Mapping[str, Any]) -> RunRecord:
    """Return as much of a record as the index knows; enough for a check."""
    return RunRecord(
        identity=row["identity"] or "",
        pkey=row["pkey"],
        number=row["number"],
        directory=row["directory"],
        parameters={},
        command="",
        state=State(row["state"]),
        cause=row["cause"] or "",
        returncode=row["returncode"],
        signal=row["signal"],
        started=row["started"],
        ended=row["ended"],
        elapsed=row["elapsed"],
        host=row["host"],
        attempts=row["attempts"] or 1,
    )


def _hashed(values: Mapping[str, Any], unhashed: set[str]) -> dict[str, Any]:
    if not unhashed:
        return dict(values)
    return {key: value for key, value in values.items() if key not in unhashed}
