"""One pass over a prepared study: driven, dry, or only planned. Used by ``soops.study``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing

from soops.kernel.app import App
from soops.kernel.errors import SoopsError, UsageError
from soops.kernel.runs.ledger import Ledger, known_runs
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.plan import count_sets, plan_runs
from soops.kernel.runs.prepare import Prepared
from soops.kernel.runs.sources import waits
from soops.kernel.values import Decision, PlannedRun, RunRecord, Summary

__all__ = ["dry_pass", "one_pass", "planned"]

log = logging.getLogger("soops")


def planned(prepared: Prepared) -> Generator[PlannedRun, None, None]:
    """Generate the planned runs of a study; nothing is written."""
    with known_runs(prepared) as known:
        runs = plan_runs(prepared, known, prepared.options)
        while not waits(prepared.sets) and (run := next(runs, None)) is not None:
            yield run


def dry_pass(prepared: Prepared) -> Summary:
    """Go through the plan of a study and return what would be done; nothing is written."""
    total = skipped = 0
    for run in planned(prepared):
        total += 1
        skipped += run.decision is Decision.SKIP
    return Summary(
        total=total,
        skipped=skipped,
        counts={},
        elapsed=0.0,
        root=prepared.run.root,
        remaining=total - skipped,
    )


def one_pass(
    app: App, prepared: Prepared, on_record: Callable[[RunRecord], None] | None = None
) -> Summary:
    """Drive a study to its end, or as far as it goes.

    Parameters
    ----------
    app : App
        The plugins.
    prepared : Prepared
        The study, with the options of the pass.
    on_record : callable, optional
        Called with the record of each run that ended.
    """
    # A dry run needs no driver.
    from soops.kernel.runs.drive import Drive
    from soops.kernel.runs.jobs import JobMaker
    from soops.kernel.runs.runner_options import make_runner

    options = prepared.options
    if options.detach and hasattr(prepared.sets, "waits"):
        raise UsageError(
            "sets that depend on what came out need a driver that stays",
            hint="leave out detach",
        )
    study = prepared.run
    say = _say(options)
    total = count_sets(prepared)
    jobs = JobMaker(
        prepared.info,
        options,
        app.resolve("run function", options.run_function),
        str(study.root),
        prepared.amounts,
    )
    # A runner that cannot be made says so before the ledger writes anything.
    made = make_runner(
        app,
        options,
        study.root,
        say,
        needs=prepared.amounts.names,
        furnished=prepared.info.furnish is not None,
        adaptive=hasattr(prepared.sets, "tell"),
    )
    with (
        closing(made) as runner,
        Ledger(prepared, options, total, getattr(runner, "held", None)) as ledger,
    ):
        app.emit("soops_study_started", study=study, total=total)
        drive = Drive(
            app=app,
            study=study,
            options=options,
            runner=runner,
            ledger=ledger,
            jobs=jobs,
            accept_exit=prepared.info.accept_exit,
            survivors=ledger.survivors,
            sets=prepared.sets,
            on_record=on_record,
            say=say,
        )
        try:
            summary = drive.run(plan_runs(prepared, ledger.known, options, whole=False))
        except SoopsError:
            runner.close()
            if drive.error is not None:  # the runner is whole, so what ended is known
                app.emit("soops_study_ended", study=study, summary=drive.summary())
            raise
        finally:
            runner.close()  # nothing runs any more when the lock is given back
        app.emit("soops_study_ended", study=study, summary=summary)
    return summary


def _say(options: RunOptions) -> Callable[[str], None]:
    """Return what shows a line to the person who watches: the log of soops."""
    if options.silent or not options.progress:
        return lambda text: log.info("%s", text)

    def say(text: str) -> None:
        import sys

        live = "\r\x1b[K" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{live}{text}\n")
        sys.stderr.flush()

    return say
