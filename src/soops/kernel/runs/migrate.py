"""Add, rename and drop parameters of all runs of a root, without computing anything again.

The name of a run directory is the md5 of its parameters. So a parameter more in a script
gives every run another name, and all of them would be computed again. A migration gives the
directories the names, and the files in them the parameters, that the changed script would
give. All of it is planned and logged before anything changes (``records.migrations``); every
step can be repeated, so what was cut off can be completed or taken back. Used by
``soops.study``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from soops.kernel.errors import StudyError, UsageError, unknown_name
from soops.kernel.records.directories import DirectoryReader
from soops.kernel.records.lock import STATE_DIR, Lock
from soops.kernel.records.migrations import (
    DONE,
    PENDING,
    UNDOING,
    Log,
    LogWriter,
    Step,
    newest_log,
    require_settled,
)
from soops.kernel.records.roots import StudyFile, read_study_file, require_root
from soops.kernel.records.rundir import RunTemplate
from soops.kernel.runs.carry_out import carry_out, study_step, trouble_with
from soops.kernel.runs.changes import Changes, CollisionError
from soops.kernel.runs.recorded import UnreadableError
from soops.kernel.runs.rekey import Rekeyer
from soops.kernel.runs.survivors import require_none
from soops.kernel.values.frozen import dataclass

__all__ = ["Changes", "Migration", "Move", "migrate", "undo"]

CHANGE, SAME, CONFLICT, UNREADABLE = "change", "same", "conflict", "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a migration means for one run directory.

    Attributes
    ----------
    directory, new_directory : str
        Before and after, relative to the runs root; equal when the name stays.
    pkey, new_pkey : str
        The key before and after.
    status : str
        ``change``; ``same``: nothing is to be done; ``conflict``: it cannot be done, so
        nothing is; ``unreadable``: it is left alone.
    reason : str
        Why, when it is not ``change``.
    """

    directory: str
    new_directory: str
    pkey: str
    new_pkey: str
    status: str = CHANGE
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What a migration changes, or has changed.

    Attributes
    ----------
    root : Path
        The runs root.
    moves : tuple of Move
        One for each run directory.
    applied : bool
        Whether it was carried out; otherwise nothing was written.
    resumed : bool
        Whether an earlier one was cut off, and this is the rest of it.
    """

    root: Path
    moves: tuple[Move, ...]
    applied: bool = False
    resumed: bool = False

    def of(self, status: str) -> list[Move]:
        """Return the moves of one status."""
        return [move for move in self.moves if move.status == status]

    @property
    def changed(self) -> list[Move]:
        """The directories that change."""
        return self.of(CHANGE)

    @property
    def conflicts(self) -> list[Move]:
        """The directories because of which nothing can be done."""
        return self.of(CONFLICT)

    @property
    def unreadable(self) -> list[Move]:
        """The directories that are left alone, because they cannot be read."""
        return self.of(UNREADABLE)


def migrate(root: Path, changes: Changes, *, apply: bool = False) -> Migration:
    """Change the parameters of all runs of a root, or say what would change.

    Parameters
    ----------
    root : Path
        The runs root.
    changes : Changes
        What is asked for; none at all goes on with a migration that was cut off.
    apply : bool
        Carry it out. Otherwise nothing is written.

    Raises
    ------
    StudyError
        When there are no runs, a key is unknown, or, with ``apply``, there is a conflict.
    LockedError
        With ``apply``, when a driver is at work.
    """
    where = require_root(root)
    if not apply:
        log = _cut_off(where, changes)
        return _survey(root, log, back=False) if log else _plan(where, changes, None)
    with Lock(root):
        require_none(where)
        log = _cut_off(where, changes)
        if log is not None:
            found = _require_clear(_survey(root, log, back=False))
        else:
            with LogWriter(where, changes.as_json()) as writer:
                found = _require_clear(_plan(where, changes, writer))
                if found.changed:
                    writer.add(study_step(where, changes))
                    log = writer.publish()
        if log is not None:
            carry_out(log, back=False)
    return Migration(root=root, moves=found.moves, applied=True, resumed=found.resumed)


def undo(root: Path, *, apply: bool = False) -> Migration:
    """Take the newest migration of a root back, or say what that would change.

    What the migration changed is then as it was, byte for byte; runs made since stay.

    Raises
    ------
    StudyError
        When there is none, or, with ``apply``, when something was changed since.
    LockedError
        With ``apply``, when a driver is at work.
    """
    where = require_root(root)
    with ExitStack() as stack:
        if apply and newest_log(where) is not None:
            stack.enter_context(Lock(root))
            require_none(where)
        log = newest_log(where)
        if log is None:
            raise StudyError(f"no migration of {where!r} can be taken back")
        found = _survey(root, log, back=True)
        if apply:
            _require_clear(found)
            carry_out(log, back=True)
    return Migration(root=root, moves=found.moves, applied=apply, resumed=found.resumed)


def _cut_off(root: str, changes: Changes) -> Log | None:
    """Return the log of a migration that was cut off and is the one asked for."""
    log = newest_log(root)
    if (
        log is not None
        and log.state == PENDING
        and (not changes or log.changes() == changes.as_json())
    ):
        return log
    require_settled(root)
    if not changes:
        raise UsageError("there is nothing to be changed", hint="give --add, --rename or --drop")
    return None


def _require_clear(found: Migration) -> Migration:
    if found.conflicts:
        first = found.conflicts[0]
        more = len(found.conflicts) - 1
        raise StudyError(
            f"nothing was changed, because of {first.directory!r}: {first.reason}"
            + (f" (and {more} more)" if more else ""),
            hint="without --apply everything that is in the way is shown",
        )
    return found


# --- what changes ------------------------------------------------------------------------


def _plan(root: str, changes: Changes, writer: LogWriter | None) -> Migration:
    """Read all run directories and work out what changes; steps are given to ``writer``."""
    study = read_study_file(root)
    reader = DirectoryReader(root, _template(study))
    rekeyer = Rekeyer(
        root,
        changes,
        study.key_order if study else None,
        study.unhashed if study else None,
    )
    moves = []
    for name in sorted(reader.names()):
        move = _move(root, name, reader, rekeyer, writer)
        if move is not None:
            moves.append(move)
    readable = sum(move.status in (CHANGE, SAME, CONFLICT) for move in moves)
    if not readable:
        raise StudyError(
            f"there are no runs in {root!r} whose parameters can be read",
            hint=f"{moves[0].directory}: {moves[0].reason}"
            if moves
            else "give the directory that holds the run directories",
        )
    if all(move.status != CONFLICT for move in moves):
        _require_known(changes, rekeyer.known, readable)
    return Migration(root=Path(root), moves=tuple(_with_conflicts(root, moves)))


def _template(study: StudyFile | None) -> RunTemplate | None:
    try:
        return RunTemplate(study.template) if study is not None else None
    except StudyError:
        return None


def _move(
    root: str, name: str, reader: DirectoryReader, rekeyer: Rekeyer, writer: LogWriter | None
) -> Move | None:
    """Return what becomes of a directory; None when it is not that of a run."""
    row, problem = reader.read(name)
    if row is None and problem is None:
        return None
    named = reader.parse(name)
    pkey = row["pkey"] if row is not None else named[1] if named is not None else ""
    same: dict[str, Any] = {
        "directory": name,
        "new_directory": name,
        "pkey": pkey,
        "new_pkey": pkey,
    }
    if row is None or problem is not None:
        return Move(**same, status=UNREADABLE, reason=problem or "")
    try:
        step = rekeyer.step(name, pkey)
    except UnreadableError as exc:
        return Move(**same, status=UNREADABLE, reason=str(exc))
    except CollisionError as exc:
        return Move(**same, status=CONFLICT, reason=str(exc))
    if not step.files and step.new == step.old:
        return Move(**same, status=SAME, reason="it is so already")
    if not os.access(f"{root}/{name}", os.W_OK | os.X_OK):
        return Move(**same, status=CONFLICT, reason="it is write-protected")
    if writer is not None:
        writer.add(step)
    return _of_step(step)


def _of_step(step: Step, status: str = CHANGE, reason: str = "") -> Move:
    return Move(
        directory=step.old,
        new_directory=step.new,
        pkey=step.old_pkey,
        new_pkey=step.new_pkey,
        status=status,
        reason=reason,
    )


def _require_known(changes: Changes, known: dict[str, int], readable: int) -> None:
    """Raise when a key that is dropped or renamed is nowhere, or an added one everywhere."""
    names = set(known)
    for key in changes.drop:
        if key not in names:
            raise unknown_name("parameter", key, names)
    names -= set(changes.drop)
    for old, new in changes.rename:
        if old not in names:
            raise unknown_name("parameter", old, names)
        names = names - {old} | {new}
    for key in changes.add:
        everywhere = known.get(key, 0) == readable and key in names
        if everywhere or key in {new for _, new in changes.rename}:
            raise StudyError(
                f"all runs have a parameter {key!r} already",
                hint=f"to give them another value: --drop={key} together with --add",
            )


def _with_conflicts(root: str, moves: list[Move]) -> Iterator[Move]:
    """Yield the moves; those become conflicts that would make two runs one."""
    owners: dict[str, Move] = {}
    for move in moves:
        if move.status != CHANGE:
            owners.setdefault(move.new_pkey, move)
    for move in moves:
        if move.status != CHANGE:
            yield move
            continue
        owner = owners.setdefault(move.new_pkey, move)
        reason = ""
        if owner.pkey != move.pkey:
            reason = f"it would have the same parameters as {owner.directory!r}"
        elif move.new_directory != move.directory and os.path.lexists(
            f"{root}/{move.new_directory.partition('/')[0]}"
        ):
            reason = f"{move.new_directory!r} is there already"
        yield (
            move
            if not reason
            else Move(
                directory=move.directory,
                new_directory=move.new_directory,
                pkey=move.pkey,
                new_pkey=move.new_pkey,
                status=CONFLICT,
                reason=reason,
            )
        )


# --- what a log says ---------------------------------------------------------------------


def _survey(root: Path, log: Log, *, back: bool) -> Migration:
    """Return what carrying out a log, or taking it back, has still to change."""
    moves = []
    for step in log.steps():
        if step.old == STATE_DIR:
            continue
        step = step.reversed() if back else step
        is_done, reason = trouble_with(log.root, step)
        if reason:
            moves.append(_of_step(step, CONFLICT, reason))
        elif is_done:
            moves.append(_of_step(step, SAME, is_done))
        else:
            moves.append(_of_step(step))
    resumed = log.state == UNDOING or (log.state != DONE and not back)
    return Migration(root=root, moves=tuple(moves), resumed=resumed)
