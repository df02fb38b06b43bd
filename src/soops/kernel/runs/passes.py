"""One pass over a prepared study: driven, dry, or only planned. Used by ``soops.study``."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import RunnerError, SoopsError, UsageError
from soops.kernel.plugging.interfaces import Runner
from soops.kernel.records.lock import STATE_DIR
from soops.kernel.runs.jobs import LAUNCH
from soops.kernel.runs.options import RunOptions
from soops.kernel.runs.prepare import Prepared
from soops.kernel.runs.runner_options import make_runner
from soops.kernel.runs.sources import waits
from soops.kernel.values import Decision, PlannedRun, RunRecord, Summary

__all__ = ["dry_pass", "one_pass", "planned"]

log = logging.getLogger("soops")


def planned(prepared: Prepared) -> Generator[PlannedRun, None, None]:
    """Generate the planned runs of a study; nothing is written."""
    from soops.kernel.runs.ledger import known_runs
    from soops.kernel.runs.plan import plan_runs

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
    options = prepared.options
    if options.detach and hasattr(prepared.sets, "waits"):
        raise UsageError(
            "sets that depend on what came out need a driver that stays",
            hint="leave out detach",
        )
    say = _say(options)
    # A runner that cannot be made says so before the ledger writes anything.
    made = make_runner(
        app,
        options,
        prepared.run.root,
        say,
        needs=prepared.amounts.names,
        furnished=prepared.info.furnish is not None,
        adaptive=hasattr(prepared.sets, "tell"),
    )
    with closing(made) as runner:
        _announce(app, prepared, runner)
        # Only now: what the runner starts comes up while this process is still importing.
        from soops.kernel.runs.driven import driven_pass

        return driven_pass(app, prepared, runner, on_record, say)


def _announce(app: App, prepared: Prepared, runner: Runner) -> None:
    """Tell the runner of the jobs to come, where no run of old can make them needless.

    Raises
    ------
    RunnerError
        When it breaks.
    """
    expect: Any = getattr(runner, "expect", None)
    launch = app.registry("run function").get(prepared.options.run_function).launch
    if expect is None or launch is None or os.path.lexists(prepared.run.root / STATE_DIR):
        return
    if prepared.sets is not None:
        return
    try:
        expect(launch or LAUNCH, len(prepared.space))
    except SoopsError:
        raise
    except Exception as exc:  # a stranger's code
        raise RunnerError(
            f"the runner {prepared.options.runner!r} broke: {type(exc).__name__}: {exc}",
            hint="nothing was run or written",
        ) from exc


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
