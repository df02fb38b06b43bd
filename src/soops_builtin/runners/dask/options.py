"""The options of the dask runner."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DaskOptions"]

#: Seconds; below that a busy worker would count as cut off.
SHORTEST_LEASE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskOptions:
    """``--runner-opt`` of the dask runner; the first three exclude each other.

    Attributes
    ----------
    scheduler : str
        Address of a running scheduler: ``tcp://host:8786``.
    scheduler_file : str
        File that a running scheduler wrote.
    cluster : str
        What makes a cluster, as ``module:name``: ``dask_jobqueue:SLURMCluster``. It gets
        ``--cluster-kwargs``, and is scaled to ``--n-workers`` unless it is adaptive.
    adapt : str
        ``MIN-MAX``: a cluster made here has so many workers as there is work for.
    stage_out : bool
        There is no file system that the workers share: each run is in a scratch directory of
        its worker, and its files are brought here when it has ended.
    dashboard : bool
        Whether a cluster made here opens its dashboard.
    dashboard_address : str
        Where.
    lease : float
        Seconds without contact to the scheduler after which a worker ends its runs. What was lost
        with a worker that nobody can ask is begun again after twice that, and its grace.
    tls_ca, tls_cert, tls_key : str
        Files (PEM) for a scheduler that wants TLS: who signed its certificate, and the
        certificate and key to show.
    tls : bool
        Whether a cluster made here talks TLS, with a certificate for the occasion (needs the
        package ``cryptography``).
    """

    scheduler: str = ""
    scheduler_file: str = ""
    cluster: str = ""
    adapt: str = ""
    stage_out: bool = False
    dashboard: bool = False
    dashboard_address: str = "127.0.0.1:0"
    lease: float = 60.0
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls: bool = False

    def __post_init__(self) -> None:
        given = [name for name in ("scheduler", "scheduler_file", "cluster") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")
        if not SHORTEST_LEASE <= self.lease < float("inf"):
            raise ValueError(f"lease={self.lease:g} is not {SHORTEST_LEASE:g} seconds or more")
        if self.adapt:
            self.bounds()
        runs_already = bool(self.scheduler or self.scheduler_file)
        if self.adapt and runs_already:
            raise ValueError("adapt is for a cluster made here; a scheduler has its own workers")
        files = [name for name in ("tls_ca", "tls_cert", "tls_key") if getattr(self, name)]
        if files and not runs_already:
            raise ValueError(f"{files[0]} is for a scheduler; for a cluster made here say tls=yes")
        if files and len(files) < 3:
            raise ValueError("tls_ca, tls_cert and tls_key belong together")
        if self.tls and runs_already:
            raise ValueError(
                "tls is for a cluster made here; a scheduler needs tls_ca, tls_cert, tls_key"
            )

    @property
    def far(self) -> bool:
        """Whether workers may be on other machines, where soops may be another one."""
        return bool(self.scheduler or self.scheduler_file or self.cluster)

    def bounds(self) -> tuple[int, int]:
        """Return the least and the largest number of workers of ``adapt``."""
        least, dash, most = self.adapt.partition("-")
        if not (dash and least.isdecimal() and most.isdecimal()):
            raise ValueError(f"adapt={self.adapt!r} is not MIN-MAX, for instance 0-20")
        if not int(least) <= int(most) or int(most) == 0:
            raise ValueError(f"adapt={self.adapt}: there is no such number of workers")
        return int(least), int(most)
