"""Carry out a migration that is logged, or take it back: files first, then the name.

Every step can be repeated. A directory that has its new name has its new files, so one that
was cut off is either at its old name, with some files old and some new, or done. Only
``migrate`` uses it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import replace

from soops.kernel.errors import StudyError
from soops.kernel.records.disk import (
    CLOEXEC,
    NOFOLLOW,
    NONBLOCK,
    DamagedFileError,
    DiskError,
    create_file,
    read_file,
    write_all,
)
from soops.kernel.records.index import Index
from soops.kernel.records.index_file import mark_used
from soops.kernel.records.journal import Entry, Journal
from soops.kernel.records.lock import STATE_DIR
from soops.kernel.records.migrations import DONE, UNDOING, Log, Step
from soops.kernel.records.roots import STUDY_NAME, read_study_file
from soops.kernel.runs.changes import Changes
from soops.kernel.runs.orphans import end_marked
from soops.kernel.runs.rekey import TEMPORARY

__all__ = ["carry_out", "study_step", "trouble_with"]

#: Where a ``soops-parameters.csv`` says whether its run is finished: a driver may change that.
_FLAG = re.compile(rb"^([0-9a-f]{32}),(True|False),", re.MULTILINE)


def carry_out(log: Log, *, back: bool) -> None:
    """Do all the steps of a log that are not done, or take them back; the lock is held.

    Raises
    ------
    StudyError
        When a directory is in the way, a file was changed meanwhile, or the disk fails: then
        the log stays, and the rest can be done later.
    """
    root = log.root
    with Journal(root) as journal:
        under_way = {entry.directory: entry for entry in journal.under_way()}
        for name in under_way:
            end_marked(os.path.abspath(f"{root}/{name}"))
        if back:
            log = log.settle(UNDOING) or log
        mark_used(root)  # from here on the index is not to be believed
        moved = []
        for step in log.steps():
            step = step.reversed() if back else step
            _do(root, step)
            if step.old in under_way and step.old != step.new:
                moved.append((under_way[step.old], step))
        _move_under_way(journal, moved)
        if hasattr(os, "sync"):  # all at once: the log counts as done only when all is safe
            os.sync()
        study = read_study_file(root)
        with Index(root, write=True) as index:
            index.rebuild(None, journal.under_way(), study.unhashed if study else ())
    log.settle(None if back else DONE)


def _move_under_way(journal: Journal, moved: list[tuple[Entry, Step]]) -> None:
    """Let the journal call runs that a killed driver had under way by their new names."""
    journal.submitted(
        [replace(entry, directory=step.new, pkey=step.new_pkey) for entry, step in moved]
    )
    for entry, step in moved:
        if entry.token is not None:
            journal.running(step.new, token=entry.token, pid=entry.pid, host=entry.host)
    journal.ended([entry.directory for entry, _ in moved])
    journal.flush()


def study_step(root: str, changes: Changes) -> Step:
    """Return the step that changes the keys in ``study.json``, for who reads the study."""
    step = Step(old=STATE_DIR, new=STATE_DIR)
    if read_study_file(root) is None:
        return step
    before = read_file(f"{root}/{STATE_DIR}/{STUDY_NAME}")
    study = json.loads(before)
    study["key_order"] = sorted({*changes.renamed(study["key_order"]), *changes.add})
    study["unhashed"] = changes.renamed(study.get("unhashed", ()))
    after = json.dumps(study, indent=1).encode("ascii") + b"\n"
    return replace(step, files={STUDY_NAME: (before, after)})


# --- one step ----------------------------------------------------------------------------


def trouble_with(root: str, step: Step) -> tuple[str, str]:
    """Return in which way a step is done already, and why it cannot be done, as texts."""
    old, new = _entries(root, step)
    if old != new and os.path.lexists(old) and os.path.lexists(new):
        return "", f"{step.new!r} is there as well"
    at_old = os.path.lexists(old)
    if not at_old and not os.path.lexists(new):
        return "it is gone", ""
    where = f"{root}/{step.old if at_old else step.new}"
    is_done = old == new or not at_old
    for name, (before, after) in step.files.items():
        try:
            current = read_file(f"{where}/{name}")
            wanted = _wanted(current, before, after)
        except FileNotFoundError:
            continue
        except (OSError, DamagedFileError) as exc:
            return "", f"{name} cannot be read: {exc}"
        if wanted is None:
            return "", f"its {name} was changed since"
        is_done = is_done and wanted == current
    return ("it is so already" if is_done else ""), ""


def _do(root: str, step: Step) -> None:
    old, new = _entries(root, step)
    at_old = os.path.lexists(old)
    if old != new and at_old and os.path.lexists(new):
        raise StudyError(
            f"both {step.old!r} and {step.new!r} are there", hint="move one of them away"
        )
    where = f"{root}/{step.old if at_old else step.new}"
    path = old
    try:
        for name, (before, after) in step.files.items():
            path = f"{where}/{name}"
            _put(path, before, after, may_differ=step.old == STATE_DIR)
        if at_old and old != new:
            path = old
            os.rename(old, new)
    except OSError as exc:
        raise DiskError(path, exc, "changed") from exc


def _entries(root: str, step: Step) -> tuple[str, str]:
    """Return the entries of the root that a step is about, before and after."""
    return f"{root}/{step.old.partition('/')[0]}", f"{root}/{step.new.partition('/')[0]}"


def _put(path: str, before: bytes, after: bytes, *, may_differ: bool) -> None:
    """Put a file in the place of the one that the plan has seen; one that is gone stays so."""
    new = f"{path}{TEMPORARY}"
    if os.path.lexists(new):  # of a migration that was killed
        os.unlink(new)
    try:
        current = read_file(path)
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    wanted = _wanted(current, before, after)
    if wanted is None and not may_differ:
        raise StudyError(
            f"{path!r} was changed while it was to be migrated", hint="look at it, and restore it"
        )
    if wanted is None or wanted == current:
        return
    if status.st_nlink == 1 and os.access(path, os.W_OK):
        # The log has what is lost when this is cut off. Putting a file in the place of another
        # waits for the disk: minutes for 10000 runs.
        _overwrite(path, wanted, len(current))
        return
    mode = stat.S_IMODE(status.st_mode)
    create_file(new, wanted, mode)
    if stat.S_IMODE(os.stat(new).st_mode) != mode:  # the mask of this user is another
        os.chmod(new, mode)
    os.replace(new, path)


def _overwrite(path: str, data: bytes, size: int) -> None:
    fd = os.open(path, os.O_WRONLY | CLOEXEC | NOFOLLOW | NONBLOCK)
    try:
        write_all(fd, data)
        if len(data) < size:
            os.ftruncate(fd, len(data))
    finally:
        os.close(fd)


def _wanted(current: bytes, before: bytes, after: bytes) -> bytes | None:
    """Return what a file is to hold; None when it is neither as before nor as after.

    A file that is cut, or begins as one and goes on as the other, was being written when the
    migration was killed, or the power went. A run that turned out to be
    finished, or to be run again, since the plan was made stays that.
    """
    if current == after or before.startswith(current) or after.startswith(current):
        return after
    if _is_between(current, before, after) or _is_between(current, after, before):
        return after
    flag = _FLAG.search(current)
    if flag is None or _FLAG.search(after) is None:
        return None
    for other in (before, after):
        if _with_flag(other, flag[2]) == current:
            return _with_flag(after, flag[2])
    return None


def _is_between(current: bytes, before: bytes, after: bytes) -> bool:
    """Return whether ``after`` was being written over ``before``."""
    pairs = enumerate(zip(current, after, strict=False))
    shorter = min(len(current), len(after))
    same = next((place for place, (one, other) in pairs if one != other), shorter)
    return same > 0 and current[same:] == before[same:]


def _with_flag(data: bytes, flag: bytes) -> bytes:
    return _FLAG.sub(lambda match: match[1] + b"," + flag + b",", data, count=1)
