"""What a dask worker gets as text, so that it need not have soops: a plugin of the worker.

Nothing of soops is imported but where it is known to be there. ``courier`` sends this file.
"""

from __future__ import annotations

import importlib
import io
import os
import platform
import socket
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any


class Carried:
    """Makes soops importable on a worker, and begins the tasks of the runner there.

    Parameters
    ----------
    package : bytes
        A zip file of what a worker needs of soops, for those that have none; or nothing.
    version : str
        Of soops in it.
    """

    def __init__(self, package: bytes, version: str) -> None:
        self.package, self.version = package, version
        self.greeted: set[str] = set()

    def setup(self, worker: Any) -> None:
        """Unpack soops if there is none here."""
        try:
            import soops  # noqa: F401 (the question is whether it is there)
        except ImportError:
            if self.package:
                self._unpack(worker.local_directory)

    def _unpack(self, place: str) -> None:
        name = f"soops-{self.version}-{zlib.crc32(self.package):08x}"
        folder = os.path.join(place, name)  # noqa: PTH118
        if not os.path.isdir(folder):  # noqa: PTH112
            half = tempfile.mkdtemp(dir=place)
            with zipfile.ZipFile(io.BytesIO(self.package)) as file:
                file.extractall(half)
            os.rename(half, folder)  # noqa: PTH104
        sys.path.append(folder)
        importlib.invalidate_caches()

    def enter(self, batch: Sequence[tuple[str, dict[str, Any]]], topic: str, **how: Any) -> Any:
        """Run a batch of jobs, in the thread of a task; say first who this worker is."""
        if topic not in self.greeted:
            self.greeted.add(topic)
            from distributed import get_worker

            import soops

            who = [socket.gethostname(), soops.__version__, platform.python_version()]
            get_worker().log_event(topic, {"greeting": who})
        from soops_builtin.runners.dask import worker as dask_worker

        return dask_worker.run_batch(batch, topic, **how)


def make(package: bytes, version: str) -> Any:
    """Return the plugin as dask wants it."""
    from distributed import WorkerPlugin

    return type("Courier", (Carried, WorkerPlugin), {})(package, version)
