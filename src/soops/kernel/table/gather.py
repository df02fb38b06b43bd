"""The whole of a scoop, in order: directories, rows, table, stores, steps.

Imported by ``soops.study`` and the commands, inside functions: it brings pandas with it
as soon as there is a table. Stores, steps and scrapers are known by the registries only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import SoopsError, StudyError, UsageError
from soops.kernel.table.directories import find_run_directories
from soops.kernel.table.lookout import Lookout
from soops.kernel.table.options import ScoopOptions
from soops.kernel.table.rows import Rows, counted, scoop_rows
from soops.kernel.table.shape import check_shapes
from soops.kernel.table.units import of_steps, units_line, with_units
from soops.kernel.values import Scooped, ScoopInfo, StepCall, UserModule
from soops.kernel.values.frozen import dataclass

__all__ = ["GatherResult", "ScoopOptions", "gather", "store_for"]

log = logging.getLogger("soops")

Say = Callable[[str], None]
Progress = Callable[[int, int], None]

#: Failed items that are shown; the rest is counted.
MAX_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherResult:
    """What a scoop gave.

    Attributes
    ----------
    scooped : Scooped
        The table, as the steps left it.
    data : Struct or None
        What the steps handed on; None when none was run.
    n_failed : int
        Steps that raised.
    paths_written : tuple of Path
        The files, in the order of writing.
    failures : tuple
        ``(name, text)`` of the steps that raised.
    """

    scooped: Scooped
    data: Any
    n_failed: int
    paths_written: tuple[Path, ...]
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def n_errors(self) -> int:
        """Run directories in which an item could not be read."""
        return len(self.scooped.errors)


def gather(
    app: App,
    module: UserModule,
    directories: Sequence[str | Path],
    options: ScoopOptions,
    say: Say = print,
    plugin_module: UserModule | None = None,
    progress: Progress | None = None,
) -> GatherResult:
    """Scoop run directories into a table, store it, and run the steps.

    Parameters
    ----------
    app : App
        The plugins.
    module : UserModule
        Says what to read, and the steps unless ``plugin_module`` does.
    directories : sequence of str or Path
        Directories or glob patterns.
    options : ScoopOptions
        See there.
    say : callable
        Shows a line to the person who waits.
    plugin_module : UserModule, optional
        Gives the steps instead.
    progress : callable, optional
        ``progress(done, total)`` while directories are read.

    Raises
    ------
    StudyError
        When there is nothing to read or a table cannot be read or stored; nothing that
        was stored before is lost then.
    UsageError
        When options contradict each other.
    """
    if options.reuse and options.update:
        raise UsageError("--reuse and --update exclude each other")
    if module.scoop_info is None or not module.scoop_info.items:
        raise StudyError(
            f"no get_scoop_info() in {module.name}",
            hint="it returns a list of (file name, function) pairs",
        )
    # Whatever is mistyped is said before anything is read or written.
    check_shapes(module.scoop_info.items)
    _store_name(app, options.results_path)
    giver = plugin_module or module
    steps = _steps(app, giver, options) if options.call_plugins else None
    given = app, module.scoop_info, directories, options, say, progress
    if (options.update or options.reuse) and options.results_path.exists():
        scooped, is_new, store = _stored_table(*given)
    else:
        scooped, is_new, store = _new_table(*given)
    stored_units = scooped.units
    scooped = with_units(scooped, module.scoop_info, as_stored=options.reuse)
    is_new = is_new or (options.update and scooped.units != stored_units)
    scooped = _arrange(scooped, options)
    written: list[Path] = []
    if is_new or options.write:
        written += _write(app, scooped, store, options)
        scooped = replace(scooped, path=options.results_path)
    say(f"data keys:\n{scooped.frame.columns}")
    say(f"metadata keys:\n{scooped.meta.columns}")
    if scooped.units:
        say(units_line(scooped))
    if written:
        app.emit("soops_scoop_ended", scooped=scooped)
    if steps is None:
        return GatherResult(scooped=scooped, data=None, n_failed=0, paths_written=tuple(written))
    say(f"available plugins: {[step.name for step in giver.steps]}")
    result = _post(app, steps, scooped, options, say)
    scooped = of_steps(scooped)
    if options.write_after_plugins:
        _store(store, scooped, options.results_path)
        written.append(options.results_path)
    return GatherResult(
        scooped=replace(scooped, failed_steps=dict(result.failures)),
        data=result.data,
        n_failed=len(result.failures),
        paths_written=tuple(dict.fromkeys(written)),
        failures=result.failures,
    )


def store_for(app: App, path: Path) -> Any:
    """Return the store that the suffix of a path chooses.

    Raises
    ------
    StudyError
        When no store has the suffix.
    """
    return app.resolve("store", _store_name(app, path))


def _store_name(app: App, path: Path) -> str:
    registry = app.registry("store")
    for spec in registry:
        if path.suffix.lower() in spec.suffixes:
            return str(spec.name)
    known = sorted(suffix for spec in registry for suffix in spec.suffixes)
    raise StudyError(
        f"no store writes {path.suffix or 'files without a suffix'!r}: {str(path)!r}",
        hint=f"known suffixes: {', '.join(known)}" if known else "no store is installed",
    )


def _stored_table(
    app: App,
    info: ScoopInfo,
    directories: Sequence[str | Path],
    options: ScoopOptions,
    say: Say,
    progress: Progress | None,
) -> tuple[Scooped, bool, Any]:
    """Return the table, whether it differs from the stored one, and the store."""
    path, alone = options.results_path, options.debug or options.n_workers == 1
    with Lookout(directories, info, alone=alone) as lookout:
        # Only now: importing a store takes as long as looking at thousands of directories.
        store = store_for(app, path)
        stored = _load(store, path, info, say)
        if options.update:
            return *_updated(app, info, stored, lookout, options, say, progress), store
        _warn_if_stale(app, stored, lookout, info)
        return stored, False, store


def _new_table(
    app: App,
    info: ScoopInfo,
    directories: Sequence[str | Path],
    options: ScoopOptions,
    say: Say,
    progress: Progress | None,
) -> tuple[Scooped, bool, Any]:
    """Return the table of all directories, that it is new, and the store."""
    if options.reuse or options.update:
        say(f"no stored results in {options.results_path}: scooping")
    info = _with_digests(app, info)
    found = find_run_directories(directories, info)
    _refuse_nothing(found, directories, info)
    say(f"results directories: {len(found)}")
    with Rows(found, info, app, options.n_workers, debug=options.debug) as rows:
        # Only now: forks read directories while this process imports a store.
        store = store_for(app, options.results_path)
        from soops.kernel.table.frame import build

        scooped = build(counted(rows, progress))
    _show_errors(scooped, say)
    return replace(scooped, output_dir=options.output_dir), True, store


def _refuse_nothing(
    found: Sequence[str], directories: Sequence[str | Path], info: ScoopInfo
) -> None:
    if not found:
        places = ", ".join(str(directory) for directory in directories)
        raise StudyError(
            f"no run directory in {places}" if places else "no directory is given",
            hint=f"a run directory holds {info.items[0].pattern!r} or soops-parameters.csv",
        )


def _updated(
    app: App,
    info: ScoopInfo,
    stored: Scooped,
    lookout: Lookout,
    options: ScoopOptions,
    say: Say,
    progress: Progress | None,
) -> tuple[Scooped, bool]:
    """Return the stored table with what is new."""
    from soops.kernel.table.update import merge, plan_update

    info = _with_digests(app, info)
    seen = lookout.seen(info)
    found = seen.directories
    _refuse_nothing(found, lookout.directories, info)
    plan = plan_update(stored, found, info, seen.roots, seen.stamps)
    say(
        f"results directories: {len(found)} (new: {plan.n_new}, changed: {plan.n_changed}, "
        f"gone: {plan.n_gone})"
    )
    rows = scoop_rows(plan.todo, info, app, options.n_workers, progress, debug=options.debug)
    scooped = merge(stored, plan, rows, found)
    if not len(scooped.frame):
        raise StudyError("no row is left: the directories vanished while they were read")
    _show_errors(scooped, say)
    return replace(scooped, output_dir=options.output_dir), scooped is not stored


def _load(store: Any, path: Path, info: ScoopInfo, say: Say) -> Scooped:
    from soops.kernel.table.update import errors_of, parameter_keys_of

    scooped: Scooped = store.read(path)
    user_keys = getattr(store, "user_keys", None)
    if user_keys is not None:
        names = ", ".join(repr(name) for name in user_keys(path))
        say(f"user data:\n{{{names}}}" if names else "user data:\nset()")
    return replace(
        scooped,
        path=path,
        output_dir=path.parent,
        errors=errors_of(scooped),
        parameter_keys=scooped.parameter_keys or parameter_keys_of(scooped, info),
    )


def _arrange(scooped: Scooped, options: ScoopOptions) -> Scooped:
    from soops.kernel.table.frame import filter_rows, sort_rows

    if options.sort:
        scooped = sort_rows(scooped, options.sort)
    if options.filter:
        scooped = filter_rows(scooped, options.filter)
    return scooped


def _write(app: App, scooped: Scooped, store: Any, options: ScoopOptions) -> list[Path]:
    """Write the results and the text files beside them; return their paths."""
    results = options.results_path
    _store(store, scooped, results)
    written = [results]
    text = options.output_dir / "results.csv"
    if text.resolve() == results.resolve():
        return written
    try:
        text_store = store_for(app, text)
    except StudyError:  # the builtin is switched off
        return written
    if options.save_csv:
        _store(text_store, scooped, text)
        written.append(text)
    elif hasattr(text_store, "write_meta"):
        written.append(text_store.write_meta(scooped, text))
    return written


def _store(store: Any, scooped: Scooped, path: Path) -> None:
    if not len(scooped.frame):
        raise StudyError(f"the table has no rows; {str(path)!r} is left as it is")
    store.write(scooped, path)


def _steps(app: App, module: UserModule, options: ScoopOptions) -> tuple[StepCall, ...]:
    from soops.kernel.table.post import check_arguments, select_steps

    check_arguments(options.plugin_args)
    return select_steps(
        module.steps,
        use=options.use_plugins,
        omit=options.omit_plugins,
        registered=app.registry("step").names(),
    )


def _post(
    app: App, steps: Sequence[StepCall], scooped: Scooped, options: ScoopOptions, say: Say
) -> Any:
    from soops.kernel.table.post import init_plugin_data, run_steps

    data = init_plugin_data(
        scooped.frame,
        scooped.parameter_keys,
        str(options.output_dir),
        str(options.results_path),
    )
    say("run plugins:")
    result = run_steps(
        steps,
        scooped.frame,
        data,
        options.plugin_args,
        lambda name: app.resolve("step", name),
        say,
        debug=options.debug,
    )
    # An item of the data may be named "keys".
    keys = dict.keys(result.data) if isinstance(result.data, dict) else result.data.keys()
    say(f"plugin data keys:\n{keys}")
    return result


def _with_digests(app: App, info: ScoopInfo) -> ScoopInfo:
    from soops.kernel.table.digests import with_digests

    return with_digests(info, lambda name: app.resolve("scraper", name))


def _warn_if_stale(app: App, stored: Scooped, lookout: Lookout, info: ScoopInfo) -> None:
    from soops.kernel.table.update import plan_update

    if "stamp" not in stored.meta.columns:
        return  # of soops 2026.2: what it was made from is not known
    try:
        info = _with_digests(app, info)
        seen = lookout.seen(info)
    except SoopsError as exc:
        log.warning("%s; the stored table is used all the same", exc.message)
        return
    plan = plan_update(stored, seen.directories, info, seen.roots, seen.stamps)
    if plan.todo or plan.n_gone:
        log.warning(
            "the stored table is not up to date (new directories: %d, changed: %d, gone: %d); "
            "--update reads them",
            plan.n_new,
            plan.n_changed,
            plan.n_gone,
        )


def _show_errors(scooped: Scooped, say: Say) -> None:
    count = sum(len(errors) for errors in scooped.errors.values())
    if not count:
        return
    say(f"failed: {count} items in {len(scooped.errors)} of {len(scooped.frame)} directories")
    shown = [
        (directory, item, text)
        for directory, errors in scooped.errors.items()
        for item, text in errors.items()
    ]
    for directory, item, text in shown[:MAX_SHOWN]:
        say(f"{directory}\n{item}\n- failed with:\n{text}")
    if count > MAX_SHOWN:
        say(f"... and {count - MAX_SHOWN} more")
