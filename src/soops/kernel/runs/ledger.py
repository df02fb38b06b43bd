"""What is written about a pass, and in which order. The driver is the only writer.

Before a run is submitted: a line of the journal, then its directory with parameters and
script, an earlier record set aside. When it ended: its record in its directory, then the
row of the index, then the line of the journal. So whatever moment the driver is killed at, a
record is whole or absent, and what was under way is known. Used by ``soops.study``.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.records import machine
from soops.kernel.records.attempts import drop_tokens
from soops.kernel.records.directories import DirectoryReader
from soops.kernel.records.disk import DiskError
from soops.kernel.records.index import Index, IndexRow, record_row
from soops.kernel.records.journal import Entry, Journal, read_under_way
from soops.kernel.records.lock import Lock
from soops.kernel.records.migrations import require_settled
from soops.kernel.records.record import read_record, set_aside, take_back, write_record
from soops.kernel.records.roots import StudyFile, register_root, write_study_file
from soops.kernel.records.rundir import (
    PARAMETERS_NAME,
    RunDirWriter,
    mark_finished,
    read_parameters_csv,
    remove_unbegun,
    write_parameters_csv,
)
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.plan import FINISHED, KnownRuns
from soops.kernel.runs.prepare import Prepared
from soops.kernel.runs.provenance import provenance
from soops.kernel.runs.recovery import Held, record_of_attempt, recover
from soops.kernel.runs.survivors import require_no_queue
from soops.kernel.values import Job, Outcome, PlannedRun, RunRecord, State, Update

__all__ = ["Ledger", "known_runs"]

log = logging.getLogger("soops")

#: Seconds and rows after which ended runs are committed to the index.
COMMIT_EVERY, COMMIT_ROWS = 0.5, 500
#: Problems shown at the start of a pass.
SHOWN = 3


class Ledger:
    """The books of one pass; a context manager that holds the lock of the runs root.

    Parameters
    ----------
    prepared : Prepared
        The study.
    options : RunOptions
        ``durable`` and ``break_lock``.
    total : int, optional
        Planned sets, for who looks at the study from outside.
    held : callable, optional
        Says which attempts of an earlier driver the runner answers for (``Runner``).

    Attributes
    ----------
    known : KnownRuns
        What the plan asks about runs of old.
    survivors : Survivors
        The runs that an earlier driver began, and that go on.
    """

    def __init__(
        self,
        prepared: Prepared,
        options: RunOptions,
        total: int | None,
        held: Held | None = None,
    ) -> None:
        self._held = held
        self.prepared = prepared
        self.options = options
        self.total = total
        self.root = prepared.run.root
        self._stack = ExitStack()
        self._rows: list[IndexRow] = []
        self._unmarked: set[int] = set()
        self._doubtful: set[str] = set()
        self._indexed: list[str] = []
        self._last_commit = time.monotonic()
        self._provenance: dict[str, Any] = {}
        #: What was put into the directories of runs under way, for one that never begins.
        self._furnished: dict[str, Sequence[str]] = {}

    def __enter__(self) -> Ledger:
        _require_writable(self.prepared.run.output_dir)
        with ExitStack() as stack:
            stack.enter_context(Lock(self.root, break_lock=self.options.break_lock))
            require_settled(self.root)
            require_no_queue(self.root, self.prepared.run.runner)
            self.journal = stack.enter_context(Journal(self.root, durable=self.options.durable))
            self.index = stack.enter_context(Index(self.root, write=True))
            self._recover()
            self._announce()
            info = self.prepared.info
            cwd = None if info.at_home else os.path.abspath(info.cwd or ".")
            self.writer = RunDirWriter(cwd, info.env, isinstance(info.command, str))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._stack:
            self.flush()
            ended = dataclasses.replace(self._study, ended=machine.iso_time())
            write_study_file(self.root, ended)

    @property
    def known(self) -> KnownRuns:
        """What the plan asks about runs of old."""
        return self.index

    def _announce(self) -> None:
        """Write what readers of the root need, and remember the root for its user."""
        run = self.prepared.run
        self._study = StudyFile(
            name=run.study.name,
            template=run.template,
            output_key=self.prepared.info.output_key,
            key_order=run.key_order,
            unhashed=tuple(self.prepared.info.unhashed),
            total=self.total,
            started=machine.iso_time(),
            pid=os.getpid(),
            host=machine.host_name(),
            cwd=os.getcwd(),
            output_dir=os.path.abspath(run.output_dir),
            argv=run.argv,
            runner=run.runner,
            keeps_jobs=self._held is not None,
        )
        write_study_file(self.root, self._study)
        register_root(self.root)

    def _recover(self) -> None:
        """Bring the index up to date, and settle what a killed driver had under way."""
        recovered = recover(
            self.prepared, self.journal, self.index, self.options.durable, self._held
        )
        self.survivors = recovered.survivors
        self._has_tokens = self.options.survive or len(self.survivors) > 0
        self._doubtful = recovered.doubtful
        self._unmarked = self.index.unmarked()
        self._reader = DirectoryReader(
            self.root, self.prepared.template, self.prepared.info.unhashed
        )

    # --- before a run

    def prepare(self, planned: PlannedRun, job: Job) -> None:
        """Make the directory of a run ready for an attempt; keep what earlier ones left."""
        self._make(planned, job)
        furnish = self.prepared.info.furnish
        if furnish is not None:
            try:
                self._furnished[job.key] = furnish(job.directory, planned.values)
            except OSError as exc:
                raise DiskError(exc.filename or job.directory, exc) from exc

    def _make(self, planned: PlannedRun, job: Job) -> None:
        if not self._provenance:
            self._provenance = provenance()
        if planned.known or job.attempt > 1:
            set_aside(job.directory, job.attempt - 1)
        self.writer.prepare(
            job.directory,
            pkey=planned.parameters.pkey,
            number=planned.number,
            values=planned.values,
            command=planned.command,
        )

    def submitted(self, pairs: Sequence[tuple[PlannedRun, Job]]) -> None:
        """Write to the journal that these are about to be handed over."""
        now = machine.iso_time()
        self.journal.submitted(
            [
                Entry(
                    directory=job.key,
                    attempt=job.attempt,
                    number=planned.number,
                    pkey=planned.parameters.pkey,
                    time=now,
                )
                for planned, job in pairs
            ]
        )

    def running(self, job: Job, update: Update) -> None:
        """Note where a run is."""
        self.journal.running(job.key, token=update.token, pid=update.pid, host=update.host)

    def withdrawn(self, planned: PlannedRun, job: Job) -> None:
        """Note that a run that was handed over never began; all is as it was before."""
        if planned.known or job.attempt > 1:
            take_back(job.directory, job.attempt - 1)
            record = self.record_of(planned)
            if record is not None and record.state is State.DONE:
                mark_finished(job.directory, True)
        else:
            remove_unbegun(job.directory, self._furnished.pop(job.key, ()))
        self.journal.ended([job.key])

    def skip(self, planned: PlannedRun) -> None:
        """Note that a set needs no run; the check may have found an old run finished.

        Then its ``soops-parameters.csv`` says so from now on; a damaged one is made anew.
        """
        directory, key = planned.directory, planned.parameters.pkey
        unsaid = planned.number in self._unmarked or (
            bool(self._doubtful) and self._below_root(directory) in self._doubtful
        )
        if planned.reason != FINISHED or not unsaid:
            return
        self._unmarked.discard(planned.number)
        if _says(directory, key):
            mark_finished(directory, True)
        else:
            write_parameters_csv(directory, key, True, planned.number, planned.values)
        row, _ = self._reader.read(self._below_root(directory))
        if row is not None:
            self._rows.append(row)

    def _below_root(self, directory: str) -> str:
        return os.path.relpath(os.path.abspath(directory), self.root)

    @staticmethod
    def record_of(planned: PlannedRun) -> RunRecord | None:
        """Return the record of a run that is skipped; None when there is none to be read."""
        try:
            return read_record(planned.directory)
        except StudyError:
            return None

    # --- after a run

    def ended(self, planned: PlannedRun, job: Job, outcome: Outcome) -> RunRecord:
        """Write the record of an attempt that ended, and return it."""
        record = self._record(planned, job, outcome)
        if not os.path.isdir(job.directory):
            record = dataclasses.replace(
                record,
                state=State.FAILED if record.state is State.DONE else record.state,
                cause="directory",
                message="its directory was removed while it ran",
            )
            self._make(planned, job)
        self._furnished.pop(job.key, None)
        write_record(job.directory, record, self.options.durable)
        if self._has_tokens and record.state is not State.LOST:
            drop_tokens(job.directory, job.attempt)
        if record.state is State.DONE:
            mark_finished(job.directory, True)
        self._rows.append(record_row(record, output_dir=planned.directory))
        return record

    def tick(self) -> None:
        """Commit what ended when it is time."""
        waited = time.monotonic() - self._last_commit
        if self._rows and (len(self._rows) >= COMMIT_ROWS or waited >= COMMIT_EVERY):
            self.flush()
        elif waited >= COMMIT_EVERY:
            self._last_commit = time.monotonic()
            self.journal.flush()  # where runs are, for those who look

    def flush(self) -> None:
        """Commit what ended to the index, then to the journal."""
        self._last_commit = time.monotonic()
        if self._rows:
            self.index.upsert(self._rows)
            self._indexed += [row["directory"] for row in self._rows]
            self._rows.clear()
        if self.index.commit():  # else a reader is in the way: next time
            self.journal.ended(self._indexed)
            self._indexed.clear()
        self.journal.flush()

    def _record(self, planned: PlannedRun, job: Job, outcome: Outcome) -> RunRecord:
        return record_of_attempt(
            self.prepared,
            outcome,
            identity=planned.parameters.identity,
            pkey=planned.parameters.pkey,
            number=planned.number,
            directory=job.key,
            parameters=planned.parameters.values,
            command=planned.command,
            attempts=job.attempt,
            output_key=self.prepared.info.output_key,
            provenance=self._provenance,
        )


@contextmanager
def known_runs(prepared: Prepared) -> Iterator[KnownRuns]:
    """Give what the plan asks about runs of old, for who writes nothing: a dry run."""
    with Index(prepared.run.root, write=False) as index:
        if os.path.isdir(prepared.run.root):
            under_way = read_under_way(prepared.run.root)
            index.sync(prepared.template, under_way, prepared.info.unhashed)
        yield index


def _require_writable(directory: Path) -> None:
    """Make the directory for the files of the study as a whole, before anything else."""
    try:
        os.makedirs(directory, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as exc:
        raise DiskError(str(directory), exc) from exc


def _says(directory: str, key: str) -> bool:
    """Return whether the parameters file of a directory is whole, and that of this run."""
    try:
        return read_parameters_csv(f"{directory}/{PARAMETERS_NAME}").pkey == key
    except StudyError:
        return False
