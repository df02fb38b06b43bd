"""The slot of preloaded runs: the usual slot, with another way to start a command.

It runs on the worker, in an interpreter of soops; whatever speaks against a fork leads to a
fresh process, and once to a word in the record of the run. ``main`` is what ``Job.launch`` names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from soops.api import Means, children, serve, spawn
from soops_builtin.run_functions.preload import NAMES
from soops_builtin.run_functions.preload.server import Server, Without
from soops_builtin.run_functions.preload.words import NotPreloaded, PythonCall, python_call

__all__ = ["Preloader", "main"]

#: Loaded interpreters that a slot keeps.
SERVERS = 2
#: Modules that may turn out to be unfit before nothing is preloaded.
UNFIT = 3
#: Kinds of runs of which it is remembered why they are not preloaded.
REFUSED = 32
_MARK = b"SOOPS_RUN"


def main(argv: Sequence[str]) -> None:
    """Serve one slot; the arguments are those of any slot."""
    if sys.platform != "linux" or "groups" in argv[2:]:
        means = Means()
        means.notes.append("not preloaded: this system has no subreapers")
        serve(argv, means=means)
    else:
        preloader = Preloader()
        serve(argv, preloader.start, preloader)


def _is_of(name: str, other: str) -> bool:
    """Return whether one module is the other, or is imported from it."""
    return name.rstrip("?") == other.rstrip("?") or name.startswith(other.rstrip("?") + ".")


@dataclass(frozen=True)
class _Key:
    """What runs of one server have in common."""

    head: tuple[str, ...]
    shell: bool
    cwd: str
    env: frozenset[tuple[bytes, bytes]]


@dataclass
class _Plan:
    """The next run: by which server, with which arguments."""

    server: Server | None = None
    call: PythonCall | None = None
    key: _Key | None = None
    env: Mapping[bytes, bytes] = field(default_factory=dict)


class Preloader(Means):
    """Keeps loaded interpreters, and starts runs from them."""

    def __init__(self) -> None:
        super().__init__()
        self._servers: dict[_Key, Server] = {}
        self._refused: dict[_Key, str] = {}
        self._said: set[str] = set()
        self._previous: _Key | None = None
        self._plan = _Plan()

    def prepare(self, job: Mapping[str, Any], env: Mapping[bytes, bytes]) -> None:
        """Have a server ready for the job, if there can be one."""
        self._plan = _Plan(env=env)
        try:
            call = python_call(job["command"], env)
            shell = isinstance(job["command"], str)
            common = frozenset(item for item in env.items() if item[0] != _MARK)
            key = _Key(call.head, shell, job["cwd"], common)
            self._plan = _Plan(self._server(key, call, job, env), call, key, env)
        except NotPreloaded as exc:
            self._say(str(exc))

    def start(
        self,
        job: Mapping[str, Any],
        actions: Sequence[tuple[Any, ...]],
        env: Mapping[bytes, bytes],
    ) -> int:
        """Start the main process of a job, and return its pid."""
        plan = self._plan
        before = children(os.getpid())
        for _ in range(2):
            if plan.server is None or plan.call is None or plan.key is None:
                break
            answer = self._fork(plan.server, plan.call, job, actions, env)
            if answer[:1] == ["pid"]:
                return int(answer[1])
            if answer[:1] == ["error"]:
                raise OSError(int(answer[1]), os.strerror(int(answer[1])))
            if answer[:1] == ["no"]:
                self._say(answer[1])
                break
            self._forget(plan.key, plan.server)
            begun = children(os.getpid()) - self.keep - before
            if begun:
                return min(begun)
            if not answer:
                self._say("the loaded interpreter went away")
                break
            try:
                plan.server = self._new_server(plan.key, plan.call, job, plan.env)
            except NotPreloaded as exc:
                self._say(str(exc))
                break
        return spawn(job, actions, env)

    # --- servers

    def _server(
        self, key: _Key, call: PythonCall, job: Mapping[str, Any], env: Mapping[bytes, bytes]
    ) -> Server | None:
        """Return the server of a kind of runs; a new one when another such run came before."""
        previous, self._previous = self._previous, key
        server = self._servers.get(key)
        if server is not None:
            if server.pid in self.keep:
                return server
            self._forget(key, server)
        if key in self._refused:
            raise NotPreloaded(self._refused[key])
        if previous not in (None, key):
            raise NotPreloaded("the command differs from the one before in more than arguments")
        try:
            return self._new_server(key, call, job, env)
        except NotPreloaded as exc:
            if len(self._refused) >= REFUSED:
                self._refused.clear()
            self._refused[key] = str(exc)
            raise

    def _new_server(
        self, key: _Key, call: PythonCall, job: Mapping[str, Any], env: Mapping[bytes, bytes]
    ) -> Server:
        named = env.get(os.fsencode(NAMES), b"?")
        try:
            # It is asked with a command that does nothing, should the hook not be found.
            asked = Server((call.head[0], *call.options, "-c", ""), env, self.keep)
            note, names = asked.find(call.kind, call.what, os.fsdecode(named))
            if note:
                self._say(note)
            for _ in range(UNFIT):
                server = Server(job["command"], env, self.keep)
                try:
                    server.load(names)
                    break
                except Without as exc:
                    self._say(f"{exc.args[0].rstrip('?')}: {exc.args[1]}")
                    names = [name for name in names if not _is_of(name, exc.args[0])]
            else:
                raise NotPreloaded("too many modules that cannot be preloaded")
        except (OSError, ValueError, TypeError) as exc:
            raise NotPreloaded(f"the interpreter cannot be started ({exc})") from exc
        while len(self._servers) >= SERVERS:
            oldest = next(iter(self._servers))
            self._forget(oldest, self._servers[oldest])
        self._servers[key] = server
        return server

    def _fork(
        self,
        server: Server,
        call: PythonCall,
        job: Mapping[str, Any],
        actions: Sequence[tuple[Any, ...]],
        env: Mapping[bytes, bytes],
    ) -> list[str]:
        """Ask for a run with the streams that ``actions`` describe."""
        opened: list[int] = []
        streams = [0, 1, 2]
        try:
            for action in actions:
                if action[0] == os.POSIX_SPAWN_OPEN:
                    _, target, path, flags, mode = action
                    opened.append(os.open(path, flags | os.O_CLOEXEC, mode))
                    streams[target] = opened[-1]
                else:
                    _, source, target = action
                    streams[target] = streams[source] if source < 3 else source
            return server.fork(env[_MARK], job["cwd"], call.arguments, streams)
        finally:
            for number in opened:
                os.close(number)

    def _forget(self, key: _Key, server: Server) -> None:
        self._servers.pop(key, None)
        server.end()

    def _say(self, reason: str) -> None:
        """Put a reason into the next record, once."""
        if reason not in self._said:
            self._said.add(reason)
            self.notes.append(f"not preloaded: {reason}")
