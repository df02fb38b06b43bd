"""The shapes of the things that specs point at: runners, checks, stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from soops.kernel.values import Job, RunRecord, Scooped, Update
from soops.kernel.values.frozen import dataclass

__all__ = ["Check", "Runner", "RunnerSetup", "Store"]

#: ``check(directory, parameters, options, record)``; ``record`` is None for a run of old
#: that left none, ``options`` a namespace of the options of ``soops-run``. A check that looks
#: at nothing but the directory may have ``glance(path)``, too, which takes its path as text
#: and is asked instead: for thousands of runs the other arguments take longer than the look.
Check = Callable[[Path, Mapping[str, Any], Any, RunRecord | None], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSetup:
    """What a runner is made from.

    Attributes
    ----------
    n_workers : int
        How many runs at once.
    options : object
        An instance of the options dataclass of its spec, or None.
    cluster_kwargs : mapping
        ``--cluster-kwargs`` of the command line.
    root : Path
        The runs root of the study, absolute.
    say : callable
        ``say(text)`` shows a line to the person who watches.
    survive : bool
        Whether runs are to go on when the driver is killed; only for runners whose spec
        says that they are ``detachable``.
    detach : bool
        Whether the driver hands over all it can, and leaves; only for runners with ``leave``.
    furnished : bool
        Whether run directories have files of their own (inputs, rendered templates) before
        their run begins: it has to find them there.
    adaptive : bool
        Whether the source of the sets is told how they end, and may go by that: it should not
        be asked for more sets ahead than it takes to keep the workers busy.
    """

    n_workers: int = 2
    options: Any = None
    cluster_kwargs: Mapping[str, Any] = field(default_factory=dict)
    root: Path = Path()
    say: Callable[[str], None] = lambda text: None
    survive: bool = False
    detach: bool = False
    furnished: bool = False
    adaptive: bool = False


class Runner(Protocol):
    """Where runs happen. Always plural, so that job arrays are natural.

    An exception from a method means that the runner is broken; the trouble of a job is
    an ``Outcome`` in an ``Update``.

    A runner may also have ``withdraw(tokens)``: it drops those of these jobs that have not
    begun, each with a CANCELLED outcome without ``started``; the others go on. Without it,
    jobs that are not known to run are cancelled at the first Ctrl-C, and one that begins just
    then is ended.

    A runner whose spec is ``detachable`` obeys ``RunnerSetup.survive``: when the driver is
    killed, what it had under way goes on, holds the tokens of its attempts, and leaves the
    outcome there (``Slot.send(..., claim=token, survives=True)``). The next driver finds
    them by their tokens, whatever its runner is.

    A runner of a queue that keeps jobs without the driver may have ``held(attempts)`` and
    ``adopt(jobs)``. At its start a driver asks which of the attempts that an earlier one had
    under way, pairs of run directory and number, the queue was given: they wait, run, or have
    ended unheard. When the plan comes to one of these, ``adopt`` gets its job, and returns a
    token for it as ``submit`` would, but submits nothing.

    A runner that takes a while to be ready may have ``expect(launch, jobs)``. It is told, before
    soops is ready itself, when there will surely be jobs: of what ``Job.launch``, and how many
    at most. What it starts then must do for a job that names another launch, too, and for an
    environment (``os.environ``) that a plugin changes before the first ``submit``.

    A runner with ``held`` may also have ``leave()``, for ``--detach``: it tries once more to
    give its queue what is not there yet, and returns what changed by now, as ``poll`` does,
    without waiting; what the queue did not take has never begun. After that ``close`` leaves
    the jobs alone. ``submit`` and ``leave`` may be called again before it.
    """

    def capacity(self) -> int:
        """Return how many jobs it would take now, to run or to queue."""

    def submit(self, jobs: Sequence[Job]) -> Sequence[str]:
        """Take jobs and return a token for each; never wait for the work."""

    def poll(self, timeout: float) -> Sequence[Update]:
        """Return what changed since the last call, waiting at most ``timeout`` seconds.

        Must return early when it is interrupted by a signal.
        """

    def cancel(self, tokens: Sequence[str]) -> None:
        """Stop these jobs; each still gets its outcome from ``poll``."""

    def close(self) -> None:
        """Stop whatever is left and give back every resource."""


class Store(Protocol):
    """A file format for tables."""

    def write(self, scooped: Scooped, path: Path) -> None:
        """Write a table; atomically, never an empty one over a full one."""

    def read(self, path: Path) -> Scooped:
        """Read a table back; no code runs from the file."""
