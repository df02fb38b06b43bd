"""A pass that runs what is planned: its runner, its ledger and its driver put together.

Used by ``passes``, which imports it late: it needs nearly all of this package.
"""

from __future__ import annotations

from collections.abc import Callable

from soops.kernel.app import App
from soops.kernel.errors import SoopsError
from soops.kernel.plugging.interfaces import Runner
from soops.kernel.runs.drive import Drive
from soops.kernel.runs.jobs import JobMaker
from soops.kernel.runs.ledger import Ledger
from soops.kernel.runs.plan import count_sets, plan_runs
from soops.kernel.runs.prepare import Prepared
from soops.kernel.values import RunRecord, Summary

__all__ = ["driven_pass"]


def driven_pass(
    app: App,
    prepared: Prepared,
    runner: Runner,
    on_record: Callable[[RunRecord], None] | None,
    say: Callable[[str], None],
) -> Summary:
    """Drive a study with a runner, which is closed in the end.

    Raises
    ------
    SoopsError
        When the root cannot be written, or another driver has it: then nothing was run. Or
        what the driver raises, after the runs under way have ended.
    """
    options, study = prepared.options, prepared.run
    total = count_sets(prepared)
    jobs = JobMaker(
        prepared.info,
        options,
        app.resolve("run function", options.run_function),
        str(study.root),
        prepared.amounts,
    )
    with Ledger(prepared, options, total, getattr(runner, "held", None)) as ledger:
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
