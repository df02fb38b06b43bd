"""What calls functions side by side: on threads of this process, or on a dask cluster.

Part of the script library, for scripts that submit functions of their own. The runs of a
study go another way: see ``docs/hooks/soops_runners.md``.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from soops.base import Struct, load_classes

__all__ = ["DaskRunner", "Runner", "Struct", "ThreadPoolRunner", "load_classes"]


class Runner(Struct):
    """A runner by its name.

    Attributes
    ----------
    as_completed : callable
        ``as_completed(futures)`` yields futures as they are done.
    """

    name: ClassVar[str] = ""
    as_completed: ClassVar[Callable[..., Iterator[Any]]]

    @staticmethod
    def any_from_options(options: Namespace) -> Runner:
        """Return the runner that ``options.runner`` names.

        Parameters
        ----------
        options : Namespace
            ``runner``, ``n_workers`` and ``cluster_kwargs``.

        Raises
        ------
        UsageError
            When there is no such runner.
        """
        makers = {"threadpool": ThreadPoolRunner, "local": ThreadPoolRunner, "dask": DaskRunner}
        if options.runner not in makers:
            from soops.kernel.errors import UsageError, unknown_name

            raise unknown_name("runner", str(options.runner), makers, error=UsageError)
        return makers[options.runner](options.n_workers, options.cluster_kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Call ``args[0](*args[1:], **kwargs)`` when there is a free worker; return its future."""
        raise NotImplementedError

    def close(self) -> None:
        """Wait for what was submitted, and let the workers go."""
        raise NotImplementedError


class ThreadPoolRunner(Runner):
    """Functions on threads of this process.

    Parameters
    ----------
    n_workers : int
        Threads.
    runner_kwargs : mapping
        Further arguments of ``concurrent.futures.ThreadPoolExecutor``.
    """

    name = "threadpool"

    def __init__(self, n_workers: int, runner_kwargs: Mapping[str, Any]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        super().__init__()
        _keep(self, "_pool", ThreadPoolExecutor(n_workers, **runner_kwargs))

    @staticmethod
    def as_completed(fs: Iterable[Any], timeout: float | None = None) -> Iterator[Any]:
        """Yield futures as they are done."""
        from concurrent.futures import as_completed

        return as_completed(fs, timeout)

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Call ``args[0](*args[1:], **kwargs)`` when a thread is free; return its future."""
        return self._pool.submit(*args, **kwargs)

    def close(self) -> None:
        """Wait for what was submitted, and let the threads go."""
        self._pool.shutdown()


class DaskRunner(Runner):
    """Functions on a dask cluster of this machine.

    Parameters
    ----------
    n_workers : int
        Worker processes.
    runner_kwargs : mapping
        Further arguments of ``distributed.LocalCluster``.

    Raises
    ------
    PluginError
        When dask is not installed.
    """

    name = "dask"

    def __init__(self, n_workers: int, runner_kwargs: Mapping[str, Any]) -> None:
        try:
            import distributed
        except ImportError:
            from soops.kernel.errors import PluginError

            raise PluginError(
                "the runner 'dask' needs dask, which is not installed",
                hint="pip install dask distributed",
            ) from None

        super().__init__()
        dask: Any = distributed  # it has no types
        # Any free port of this machine: the usual one may be taken.
        given = {"dashboard_address": "127.0.0.1:0", **runner_kwargs}
        _keep(self, "_cluster", dask.LocalCluster(n_workers=n_workers, **given))
        _keep(self, "_client", dask.Client(self._cluster))

    @staticmethod
    def as_completed(fs: Iterable[Any], *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Yield futures as they are done."""
        import distributed

        dask: Any = distributed
        done: Iterator[Any] = dask.as_completed(fs, *args, **kwargs)
        return done

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Call ``args[0](*args[1:], **kwargs)`` on a worker; return its future."""
        return self._client.submit(*args, **kwargs)

    def close(self) -> None:
        """Let the cluster go."""
        self._client.close()
        self._cluster.close()


def _keep(runner: Runner, name: str, value: Any) -> None:
    """Set an attribute that is no item of the Struct."""
    object.__setattr__(runner, name, value)
