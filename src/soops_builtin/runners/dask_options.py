"""The options of the dask runner."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DaskOptions"]


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
        ``--cluster-kwargs``, and is scaled to ``--n-workers``.
    dashboard : bool
        Whether a cluster made here opens its dashboard.
    dashboard_address : str
        Where.
    """

    scheduler: str = ""
    scheduler_file: str = ""
    cluster: str = ""
    dashboard: bool = False
    dashboard_address: str = "127.0.0.1:0"

    def __post_init__(self) -> None:
        given = [name for name in ("scheduler", "scheduler_file", "cluster") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")
