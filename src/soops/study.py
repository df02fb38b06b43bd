"""The Python API: ``run``, ``plan``, ``scoop``, ``find`` - what notebooks and the commands call.

Every function takes the options of its command under the same names, returns a value,
and raises :class:`soops.api.SoopsError` for a user's mistake.

>>> import soops
>>> summary = soops.run("output_dir='out/%s', --num=[1, 2]", "script.py")  # doctest: +SKIP
>>> frame = soops.scoop("script.py", ["out"]).frame                        # doctest: +SKIP
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soops.kernel.app import App
from soops.kernel.errors import SoopsError, UsageError
from soops.kernel.runs.options import RunOptions
from soops.kernel.values import PlannedRun, RunRecord, Scooped, Summary, UserModule

if TYPE_CHECKING:
    from soops.kernel.records.found import FoundRun as FoundRun
    from soops.kernel.records.status import StudyStatus as StudyStatus
    from soops.kernel.runs.migrate import Migration as Migration
    from soops.kernel.runs.migrate import Move as Move
    from soops.kernel.runs.prepare import Prepared
    from soops.kernel.runs.sources import Sets as Sets

__all__ = [
    "check_index",
    "create_app",
    "find",
    "jobs",
    "load_module",
    "migrate",
    "plan",
    "rebuild_index",
    "run",
    "scoop",
    "to_frame",
    "undo_migration",
]

log = logging.getLogger("soops")

PathLike = str | os.PathLike[str]


def create_app(disabled: Iterable[str] = ()) -> App:
    """Return the installed plugins, but for those named and those in ``SOOPS_NO_PLUGINS``."""
    return App.create(disabled)


def load_module(path: PathLike, app: App | None = None) -> UserModule:
    """Return what a script, or a study file that describes its program, offers."""
    from soops.kernel.runs.prepare import load_module as load

    return load(app or create_app(), path)


def run(
    study: PathLike,
    module: PathLike | UserModule | None = None,
    *,
    app: App | None = None,
    sets: Sets | None = None,
    on_record: Callable[[RunRecord], None] | None = None,
    **options: Any,
) -> Summary:
    """Run a study: every parameter set that is not finished.

    Parameters
    ----------
    study : str or path
        A study file, or its text in the dict-like language.
    module : str or path, optional
        The script with ``get_run_info()``; not needed when the study describes its program.
    app : App, optional
        The plugins; default: those installed.
    sets : iterable of dict, optional
        Where the parameter sets come from, when not from the study, which then has one value
        for each parameter, and each dict those that differ. It is asked for the next set when
        there is room for its run. If it has ``tell(values, record)``, that is called when a
        run has ended or was found finished (record None: without one); while its ``waits()``
        holds, no set is asked for until it was told something, and when nothing is under way
        any more, the study ends.
    on_record : callable, optional
        Called with the :class:`RunRecord` of each run that ended.
    **options
        The fields of :class:`soops.kernel.runs.options.RunOptions`: ``n_workers=2``,
        ``contracts="a + b"``, ``timeout=60.0``, ``recompute=1``, ``runner="local"``, ...

    Returns
    -------
    Summary
        ``summary.ok`` says whether all is done.

    Raises
    ------
    SoopsError
        When the study, the module or an option is wrong: then nothing was written.
    """
    from soops.kernel.runs.prepare import prepare

    app = app or create_app()
    chosen = RunOptions.create(options)
    prepared = prepare(app, study, module, chosen, sets)
    for warning in prepared.warnings:
        log.warning("%s", warning)
    if chosen.dry_run:
        return _dry(app, prepared, prepared.options)
    return _drive(app, prepared, prepared.options, on_record)


def plan(
    study: PathLike,
    module: PathLike | UserModule | None = None,
    *,
    app: App | None = None,
    sets: Sets | None = None,
    **options: Any,
) -> Iterator[PlannedRun]:
    """Say of each parameter set where it lives and whether it would be run; write nothing.

    Parameters are those of :func:`run`. The study is checked before this returns; the
    runs are planned one after the other as the iterator is asked for them. ``sets`` are told
    nothing, and the plan ends where they wait to be told.
    """
    from soops.kernel.runs.prepare import prepare

    app = app or create_app()
    chosen = RunOptions.create(options)
    prepared = prepare(app, study, module, chosen, sets)
    for warning in prepared.warnings:
        log.warning("%s", warning)
    return _plan(prepared, prepared.options)


def _plan(prepared: Prepared, options: RunOptions) -> Iterator[PlannedRun]:
    from soops.kernel.runs.ledger import known_runs
    from soops.kernel.runs.plan import plan_runs
    from soops.kernel.runs.sources import waits

    with known_runs(prepared) as known:
        runs = plan_runs(prepared, known, options)
        while not waits(prepared.sets) and (planned := next(runs, None)) is not None:
            yield planned


def _dry(app: App, prepared: Prepared, options: RunOptions) -> Summary:
    from soops.kernel.values import Decision

    total = skipped = 0
    for planned in _plan(prepared, options):
        total += 1
        skipped += planned.decision is Decision.SKIP
    return Summary(
        total=total,
        skipped=skipped,
        counts={},
        elapsed=0.0,
        root=prepared.run.root,
        remaining=total - skipped,
    )


def _drive(
    app: App,
    prepared: Prepared,
    options: RunOptions,
    on_record: Callable[[RunRecord], None] | None,
) -> Summary:
    from soops.kernel.runs.drive import Drive
    from soops.kernel.runs.jobs import JobMaker
    from soops.kernel.runs.ledger import Ledger
    from soops.kernel.runs.plan import count_sets, plan_runs
    from soops.kernel.runs.runner_options import make_runner

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
    # A runner that refuses its options does so before the ledger writes anything.
    made = make_runner(
        app,
        options,
        study.root,
        say,
        needs=prepared.amounts.names,
        furnished=prepared.info.furnish is not None,
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


def scoop(
    module: PathLike | UserModule,
    directories: Sequence[PathLike] = (),
    *,
    app: App | None = None,
    say: Callable[[str], None] | None = None,
    plugin_module: PathLike | UserModule | None = None,
    **options: Any,
) -> Scooped:
    """Gather the files of run directories into one table, and run the steps over it.

    Parameters
    ----------
    module : str or path
        The script with ``get_scoop_info()``, or a TOML study.
    directories : sequence of str or path
        Run directories, directories that hold them, or patterns of these; of a study file
        by default its runs root.
    app : App, optional
        The plugins; default: those installed.
    say : callable, optional
        ``say(text)`` is told what goes on.
    plugin_module : str or path, optional
        Where the steps come from, when not from ``module``.
    **options
        The fields of :class:`soops.kernel.table.gather.ScoopOptions`.

    Returns
    -------
    Scooped
        ``scooped.frame`` is the pandas DataFrame.
    """
    from soops.kernel.table.gather import ScoopOptions, gather

    app = app or create_app()
    user = module if isinstance(module, UserModule) else load_module(module, app)
    defaults = dict(user.results)
    usual = defaults.pop("directories", ())
    if "results" in options or "output_dir" in options:
        defaults.pop("results", None)  # it is below the directory of the study
    if plugin_module is not None and not isinstance(plugin_module, UserModule):
        plugin_module = load_module(plugin_module, app)
    result = gather(
        app,
        user,
        [os.fspath(item) for item in directories or usual],
        ScoopOptions(**{**defaults, **options}),
        say or (lambda text: None),
        plugin_module,
    )
    return result.scooped


def find(
    roots: Sequence[PathLike],
    query: str | None = None,
    *,
    states: Iterable[str] = (),
    engine: str = "python",
) -> list[FoundRun]:
    """Return the runs below some directories for which a query holds.

    Parameters
    ----------
    roots : sequence of str or path
        Directories of studies, or patterns of these.
    query : str, optional
        A safe expression over parameters and record columns: ``"num > 10 and state == 'done'"``.
    states : iterable of str
        Keep only runs in one of these states.
    engine : str
        For queries that only pandas understands: ``"python"`` or ``"numexpr"``.
    """
    from soops.kernel.records.query import find_runs

    return find_runs([os.fspath(item) for item in roots], query, tuple(states), engine)


def to_frame(found: Sequence[FoundRun]) -> Any:
    """Return runs that :func:`find` gave as a pandas DataFrame, one row each."""
    from soops.kernel.records.found import to_frame as make

    return make(found)


def jobs(roots: Sequence[PathLike] = (), *, running: bool = False) -> list[StudyStatus]:
    """Return how studies stand: those of ``roots``, or all that drivers registered.

    Parameters
    ----------
    roots : sequence of str or path
        Directories in which the runs of studies are.
    running : bool
        Only those whose driver is at work, or whose runs are, as far as can be told.
    """
    from soops.kernel.records.query import is_at_work, status_of
    from soops.kernel.records.roots import known_roots

    found = []
    for root in roots or known_roots():
        if running and not is_at_work(root):
            continue
        try:
            status = status_of(root)
        except SoopsError as exc:
            if roots:
                raise
            log.debug("%s", exc)  # it was registered once; what became of it is no mistake
            continue
        if not running or status.state not in ("ended", "died"):
            found.append(status)
    return found


def rebuild_index(root: PathLike) -> list[str]:
    """Make the index of a runs root anew from its directories; return what was unreadable."""
    from soops.kernel.runs.upkeep import rebuild

    return rebuild(Path(root))


def check_index(root: PathLike) -> list[str]:
    """Return how the index of a runs root differs from its directories."""
    from soops.kernel.runs.upkeep import check

    return check(Path(root))


def migrate(
    root: PathLike,
    *,
    add: Mapping[str, Any] | Iterable[str] = (),
    rename: Mapping[str, str] | Iterable[str] = (),
    drop: Iterable[str] = (),
    apply: bool = False,
) -> Migration:
    """Drop, rename, then add parameters of all runs of a root; with ``apply`` only, else say how.

    ``add={"--tol": 1e-6}`` or ``add=["--tol=1e-6"]``, ``rename={"--a": "--b"}``,
    ``drop=["--c"]``. The directories get the names that the changed program would give them.
    ``conflicts`` of the result say what is in the way: then ``apply`` raises ``StudyError``.
    """
    from soops.kernel.runs.migrate import Changes
    from soops.kernel.runs.migrate import migrate as carry_out

    return carry_out(Path(root), Changes.create(add, rename, drop), apply=apply)


def undo_migration(root: PathLike, *, apply: bool = False) -> Migration:
    """Take the newest migration of a runs root back; without ``apply`` say what would change."""
    from soops.kernel.runs.migrate import undo

    return undo(Path(root), apply=apply)
