"""The slot side: one small process that turns one job at a time into a process of its own.

Nothing here imports anything but the standard library and its neighbours, so that it can be
started by path (``python -I -S .../launch REPLY DRIVER``) on this machine or a far one, and be
imported by anyone who needs a piece of it: a slot with another way to start a command, the list
of processes.

The driver writes JSON lines to fd 0, one for each message::

    {"run": TOKEN, "job": {...}, "claim": TEXT, "survives": true, "lease": SECONDS}
    {"renew": TOKEN, "lease": SECONDS}
    {"cancel": TOKEN}     {"withdraw": TOKEN}     {"end": true}

and reads JSON lines from the fd REPLY: ``hello`` once, the ``pid`` of a run that lasts, then its
``outcome``, or ``withdrawn``. The end of fd 0, or of the process DRIVER, ends the run and the slot;
but a run that ``survives`` comes to its own end, and leaves its outcome in its token. One with a
lease ends when nobody renews that in time, also when the process DRIVER lives, but hangs.

Every descendant of the slot belongs to the run under way, because the slot is a child subreaper:
also the daemon that forked twice and cleared its environment comes back to it. The slot itself
is two processes. The outer one, the guard, only waits for the inner one, and ends what that
leaves behind should somebody kill it. The fd REPLY ends with the last of the two, so that
whoever reads its end knows that nothing is left of the run.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .command import Spawn
    from .means import Means

__all__ = ["main", "serve"]


def main(argv: Sequence[str]) -> None:
    """Serve one slot; ``argv`` is ``[reply fd, pid of the driver, "groups"?]``."""
    serve(argv)


def serve(argv: Sequence[str], start: Spawn | None = None, means: Means | None = None) -> None:
    """Take jobs from fd 0 until it ends.

    Parameters
    ----------
    argv : sequence of str
        The fd for replies, the pid of the driver, and perhaps ``"groups"``: do as on a system
        without subreapers, and end process groups, not trees.
    start : callable, optional
        What starts the main process of a job instead of :func:`.command.spawn`. It must
        give it a session of its own.
    means : Means, optional
        What else is needed for that.
    """
    import os
    import signal

    from . import processes
    from .command import spawn
    from .line import Line
    from .means import Means
    from .supervisor import Supervisor

    reply, driver = int(argv[0]), int(argv[1])
    os.set_inheritable(reply, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tree = "groups" not in argv[2:] and processes.adopt_orphans()
    safe = processes.split_off_guard() if tree else None
    line = Line(reply, driver)
    supervisor = Supervisor(line, safe, spawn if start is None else start, means or Means())
    line.tell(hello=os.getpid(), host=supervisor.host, tree=tree)
    while not line.stop:
        message = line.next()
        if message is not None:
            outcome = supervisor.run(message["job"], message.get("claim"))
            line.finish(outcome)
        else:
            supervisor.idle()
