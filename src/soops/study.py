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
    from soops.kernel.runs.outline import Outline as Outline
    from soops.kernel.runs.prepare import Prepared
    from soops.kernel.runs.sources import Sets as Sets

__all__ = [
    "check_index",
    "create_app",
    "find",
    "jobs",
    "load_module",
    "migrate",
    "outline",
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
    from soops.kernel.runs.passes import dry_pass, one_pass

    app = app or create_app()
    prepared = _prepare(app, study, module, options, sets)
    if prepared.options.dry_run:
        return dry_pass(prepared)
    return one_pass(app, prepared, on_record)


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
    from soops.kernel.runs.passes import planned

    return planned(_prepare(app or create_app(), study, module, options, sets))


def outline(
    study: PathLike,
    module: PathLike | UserModule | None = None,
    *,
    app: App | None = None,
    ends: int = 0,
    **options: Any,
) -> Outline:
    """Say what a study comes to: its sets, what is to be run, how long it may take.

    Parameters are those of :func:`run`; ``ends`` planned runs of the beginning and of the
    end are kept. Nothing is written.
    """
    from soops.kernel.runs import outline as room

    return room.outline(_prepare(app or create_app(), study, module, options), ends=ends)


def _prepare(
    app: App,
    study: PathLike,
    module: PathLike | UserModule | None,
    options: Mapping[str, Any],
    sets: Sets | None = None,
) -> Prepared:
    from soops.kernel.runs.prepare import prepare

    prepared = prepare(app, study, module, RunOptions.create(options), sets)
    for warning in prepared.warnings:
        log.warning("%s", warning)
    return prepared


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
    usual = user.results.get("directories", ())
    if not directories and not usual:
        raise UsageError("no directory is given", hint="soops-scoop MODULE DIRECTORY...")
    if plugin_module is not None and not isinstance(plugin_module, UserModule):
        plugin_module = load_module(plugin_module, app)
    result = gather(
        app,
        user,
        [os.fspath(item) for item in directories or usual],
        ScoopOptions.create(user.results, options, alone=bool(usual) and not directories),
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
