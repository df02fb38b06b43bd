"""Planned runs to jobs: what is the same for all runs of a study is worked out once.

For ``drive``, which keeps an ``Attempt`` of each that is under way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from soops.kernel.runs.amounts import Amounts
from soops.kernel.runs.options import RunOptions
from soops.kernel.values import Job, PlannedRun, RunInfo

__all__ = ["LAUNCH", "Attempt", "JobMaker"]

#: What a slot serves when a run function asks for nothing else.
LAUNCH = "soops.kernel.runs.launch:main"


class JobMaker:
    """Makes the jobs of one study.

    Parameters
    ----------
    info : RunInfo
        Working directory, environment, and unless ``amounts`` are given, timeout and resources.
    options : RunOptions
        Grace, capture, bounds.
    run_function : callable
        ``run_function(job) -> Job``, from the registry.
    root : str
        The runs root, absolute.
    amounts : Amounts, optional
        Timeout and resources, where they may depend on the parameters.
    """

    def __init__(
        self,
        info: RunInfo,
        options: RunOptions,
        run_function: Callable[[Job], Job],
        root: str,
        amounts: Amounts | None = None,
    ) -> None:
        self._run_function = run_function
        self._root = root
        self._folder = self._absolute_folder = ""
        self._capture = options.capture
        self._amounts = amounts or Amounts.of_study(info, options)
        self._shared: Mapping[str, Any] = {
            "launch": LAUNCH,
            "cwd": None if info.at_home else os.path.abspath(info.cwd or "."),
            "env": dict(info.env),
            "grace": options.grace,
            "max_output": options.max_output,
            **(self._amounts.constant or {}),
        }

    def make(self, planned: PlannedRun, attempt: int) -> Job:
        """Return the job of a planned run.

        Raises
        ------
        StudyError
            When an expression for its timeout or resources gives no amount.
        """
        directory, key = self._place(planned.directory)
        shared = self._shared
        if self._shared["cwd"] is None:
            shared = {**shared, "cwd": directory}
        if self._amounts.constant is None:
            shared = {**shared, **self._amounts.of(planned.values)}
        return self._run_function(
            Job(
                key=key,
                attempt=attempt,
                command=planned.command,
                directory=directory,
                stdout=os.path.join(directory, "stdout.txt") if self._capture else None,
                stderr=os.path.join(directory, "stderr.txt") if self._capture else None,
                **shared,
            )
        )

    def _place(self, directory: str) -> tuple[str, str]:
        """Return the absolute path of a run directory, and its path below the root.

        The directories of a study are nearly all in one folder, which is made absolute once.
        """
        name = directory[directory.rfind("/") + 1 :]
        folder = directory[: len(directory) - len(name)]
        if name in ("", ".", ".."):
            absolute = os.path.abspath(directory)
        else:
            if folder != self._folder or not self._absolute_folder:
                self._folder = folder
                self._absolute_folder = os.path.join(os.path.abspath(folder or "."), "")
            absolute = self._absolute_folder + name
        key = absolute.removeprefix(f"{self._root}/")
        if not key or key == absolute:
            key = os.path.relpath(absolute, self._root)
        return absolute, key


@dataclass(slots=True)
class Attempt:
    """A run under way."""

    planned: PlannedRun
    job: Job
    tries: int
    """Attempts at it in this pass, this one included."""
    running: bool = False
    survived: bool = False
    """Whether an earlier driver began it, and no runner answers for it."""
