"""What the next driver does about the runs that a killed one had under way.

Those that go on without it are taken on; those that came to an end of their own meanwhile are
recorded; what is left of the others is ended, and they are recorded as lost, to be tried again.
For the ledger.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from soops.kernel.records import machine
from soops.kernel.records.attempts import drop_tokens, read_attempt
from soops.kernel.records.directories import decoded
from soops.kernel.records.index import Index, IndexRow, record_row
from soops.kernel.records.journal import Entry, Journal
from soops.kernel.records.record import write_record
from soops.kernel.records.rundir import PARAMETERS_NAME, SCRIPT_NAME
from soops.kernel.runs.judging import judge
from soops.kernel.runs.orphans import end_marked
from soops.kernel.runs.prepare import Prepared
from soops.kernel.runs.survivors import Survivors, lives, outcome_in
from soops.kernel.values import Outcome, RunRecord, State
from soops.kernel.values.frozen import dataclass

__all__ = ["Held", "Recovered", "record_of_attempt", "recover"]

log = logging.getLogger("soops")

#: Of pairs of run directory and attempt, those that a queue was given.
Held = Callable[[Sequence[tuple[str, int]]], Collection[tuple[str, int]]]

#: Problems shown at the start of a pass.
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was found.

    Attributes
    ----------
    survivors : Survivors
        The runs that go on.
    doubtful : set of str
        Directories, below the root, that were not read or not in full.
    """

    survivors: Survivors
    doubtful: set[str] = field(default_factory=set)


def recover(
    prepared: Prepared, journal: Journal, index: Index, durable: bool, held: Held | None = None
) -> Recovered:
    """Bring the index up to date, and settle everything that the journal has under way.

    What the runner holds is left to it.

    Raises
    ------
    RunnerError
        When the runner cannot say what it holds.
    DiskError
        When a record or the index cannot be written.
    """
    root = prepared.run.root
    under_way = journal.under_way()
    synced = index.sync(prepared.template, under_way, prepared.info.unhashed)
    for directory, reason in synced.problems[:SHOWN]:
        log.warning("%r: %s", directory, reason)
    if len(synced.problems) > SHOWN:
        log.warning("... and %d more like these", len(synced.problems) - SHOWN)
    open_ends = {entry.directory: entry for entry in under_way}
    for directory in synced.ended:
        open_ends.pop(directory, None)
    queued = _queued(root, open_ends, held) if held is not None and open_ends else set()
    go_on: set[str] = set()
    if open_ends:
        go_on = _settle(prepared, index, open_ends, durable, queued)
    journal.ended([entry.directory for entry in under_way if entry.directory not in go_on])
    return Recovered(
        survivors=Survivors(root, [open_ends[name] for name in go_on], queued),
        doubtful={directory for directory, _ in synced.problems},
    )


def _queued(root: Path, open_ends: dict[str, Entry], held: Held) -> set[str]:
    """Return the directories, below the root, of the attempts that the runner holds."""
    names = {(os.path.join(root, name), entry.attempt): name for name, entry in open_ends.items()}
    return {names[pair] for pair in held(list(names)) if pair in names}


def _settle(
    prepared: Prepared,
    index: Index,
    open_ends: dict[str, Entry],
    durable: bool,
    queued: Collection[str] = (),
) -> set[str]:
    """Record what ended, end what does not go on, and return what does."""
    rows, go_on, ended = [], set(), 0
    for row in map(decoded, index.lookup_directories(list(open_ends)).values()):
        entry = open_ends[row["directory"]]
        if entry.directory in queued:
            go_on.add(entry.directory)
            continue
        where = os.path.join(prepared.run.root, entry.directory)
        token = read_attempt(where, entry.attempt)
        if token is not None and token.survives and lives(token, where):
            go_on.add(entry.directory)
            continue
        outcome = outcome_in(token) if token is not None and token.ended else None
        if token is None or outcome is None:
            end_marked(where)
            record = _lost_record(prepared, row, entry, where)
        else:
            ended += 1
            outcome = judge(outcome, isinstance(token.command, str), prepared.info.accept_exit)
            record = _record(prepared, row, entry, outcome, token.command)
        write_record(where, record, durable)
        if outcome is not None:
            drop_tokens(where, entry.attempt)
        rows.append(record_row(record, output_dir=row["output_dir"]))
    index.upsert(rows)
    index.commit()
    _tell(len(open_ends), ended, len(go_on))
    return go_on


def _tell(total: int, ended: int, go_on: int) -> None:
    text = f"{total} run{'s were' if total > 1 else ' was'} under way when the last driver ended"
    parts = []
    if ended:
        parts.append(f"{ended} ended without it")
    if go_on:
        parts.append(f"{go_on} {'go' if go_on > 1 else 'goes'} on")
    lost = total - ended - go_on
    if lost:
        of_them = f"{lost}" if parts else "them" if lost > 1 else "it"
        parts.append(f"what is left of {of_them} is stopped")
    log.warning("%s; %s", text, ", ".join(parts))


def record_of_attempt(prepared: Prepared, outcome: Outcome, **fields: Any) -> RunRecord:
    """Return the record of an attempt: its outcome, and the fields that name its run."""
    run, usage = prepared.run, outcome.usage
    return RunRecord(
        state=outcome.state,
        cause=outcome.cause,
        returncode=outcome.returncode,
        signal=outcome.signal,
        started=_iso(outcome.started),
        ended=_iso(outcome.ended),
        elapsed=outcome.elapsed,
        cpu_time=usage.cpu_time,
        max_rss=usage.max_rss,
        tree_rss=usage.tree_rss,
        host=outcome.host,
        runner=run.runner,
        run_function=run.run_function,
        message=outcome.message,
        **fields,
    )


def _record(
    prepared: Prepared,
    row: IndexRow,
    entry: Entry,
    outcome: Outcome,
    command: str | tuple[str, ...],
) -> RunRecord:
    return record_of_attempt(
        prepared,
        outcome,
        identity=row["identity"],
        pkey=row["pkey"],
        number=row["number"],
        directory=row["directory"],
        parameters=row["parameters"],
        command=command,
        attempts=entry.attempt,
        output_key=row["output_key"],
    )


def _lost_record(prepared: Prepared, row: IndexRow, entry: Entry, where: str) -> RunRecord:
    text = f"the driver ended before the run {'began' if _is_untouched(where) else 'did'}"
    outcome = Outcome(state=State.LOST, cause="driver", host=entry.host, message=text)
    return replace(_record(prepared, row, entry, outcome, ""), started=entry.time)


def _is_untouched(where: str) -> bool:
    """Return whether nothing is in a run directory but what is written before a run begins."""
    try:
        return set(os.listdir(where)) <= {PARAMETERS_NAME, SCRIPT_NAME}
    except OSError:
        return False


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else machine.iso_time(seconds)
