"""Where the dask runner gets its cluster from, and how it gives it back."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soops.api import RunnerError, RunnerSetup, UsageError
from soops_builtin.runners.dask import worker as dask_worker
from soops_builtin.runners.dask.factory import adapt, close_early, made_by, words_of

if TYPE_CHECKING:
    from soops_builtin.runners.dask.options import DaskOptions

__all__ = ["Connection", "connect"]

#: Seconds to wait for a scheduler.
CONNECT = 20
#: Seconds for which the number of workers is believed.
FRESH = 2.0


class Connection:
    """A client, and the cluster if it was made here.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    cluster : object
        What is closed with it, or None.
    n_workers : int
        How many runs at once are wanted; a cluster that has no workers yet still takes jobs.
    """

    def __init__(self, client: Any, cluster: Any, n_workers: int) -> None:
        self.client, self.cluster, self.n_workers = client, cluster, n_workers
        self._found: list[int] | None = None
        self._asked = 0.0

    def threads(self) -> int:
        """Return how many tasks run at once."""
        return max(sum(self._look() or ()), self.n_workers)

    def workers(self) -> int | None:
        """Return how many workers there are, or None as long as that is not known."""
        found = self._look()
        return None if found is None else len(found)

    def resources(self) -> list[dict[str, float]] | None:
        """Return what each worker offers, or None if the scheduler does not say."""
        with contextlib.suppress(Exception):
            workers = self.client.scheduler_info(n_workers=-1)["workers"]
            return [worker.get("resources") or {} for worker in workers.values()]
        return None

    def _look(self) -> list[int] | None:
        """Return the threads of each worker."""
        now = time.monotonic()
        if now - self._asked > FRESH:
            self._asked = now
            with contextlib.suppress(Exception):  # asked again soon
                self._found = list(self.client.nthreads().values())
        return self._found

    @property
    def alive(self) -> bool:
        """Whether the scheduler is there, as far as is known."""
        return bool(self.client.status == "running")

    def check(self) -> None:
        """Raise ``RunnerError`` when the scheduler is gone."""
        if not self.alive:
            raise RunnerError(
                f"the dask scheduler is gone (the client is {self.client.status})",
                hint="what ended is recorded; start the scheduler and the same command again",
            )

    def close(self, patience: float) -> None:
        """Give back what was made here, within ``patience`` seconds."""

        def work() -> None:
            for part in filter(None, (self.client, self.cluster)):
                with contextlib.suppress(Exception):
                    part.close(timeout=patience / 2)

        workers = _worker_pids(self.cluster)
        thread = threading.Thread(target=work, daemon=True)
        with contextlib.nullcontext() if self.alive else _unheard("distributed.client"):
            thread.start()
            thread.join(patience)
        for process in multiprocessing.active_children() if workers else ():
            if process.pid in workers:  # it hangs, and dask has given it up
                process.kill()
                process.join(patience)


@contextlib.contextmanager
def _unheard(name: str) -> Iterator[None]:
    """Let a logger be silent: that a scheduler is gone was said."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def connect(setup: RunnerSetup, options: DaskOptions) -> Connection:
    """Connect to the cluster that the options name, or make one on this machine."""
    if options.stage_out and setup.furnished:
        raise UsageError(
            "with --stage-out runs do not begin in their directory, where their inputs are",
            hint="leave inputs and templates out of the study, or share a file system",
        )
    import distributed

    make_client: Any = distributed.Client
    cluster = None
    try:
        if options.scheduler or options.scheduler_file:
            _refuse_cluster_kwargs(setup)
            how = {"security": _security(options)} if options.tls_ca else {}
            limit = time.monotonic() + CONNECT
            address = options.scheduler or _address_in(options.scheduler_file, limit)
            left = max(limit - time.monotonic(), 0.1)
            client = make_client(address, timeout=left, set_as_default=False, **how)
        else:
            cluster = _make(setup, options)
            client = make_client(cluster, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as exc:
        if cluster is not None:
            close_early(cluster)
        raise _no_cluster(exc, options) from exc
    if cluster is not None and not options.cluster:
        _leave_groups(client)
    _say_what_is_open(setup, client)
    if cluster is None or _has_dashboard(setup, options):
        _say_link(setup, client)
    return Connection(client, cluster, setup.n_workers)


def _no_cluster(exc: Exception, options: DaskOptions) -> RunnerError:
    root: BaseException = exc
    while root.__cause__ is not None:  # dask wraps what is wrong
        root = root.__cause__
    where = options.scheduler or options.scheduler_file
    wait = f" at {where} (waited {CONNECT:g} s)" if where else ""
    return RunnerError(
        f"no dask cluster{wait}: {words_of(root)}",
        hint="check --runner-opt scheduler=..., --cluster-kwargs, and that the scheduler runs",
    )


def _address_in(file: str, limit: float) -> str:
    """Return the address that a scheduler wrote; a client would wait for the file for ever."""
    while True:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # not written yet
            return str(json.loads(Path(file).read_text())["address"])
        if time.monotonic() > limit:
            raise TimeoutError("there is no such file, or no address in it")
        time.sleep(0.05)


def _make(setup: RunnerSetup, options: DaskOptions) -> Any:
    tls = _temporary() if options.tls else {}
    if options.cluster:
        return made_by(options, {**tls, **setup.cluster_kwargs}, setup.n_workers)
    import dask
    import distributed

    make: Any = distributed.LocalCluster
    defaults = {
        "n_workers": setup.n_workers,
        "threads_per_worker": 1,
        "processes": True,
        # The scheduler serves HTTP in any case: on a free port, for this machine only.
        "dashboard_address": options.dashboard_address,
        "scheduler_kwargs": {"dashboard": _has_dashboard(setup, options)},
        # The runs are no part of a worker's memory: its own limit would mean nothing.
        "memory_limit": 0,
        # What happens to runs is told by their outcomes, and closing is no error.
        "silence_logs": logging.CRITICAL,
    }
    # A task waits at the scheduler, not behind another one on a worker that may be long.
    with dask.config.set({"distributed.scheduler.worker-saturation": 1.0}):
        cluster = make(**{**defaults, **tls, **setup.cluster_kwargs})
    adapt(cluster, options)
    return cluster


def _security(options: DaskOptions) -> Any:
    """Return what dask needs to talk TLS to a scheduler, having looked at the files."""
    from distributed import Security

    files = (options.tls_ca, options.tls_cert, options.tls_key)
    for path in files:
        try:
            Path(path).open("rb").close()
        except OSError as exc:
            raise UsageError(
                f"{path!r} cannot be read: {exc.strerror}",
                hint="tls_ca, tls_cert and tls_key are files in the PEM format",
            ) from exc
    make: Any = Security
    ca, cert, key = files
    return make(tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True)


def _temporary() -> dict[str, Any]:
    """Return the arguments of a cluster that talks TLS with a certificate of its own."""
    from distributed import Security

    try:
        make: Any = Security.temporary
        return {"security": make(), "protocol": "tls://"}
    except ImportError as exc:
        raise RunnerError(
            "tls needs the package cryptography, which is not installed",
            hint="pip install cryptography",
        ) from exc


def _say_what_is_open(setup: RunnerSetup, client: Any) -> None:
    """Tell the person of a scheduler that trusts whoever reaches it over a network."""
    address = str(client.scheduler.address)
    scheme, _, rest = address.partition("://")
    host = rest.rpartition(":")[0].strip("[]")
    if scheme in ("tcp", "ws") and not _is_loopback(host):
        setup.say(
            f"the dask scheduler at {address} talks plain {scheme}: whoever reaches it can read "
            "the runs, and run programs as you; use TLS (--runner-opt tls_ca=..., or tls=yes)"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_dashboard(setup: RunnerSetup, options: DaskOptions) -> bool:
    return options.dashboard or "dashboard_address" in setup.cluster_kwargs


def _say_link(setup: RunnerSetup, client: Any) -> None:
    if find_spec("bokeh") is None:
        setup.say("dask dashboard: there is none without bokeh (pip install bokeh)")
    elif client.dashboard_link:
        setup.say(f"dask dashboard: {client.dashboard_link}")


def _refuse_cluster_kwargs(setup: RunnerSetup) -> None:
    if setup.cluster_kwargs:
        raise UsageError(
            "--cluster-kwargs are for a cluster made here, not for one that runs already",
            hint="leave out either them or the scheduler",
        )


def _leave_groups(client: Any) -> None:
    from distributed import WorkerPlugin

    class LeaveGroup(WorkerPlugin):
        def __init__(self, driver: int) -> None:
            self.driver = driver

        def setup(self, worker: Any) -> None:
            dask_worker.leave_group(self.driver)

    client.register_plugin(LeaveGroup(os.getpid()), name="soops-leave-group")


def _worker_pids(cluster: Any) -> set[int]:
    """Return the processes of a cluster on this machine."""
    nannies = getattr(cluster, "workers", {}).values()
    processes: list[Any] = [getattr(nanny, "process", None) for nanny in nannies]
    return {process.pid for process in processes if process is not None and process.pid}
