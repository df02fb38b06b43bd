"""The token of an attempt: what keeps two copies of a run out of one directory.

A scheduler that gives up a worker starts its tasks again elsewhere, while the worker may live
on behind a cut cable. So an attempt on a far worker begins by creating a file that only one can
create, and holds it locked while anything of the run lives, even when the slot was killed and
its guard has to clean up. The local runner needs none of this.

A copy that comes late finds the token of its attempt: the one of the copy that was first, or the
one that a later attempt left in its place. After the run was recorded the tokens are gone, and
the record itself tells the copy that nobody waits for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time

from .command import cause_of_write
from .marks import NOT_STARTED, attempt_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .line import Line
    from .processes import Safe

#: Seconds, besides the grace of the job, that an earlier attempt is waited for.
PATIENCE = 5.0
#: Seconds for which somebody who only looks may be in the way of a lock.
LOOK = 1.0
#: The record of a run; the driver sets the one of an earlier attempt aside before it submits.
RECORD_NAME = "soops-run.json"


class Attempt:
    """One attempt of one job on a worker that its scheduler may give up.

    Parameters
    ----------
    line : Line
        What to wait with.
    safe : Safe, optional
        What keeps the lock when the slot is killed.
    job : mapping
        The fields of a ``Job``.
    claim : str
        Names the submission: its copies have the same, and no other attempt has.
    """

    def __init__(self, line: Line, safe: Safe | None, job: Mapping[str, Any], claim: str) -> None:
        self.line, self.safe, self.job, self.claim = line, safe, job, claim
        self.held: int | None = None

    def begin(self, host: str) -> dict[str, Any] | None:
        """Create the token; return the outcome when the attempt must not run."""
        directory, number = self.job["directory"], self.job["attempt"]
        for earlier in range(1, number):
            known = self._outlast(attempt_path(directory, earlier), host)
            if known is not None:
                return known
        path = attempt_path(directory, number)
        try:
            self.held = _create(path)
            self._hold()
            self._write(self._who(host))
        except FileExistsError:
            return self._copy_of(path)
        except OSError as exc:
            self._give_back(path)  # a full disk: leave nothing half written
            text = f"{path!r} cannot be written: {exc.strerror}"
            return {"state": "failed", "cause": cause_of_write(exc), "message": text}
        if os.path.lexists(f"{directory}/{RECORD_NAME}"):
            self._give_back(path)
            return _lost("this run was recorded before the copy of it could begin")
        return None

    def end(self, outcome: Mapping[str, Any]) -> None:
        """Leave the outcome in the token, should its answer never arrive, and let go."""
        if self.held is not None:
            try:
                self._write(outcome)
            except OSError:
                pass  # a full disk; the answer itself needs none
            self._let_go()

    def _give_back(self, path: str) -> None:
        if self.held is not None:
            try:
                os.unlink(path)
            except OSError:
                pass  # what is in it keeps copies out, and nothing holds it
            self._let_go()

    def _hold(self) -> None:
        assert self.held is not None
        limit = time.monotonic() + LOOK
        while _lock(self.held) is False and time.monotonic() < limit:
            self.line.wait(0.001)
        if self.safe is not None:
            self.safe.put(self.held)

    def _who(self, host: str) -> dict[str, Any]:
        who = {"claim": self.claim, "host": host, "pid": os.getpid(), "boot": _boot_id()}
        if self.line.survives:
            # The next driver records the run, perhaps from this alone.
            who.update(survives=True, command=self.job["command"])
        return who

    def _let_go(self) -> None:
        assert self.held is not None
        if self.safe is not None:
            self.safe.take()
        os.close(self.held)
        self.held = None

    def _write(self, value: Mapping[str, Any]) -> None:
        assert self.held is not None
        os.write(self.held, _lines(value))

    def _copy_of(self, path: str) -> dict[str, Any]:
        who, outcome = read_token(path)
        if outcome is not None and who.get("claim") == self.claim:
            return outcome
        host = who.get("host", "another worker")
        return _lost(f"a copy of this attempt was started on {host}")

    def _outlast(self, path: str, host: str) -> dict[str, Any] | None:
        """Wait until an earlier attempt is over; return what it came to while we waited.

        One that has not begun never will: its token is made here.
        """
        try:
            fd = _create(path)
            os.write(fd, _lines({"claim": self.claim, "host": host}, NOT_STARTED))
            os.close(fd)
            return None
        except FileExistsError:
            pass
        except OSError:
            return None  # the token of this attempt cannot be made either, and says why
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        waited = False
        limit = time.monotonic() + self.job.get("grace", 5.0) + PATIENCE
        try:
            while _lock(fd) is False:
                if self.line.left or self.line.stop or self.line.cancelled:
                    return NOT_STARTED
                if self.line.expired:
                    return _lost("its lease was over before it could begin")
                if time.monotonic() > limit:
                    host = read_token(path)[0].get("host", "another worker")
                    return _lost(f"an earlier attempt is still under way on {host}")
                waited = True
                self.line.wait(0.1)
        finally:
            os.close(fd)
        outcome = read_token(path)[1] if waited else None
        return outcome if outcome is not None and outcome["state"] == "done" else None


def _boot_id() -> str:
    """Return what all processes of one kernel have in common, and nobody else; or nothing."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def read_token(path: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return who made a token, and the outcome that it left if it came to one."""
    try:
        with open(path, "rb") as file:
            lines = [json.loads(line) for line in file if line.endswith(b"\n")]
    except (OSError, ValueError):
        lines = []
    return (lines[0] if lines else {}), (lines[1] if len(lines) > 1 else None)


def _create(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def _lines(*values: Mapping[str, Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def _lock(fd: int) -> bool | None:
    """Lock a token: True; False while somebody holds it; None where locks do not work."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _lost(message: str) -> dict[str, Any]:
    return {"state": "lost", "cause": "copy", "message": message}
