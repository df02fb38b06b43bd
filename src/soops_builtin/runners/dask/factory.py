"""Clusters that something else makes: what ``cluster=module:name`` of the dask runner names."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from soops.api import RunnerError, SoopsError, UsageError

if TYPE_CHECKING:
    from soops_builtin.runners.dask.options import DaskOptions

__all__ = ["adapt", "close_early", "made_by", "words_of"]

#: What a client, and the runner, ask of a cluster.
NEEDED = ("scheduler_address", "close")


def made_by(options: DaskOptions, kwargs: Mapping[str, Any], n_workers: int) -> Any:
    """Return the cluster that the named factory makes, scaled.

    A cluster that is adaptive already, or was told how many workers it has, is left so.

    Raises
    ------
    UsageError
        When the factory cannot be loaded or called.
    RunnerError
        When it fails, or gives what is no cluster.
    """
    name = options.cluster
    factory = _named(name)
    if not callable(factory):
        raise _is_none(name, factory)
    try:
        cluster = factory(**kwargs)
    except SoopsError:
        raise
    except Exception as exc:  # whatever the software of a cluster raises
        raise RunnerError(
            f"no dask cluster: {name} failed: {words_of(exc)}",
            hint="check --cluster-kwargs, and call it in Python to see more",
        ) from exc
    if not all(hasattr(cluster, part) for part in NEEDED):
        raise _is_none(name, cluster)
    try:
        if options.adapt:
            adapt(cluster, options)
        elif (
            "n_workers" not in kwargs
            and getattr(cluster, "_adaptive", None) is None
            and hasattr(cluster, "scale")
        ):
            cluster.scale(n_workers)
    except Exception as exc:
        close_early(cluster)
        raise RunnerError(f"the cluster of {name} cannot be scaled: {words_of(exc)}") from exc
    return cluster


def adapt(cluster: Any, options: DaskOptions) -> None:
    """Let a cluster have as many workers as there is work for, within the bounds given."""
    if options.adapt:
        least, most = options.bounds()
        cluster.adapt(minimum=least, maximum=most)


def close_early(cluster: Any) -> None:
    """Give a cluster back that no runner will have."""
    with contextlib.suppress(Exception):  # what is told is why
        cluster.close()


def words_of(error: BaseException | None) -> str:
    """Return what an error says, in a line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]


def _named(name: str) -> Any:
    sys.path.append(str(Path.cwd()))  # a module beside the study is found, and hides none
    try:
        return resolve_name(name)
    except Exception as exc:  # the module may raise anything
        raise UsageError(
            f"cluster={name!r} of the dask runner cannot be loaded: {words_of(exc)}",
            hint="give module:name, for instance dask_jobqueue:SLURMCluster",
        ) from exc
    finally:
        sys.path.pop()


def _is_none(name: str, given: Any) -> RunnerError:
    missing = [part for part in NEEDED if not hasattr(given, part)]
    return RunnerError(
        f"cluster={name!r} gives no dask cluster but {type(given).__name__} "
        f"(without {', '.join(missing)})",
        hint="name a class like distributed.LocalCluster, or a function that returns such a one",
    )
