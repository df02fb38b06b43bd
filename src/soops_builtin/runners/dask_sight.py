"""Whether dask workers see the runs root, asked before a run begins on any of them.

The driver writes a file into it for as long as it works. The workers that are there are asked
for that file before the first job is sent; those that come later look before their first batch.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from soops.api import RunnerError
from soops_builtin.runners import dask_worker

__all__ = ["Sight"]

#: Seconds, besides those that a file may need to appear, for the answers of workers; who does
#: not answer looks before its first batch.
ANSWERS = 5.0
_PREFIX = "dask-soops-"


class Sight:
    """What workers are asked to look for, and who did not see it.

    Parameters
    ----------
    root : Path
        The runs root; without an absolute one nobody looks.
    name : str
        Of the runner, as no other one has it: what was looked for in vain is remembered by
        network file systems.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._sign = root / ".soops" / f"dask-{name}" if root.is_absolute() else None
        self._written = self._asked = False
        self.blind = ""
        """The host of a worker that does not see the root."""

    @property
    def sign(self) -> str:
        """What workers look for; empty for nothing."""
        return str(self._sign) if self._written else ""

    def ask(self, client: Any, workers: int | None) -> None:
        """Ask the workers that there are, once; those that come first are asked later.

        Raises
        ------
        RunnerError
            When the file cannot be written.
        """
        if self._sign is None or self._asked:
            return
        self._asked = True
        self._write(self._sign)
        if not workers:
            return
        answers: dict[str, tuple[str, bool]] = {}

        def work() -> None:
            with suppress(Exception):  # no answers: each looks before its first batch
                answers.update(client.run(dask_worker.look_for, self.sign, on_error="ignore"))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(dask_worker.APPEARS + ANSWERS)
        for host, sees in list(answers.values()):
            if not sees:
                self.blind = host

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

    def error(self) -> RunnerError:
        """Return what is wrong when a worker is blind."""
        return RunnerError(
            f"the dask worker on {self.blind} does not see the directory of the runs, "
            f"{str(self._root)!r}",
            hint="put it on a file system that all workers share, under the same name",
        )

    def close(self) -> None:
        """Remove the file."""
        if self._sign is not None and self._written:
            with suppress(OSError):
                self._sign.unlink(missing_ok=True)
                self._sign.parent.rmdir()  # nobody else needed it
