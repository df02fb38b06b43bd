"""The driver's end of the line to a slot. For runners, on this machine and on far workers.

It imports only the values and errors of soops, and what it needs of the standard library when
a slot is started, so that ``soops.api`` can offer it for nothing.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import weakref
from typing import TYPE_CHECKING, Any

from soops.kernel.errors import RunnerError
from soops.kernel.runs import orphans
from soops.kernel.runs.wire import LAUNCH, ends, fields_of, open_pipe, outcome_of, program
from soops.kernel.values import Job, Outcome, State, Update

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

__all__ = ["LAUNCH", "Slot", "run_job", "thread_slot"]

#: Seconds, besides the grace of the run under way, that a slot gets to end.
PATIENCE = 3.0

_live: weakref.WeakSet[Slot] = weakref.WeakSet()
_thread = threading.local()
_counter = itertools.count(1)


class Slot:
    """A process that runs one job at a time, and ends everything a run leaves behind.

    Nothing here waits for the work, but :meth:`run` and :meth:`close`. Jobs sent while one
    is under way are queued in the slot.

    Parameters
    ----------
    launch : str
        ``Job.launch`` of the jobs it will get.
    groups_only : bool
        Do as on a system without subreapers; for tests.

    Attributes
    ----------
    pending : dict
        Token to job, in the order of their run; without those that ended.
    host : str
        Where it is, once it said so.
    """

    #: The ``Job.launch`` of jobs that need nothing special.
    LAUNCH = LAUNCH

    def __init__(self, launch: str = LAUNCH, *, groups_only: bool = False) -> None:
        self.launch = launch
        self.groups_only = groups_only
        self.pending: dict[str, Job] = {}
        self.withdrawn: list[tuple[str, Job]] = []
        self.host = ""
        self.inner = 0
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._unsent = b""
        self._received = b""
        self._popen: subprocess.Popen[bytes] | None = None
        self._reply = -1

    @staticmethod
    def ends_trees() -> bool:
        """Whether slots of this system find and end every descendant of a run."""
        from soops.kernel.runs.launch.system import features

        return features()["tree"]

    @property
    def alive(self) -> bool:
        """Whether it was started, by this process, and has not ended as far as is known."""
        return self._reply >= 0 and self._owner == os.getpid()

    @property
    def unsent(self) -> bool:
        """Whether part of a message waits for :meth:`flush`, its pipe being full."""
        return bool(self._unsent)

    @property
    def pid(self) -> int:
        """The process id of its outer half, which is the leader of its session."""
        return self._popen.pid if self._popen is not None else 0

    def start(self) -> None:
        """Start the process, without waiting for it.

        Raises
        ------
        RunnerError
            When this Python cannot start another one.
        """
        import subprocess

        orphans.adopt_if_wanted()
        reply, end = open_pipe()
        command = [*program(self.launch), str(end), str(os.getpid())]
        try:
            self._popen = subprocess.Popen(
                [*command, "groups"] if self.groups_only else command,
                stdin=subprocess.PIPE,
                bufsize=0,
                pass_fds=(end,),
                start_new_session=True,
            )
        except OSError as exc:
            os.close(reply)
            raise RunnerError(f"a slot cannot be started: {exc}") from exc
        finally:
            os.close(end)
        assert self._popen.stdin is not None
        os.set_blocking(self._popen.stdin.fileno(), False)
        os.set_blocking(reply, False)
        self._reply = reply
        self._release = weakref.finalize(self, _release, self._popen, reply, os.getpid())
        _live.add(self)

    def fileno(self) -> int:
        """Return the fd to wait for before :meth:`receive`."""
        return self._reply

    # --- to the slot

    def send(self, token: str, job: Job, claim: str | None = None, **how: Any) -> None:
        """Give it a job; see :meth:`put`."""
        self.put(token, job, claim, **how)
        self.flush()

    def put(
        self,
        token: str,
        job: Job,
        claim: str | None = None,
        survives: bool = False,
        lease: float | None = None,
    ) -> None:
        """Give it a job with the next :meth:`flush`: one for several costs less.

        Parameters
        ----------
        token : str
            What updates call the job.
        job : Job
            It is run after all that were sent before.
        claim : str, optional
            For a worker that its scheduler may give up: the name of the submission. The
            slot then holds a token file in the run directory while anything of the run
            lives; a second copy gives LOST, or the outcome of the first.
        survives : bool
            Let it come to its end without this process, and leave its outcome in its token.
        lease : float, optional
            Seconds after which it is ended, and LOST, unless :meth:`renew` is called.
        """
        self.pending[token] = job
        message: dict[str, Any] = {"run": token, "job": fields_of(job)}
        if claim is not None:
            message["claim"] = claim
        if survives:
            message["survives"] = True
        if lease is not None:
            message["lease"] = lease
        self._write(message, later=True)

    def renew(self, token: str, lease: float) -> None:
        """Let the job under way go on for so many seconds from now, if it has a lease."""
        if not self._unsent:  # else the slot hangs, and these would pile up
            self._write({"renew": token, "lease": lease})

    def cancel(self, token: str) -> None:
        """End a job, or drop it when it has not begun; from any thread."""
        self._write({"cancel": token})

    def withdraw(self, token: str) -> None:
        """Ask for a job back. It appears in ``withdrawn``, unless it has begun."""
        self._write({"withdraw": token})

    def flush(self) -> None:
        """Send what did not fit into the pipe."""
        with self._lock:
            self._send_unsent()

    def _write(self, message: dict[str, Any], later: bool = False) -> None:
        import json

        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            self._unsent += data
            if not later:
                self._send_unsent()

    def _send_unsent(self) -> None:
        if self._popen is None or self._popen.stdin is None or self._popen.stdin.closed:
            self._unsent = b""
            return
        try:
            while self._unsent:
                sent = os.write(self._popen.stdin.fileno(), self._unsent)
                self._unsent = self._unsent[sent:]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._unsent = b""  # receive() will see its end

    # --- from the slot

    def receive(self) -> list[Update]:
        """Return what it reported; when it died, its running job as LOST.

        Jobs that it had not begun are left in ``pending``.

        Raises
        ------
        RunnerError
            When it died before it could take any job.
        """
        if not self.alive:
            return []
        try:
            data = os.read(self._reply, 65536)
        except BlockingIOError:
            return []
        if not data:
            return self._died()
        import json

        *lines, self._received = (self._received + data).split(b"\n")
        updates = []
        for line in lines:
            update = self._understand(json.loads(line.decode()))
            if update is not None:
                updates.append(update)
        return updates

    def _understand(self, message: dict[str, Any]) -> Update | None:
        if "hello" in message:
            self.inner, self.host = message["hello"], message["host"]
            return None
        token = message["token"]
        if token not in self.pending:
            return None
        if "pid" in message:
            pid = message["pid"]
            return Update(token=token, state=State.RUNNING, pid=pid, host=self.host)
        job = self.pending.pop(token)
        if "withdrawn" in message:
            self.withdrawn.append((token, job))
            return None
        outcome = outcome_of(message["outcome"], self.host)
        return Update(token=token, state=outcome.state, outcome=outcome)

    def _died(self) -> list[Update]:
        code = self._wait(PATIENCE)
        self._discard()
        if not self.inner:
            raise RunnerError(
                f"a slot ended (status {code}) before it could take a job",
                hint=f"try: {' '.join(program(self.launch))} 1 1",
            )
        if not self.pending:
            return []
        token = next(iter(self.pending))
        job = self.pending.pop(token)
        if code < 0:  # its guard was killed too: perhaps nobody has cleaned up
            orphans.end_adopted({slot.pid for slot in _live})
            orphans.end_marked(job.directory)
        text = "the slot that ran it was ended from outside"
        outcome = Outcome(state=State.LOST, cause="lost", host=self.host, message=text)
        return [Update(token=token, state=State.LOST, outcome=outcome)]

    # --- both

    def run(self, job: Job, token: str = "", claim: str | None = None) -> Outcome:
        """Run one job and wait for its outcome; an exception meanwhile ends it."""
        token = token or f"run-{next(_counter)}"
        try:
            self.send(token, job, claim)
        except BaseException:
            self.close()
            raise
        return self.wait(token)

    def wait(
        self,
        token: str,
        on_running: Callable[[Update], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> Outcome:
        """Wait for the outcome of a job that was sent; an exception meanwhile ends it.

        Parameters
        ----------
        token : str
            What it was sent with.
        on_running : callable, optional
            Gets the update that has its pid, when it lasts.
        on_tick : callable, optional
            Called once a second or so.
        """
        import select

        try:
            poller = select.poll()
            poller.register(self._reply, select.POLLIN)
            while True:
                poller.poll(5 if self._unsent else 1000 if on_tick else None)
                self.flush()
                for update in self.receive():
                    if update.token == token and update.outcome is not None:
                        return update.outcome
                    if on_running is not None:
                        on_running(update)
                if on_tick is not None:
                    on_tick()
        except BaseException:
            self.close()
            raise

    def hang_up(self) -> None:
        """Close the line: it ends its run, with grace, and itself. Do not wait for it."""
        if self._popen is not None and self._popen.stdin is not None:
            if not self._popen.stdin.closed:
                self._write({"end": True})
            with self._lock:
                self._popen.stdin.close()

    def close(self, patience: float | None = None) -> None:
        """End it, and wait until nothing is left of its run.

        Parameters
        ----------
        patience : float, optional
            Seconds to wait before its run is killed without grace; by default a little
            more than the grace of the run under way.
        """
        if self.alive:
            if patience is None:
                running = next(iter(self.pending.values()), None)
                patience = PATIENCE + (running.grace if running is not None else 0.0)
            self.hang_up()
            self._wait(patience)
        self.pending.clear()
        self._discard()

    def _wait(self, patience: float) -> int:
        """Return its status when it has ended; it is made to."""
        assert self._popen is not None
        ways = ((patience, self.inner), (PATIENCE, self.inner), (PATIENCE, self._popen.pid))
        for (seconds, pid), number in zip(
            ways, (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL), strict=True
        ):
            if ends(self._reply, seconds):
                break
            if pid:
                os.kill(pid, number)
        return self._popen.wait()

    def _discard(self) -> None:
        if self._popen is not None and self._owner == os.getpid():
            self._reply = -1
            self._release()
            _live.discard(self)


def run_job(job: Job) -> Outcome:
    """Run one job in a slot that this thread keeps for the next one, and wait for it.

    The environment of the slot is that of its start.
    """
    return thread_slot(job.launch).run(job)


def thread_slot(launch: str = LAUNCH) -> Slot:
    """Return the slot of this thread for a launch; it ends with the thread."""
    slots: dict[str, Slot] = _thread.__dict__.setdefault("slots", {})
    slot = slots.get(launch)
    if slot is None or not slot.alive:
        slot = slots[launch] = Slot(launch)
        slot.start()
    return slot


def _release(popen: subprocess.Popen[bytes], reply: int, owner: int) -> None:
    """Give back what a slot holds; called when it is closed, forgotten, or at exit."""
    if popen.stdin is not None:
        popen.stdin.close()
    if owner != os.getpid():
        popen.returncode = 0  # a fork: the slot is its parent's to wait for
    elif popen.poll() is None and ends(reply, PATIENCE):
        popen.wait()
    os.close(reply)
