"""The steps of a scoop one by one: read run directories, post-process, store.

Their names are those of :mod:`soops.scoop_outputs`, which alone imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soops.base import Struct, output

if TYPE_CHECKING:
    from soops.kernel.app import App
    from soops.kernel.values import Scooped, ScoopInfo, UserModule

__all__ = ["apply_scoops", "init_plugin_data", "run_plugins", "write_results"]


def apply_scoops(
    info: Sequence[tuple[Any, ...]],
    directories: Sequence[str],
    debug_mode: bool = False,
    df0: Any = None,
    mdf0: Any = None,
    par_keys0: Iterable[str] | None = None,
) -> tuple[Any, Any, set[str]]:
    """Read the files of run directories into a table.

    Parameters
    ----------
    info : sequence of tuples
        What ``get_scoop_info()`` returns.
    directories : sequence of str
        Run directories, directories that hold them, or patterns of these.
    debug_mode : bool
        Let the exceptions of ``info``'s functions pass.
    df0, mdf0, par_keys0 : optional
        What an earlier call returned: only what is new or changed is read.

    Returns
    -------
    df, mdf : pandas.DataFrame
        A row for each run directory; a row for each directory and file.
    par_keys : set of str
        The columns of ``df`` that are parameters.

    Raises
    ------
    StudyError
        When a directory is not there.
    """
    from soops.kernel.table.directories import find_run_directories
    from soops.kernel.table.frame import build
    from soops.kernel.table.rows import scoop_rows
    from soops.study import create_app

    app = create_app()
    what = _scoop_info(app, info)
    found = find_run_directories(directories, what)
    if df0 is None or not len(df0):
        scooped = build(scoop_rows(found, what, app, debug=debug_mode))
    else:
        from soops.kernel.table.directories import find_roots
        from soops.kernel.table.update import merge, plan_update

        stored = _scooped(df0, mdf0, par_keys0 or ())
        plan = plan_update(stored, found, what, find_roots(directories))
        rows = scoop_rows(plan.todo, what, app, debug=debug_mode)
        scooped = merge(stored, plan, rows, found)
    return scooped.frame, scooped.meta, set(scooped.parameter_keys)


def init_plugin_data(
    df: Any, par_keys: Iterable[str], output_dir: str, store_filename: str
) -> Struct:
    """Return the ``data`` that post-processing functions get.

    Returns
    -------
    Struct
        ``par_keys``, the set of columns that are input parameters; ``multi_par_keys``,
        those with more than one value, sorted; ``par_uniques`` and ``multi_par_uniques``,
        their values; ``output_dir`` and ``store_filename``.
    """
    from soops.kernel.table.post import init_plugin_data as init

    data: Struct = init(df, par_keys, output_dir, store_filename)
    return data


def run_plugins(
    info: Sequence[Callable[..., Any]],
    df: Any,
    output_dir: str,
    par_keys: Iterable[str],
    store_filename: str,
    plugin_args: Mapping[str, Mapping[str, Any]] | None = None,
) -> Any:
    """Call post-processing functions one after the other; their exceptions pass.

    Parameters
    ----------
    info : sequence of callables
        What ``get_plugin_info()`` returns: each is called as ``fun(df, data=data, **args)``.
    df : pandas.DataFrame
        The table.
    output_dir, par_keys, store_filename
        Of the first ``data``, see :func:`init_plugin_data`.
    plugin_args : mapping, optional
        Name of a function to its arguments.

    Returns
    -------
    Struct
        What the last function returned that returned anything.
    """
    from soops.kernel.table.post import check_arguments, run_steps
    from soops.study import create_app

    app = create_app()
    arguments = plugin_args or {}
    check_arguments(arguments)
    steps = _adapted(app, get_plugin_info=lambda: list(info)).steps
    data = init_plugin_data(df, par_keys, output_dir, store_filename)
    resolve = lambda name: app.resolve("step", name)  # noqa: E731
    level = output.level
    try:
        return run_steps(steps, df, data, arguments, resolve, output, debug=True).data
    finally:
        output.level = level  # a step that raised has not said that it is done


def write_results(results_filename: str, df: Any, mdf: Any, par_keys: Iterable[str]) -> None:
    """Store a table; the suffix of the file chooses how.

    Parameters
    ----------
    results_filename : str
        ``results.h5``, for example.
    df, mdf, par_keys
        What :func:`apply_scoops` returns.

    Raises
    ------
    StudyError
        When it cannot be stored; what was stored before is kept then.
    """
    from soops.kernel.table.gather import store_for
    from soops.study import create_app

    path = Path(results_filename)
    store_for(create_app(), path).write(_scooped(df, mdf, par_keys), path)


def _scoop_info(app: App, info: Sequence[tuple[Any, ...]]) -> ScoopInfo:
    from soops.kernel.values import ScoopInfo

    return _adapted(app, get_scoop_info=lambda: list(info)).scoop_info or ScoopInfo(items=())


def _adapted(app: App, **functions: Callable[[], Any]) -> UserModule:
    """Return what a script with these functions would offer."""
    from types import ModuleType

    from soops.kernel.values import UserModule

    path = Path("script.py")
    module = ModuleType("script")
    vars(module).update(functions)
    return app.adapt(module, path) or UserModule(name=module.__name__, path=path)


def _scooped(df: Any, mdf: Any, par_keys: Iterable[str]) -> Scooped:
    from soops.kernel.values import Scooped

    return Scooped(frame=df, meta=mdf, parameter_keys=tuple(sorted(par_keys, key=str)))
