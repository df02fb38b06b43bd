"""What passes between the driver and the workers of dask before a run begins on any of them.

Workers get what they lack of soops, and are asked whether they see the runs root.

The driver writes a file into it for as long as it works. The workers that are there are asked
for that file before the first job is sent; those that come later look before their first batch.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from soops.api import RunnerError
from soops_builtin.runners.dask import worker as dask_worker
from soops_builtin.runners.dask.courier import NAME, courier
from soops_builtin.runners.dask.factory import words_of

__all__ = ["Introduction"]

#: Seconds, besides those that a file may need to appear, for the answers of workers; who does
#: not answer looks before its first batch.
ANSWERS = 5.0
#: Seconds before it is tried again to reach workers of which one went away.
PAUSES = (0.2, 0.5, 1.0)
_PREFIX = "dask-soops-"


class Introduction:
    """What workers are given and are to look for, and what is wrong with them.

    Parameters
    ----------
    root : Path
        The runs root; without an absolute one nobody looks.
    name : str
        Of the runner, as no other one has it: what was looked for in vain is remembered by
        network file systems.
    carries : bool
        Whether some workers may have no soops.
    """

    def __init__(self, root: Path, name: str, carries: bool) -> None:
        self._root, self._carries = root, carries
        self._sign = root / ".soops" / f"dask-{name}" if root.is_absolute() else None
        self._written = self._made = False
        self.error: RunnerError | None = None
        """Why no run must begin any more."""

    @property
    def sign(self) -> str:
        """What workers look for; empty for nothing."""
        return str(self._sign) if self._written else ""

    def make(self, client: Any) -> None:
        """Introduce the driver, once, to the workers that there are; dask does to later ones.

        Raises
        ------
        RunnerError
            When the file cannot be written.
        """
        if self._made:
            return
        self._made = True
        if self._sign is not None:
            self._write(self._sign)
        thread = threading.Thread(target=self._ask, args=(client,), daemon=True)
        thread.start()
        thread.join(dask_worker.APPEARS + ANSWERS)

    def _ask(self, client: Any) -> None:
        try:
            _register(client, courier(self._carries))
        except Exception as exc:
            self.error = RunnerError(
                f"a dask worker cannot take the code of soops: {words_of(exc)}",
                hint="install soops on the workers, or let them write to their local directory",
            )
            return
        answers: dict[str, tuple[str, bool]] = {}
        if self._sign is not None:
            with suppress(Exception):  # no answers: each looks before its first batch
                answers = client.run(dask_worker.look_for, self.sign, on_error="ignore")
        for host, sees in answers.values():
            if not sees:
                self.blind(host)

    def _write(self, sign: Path) -> None:
        try:
            sign.parent.mkdir(exist_ok=True)
            for old in sign.parent.glob(f"{_PREFIX}*"):  # of drivers that were killed
                old.unlink(missing_ok=True)
            sign.touch()
        except OSError as exc:
            raise RunnerError(
                f"{str(sign)!r} cannot be written: {exc.strerror}",
                hint="the workers of dask are to look for it; make the directory writable",
            ) from exc
        self._written = True

    def blind(self, host: str) -> None:
        """Note that a worker does not see the runs root."""
        self.error = RunnerError(
            f"the dask worker on {host} does not see the directory of the runs, "
            f"{str(self._root)!r}",
            hint="put it on a shared file system, or use --stage-out",
        )

    def close(self) -> None:
        """Remove the file."""
        if self._sign is not None and self._written:
            with suppress(OSError):
                self._sign.unlink(missing_ok=True)
                self._sign.parent.rmdir()  # nobody else needed it


def _register(client: Any, plugin: Any) -> None:
    """Give a plugin to all workers; to those that are left, when one goes away meanwhile."""
    for pause in (*PAUSES, None):
        try:
            client.register_plugin(plugin, name=NAME)
            return
        except Exception:  # of a closed connection dask tells in many ways
            if pause is None:
                raise
            time.sleep(pause)
