"""What could make a fork differ from a fresh process: looked for before anything is forked."""

from __future__ import annotations

import os
import sys


class Unfit(Exception):
    """A module that cannot be preloaded, and why."""


class Loaded:
    """The modules of the loaded interpreter, imported here.

    Parameters
    ----------
    names : list of str
        In the order of the script.
    known : set of str
        The modules that any interpreter has before it runs something.

    Raises
    ------
    Unfit
        Naming the module that cannot be loaded for several runs.
    RuntimeError
        When something else is against it.
    """

    def __init__(self, names: list[str], known: set[str]) -> None:
        state = State()
        for name in names:
            _load(name, state)
        state.check_maps()
        modules = list(sys.modules.items())
        self._hiders = {name for name, _ in modules} - known - set(sys.builtin_module_names)
        roots = tuple(root + "/" for root in [*installed(), os.path.dirname(__file__)])
        paths = {getattr(module, "__file__", None) for _, module in modules}
        self._outside = [
            path for path in paths if isinstance(path, str) and not path.startswith(roots)
        ]
        self._stamps = self._look()

    def check_threads(self) -> None:
        """Raise when threads outlived a fork: those of a BLAS end before it and come back."""
        if len(os.listdir("/proc/self/task")) > 1:
            raise RuntimeError("its imports start threads that do not end for a fork")

    def is_stale(self) -> bool:
        """Return whether a loaded module that is no installed package has another text now."""
        return self._stamps != self._look()

    def hidden(self) -> str:
        """Say which loaded module a file beside the script would have come before, if any."""
        place = _script_directory()
        return "" if place is None else _hidden_by(place, self._hiders)

    def _look(self) -> list[tuple[int, int]]:
        stamps = []
        for path in self._outside:
            try:
                status = os.stat(path)
                stamps.append((status.st_mtime_ns, status.st_size))
            except OSError:
                stamps.append((0, -1))
        return stamps


def _load(name: str, state: State) -> None:
    """Import a module; ``package.name?`` if it is one. Raises :class:`Unfit`."""
    import importlib

    try:
        if name.endswith("?"):
            parent, _, last = name[:-1].rpartition(".")
            if hasattr(sys.modules.get(parent), last):
                return
        importlib.import_module(name.rstrip("?"))
    except ImportError as exc:
        if not name.endswith("?"):
            raise Unfit(name, f"it cannot be imported ({exc})") from None
    except BaseException as exc:
        text = f"its import raises {type(exc).__name__}: {exc}"
        raise Unfit(name, text) from None
    reason = state.changed()
    if reason:
        raise Unfit(name, reason)


class State:
    """What imports may leave behind that forks would share or lose."""

    def __init__(self) -> None:
        self.files, self.maps, self.cwd = self._files(), self._maps(), os.getcwd()

    def changed(self) -> str:
        """Return why an import may not be shared, or an empty string."""
        import _thread

        if _has_written():
            return "its import writes to stdout or stderr"
        if _thread._count() or _keeps_threads():
            return "its import starts threads"
        if os.getcwd() != self.cwd:
            return "its import changes the working directory"
        try:
            os.waitpid(-1, os.WNOHANG)
            return "its import starts processes"
        except ChildProcessError:
            pass
        opened = self._files() - self.files
        return f"its import leaves {min(opened)} open" if opened else ""

    def check_maps(self) -> None:
        """Raise when memory is shared with other processes: locks, for instance."""
        shared = self._maps() - self.maps
        if shared:
            raise RuntimeError(f"its imports share memory ({min(shared)})")

    @staticmethod
    def _files() -> set[str]:
        found = set()
        for number in os.listdir("/proc/self/fd"):
            try:
                path = os.readlink("/proc/self/fd/" + number)
            except OSError:  # that of the listing itself
                continue
            if not path.startswith("/dev/"):
                found.add(f"{path} ({number})")
        return found

    @staticmethod
    def _maps() -> set[str]:
        with open("/proc/self/maps", "rb") as file:
            rows = [row.split(None, 5) for row in file]
        return {os.fsdecode(row[-1].strip()) for row in rows if row[1] == b"rw-s"}


def check_quiet(name: str) -> None:
    """Raise when something was written before any module was imported for the script."""
    if _has_written():
        raise RuntimeError(f"{name} writes to stdout or stderr")


def _has_written() -> bool:
    sys.stdout.flush()
    sys.stderr.flush()
    return os.fstat(1).st_size > 0


def _keeps_threads() -> bool:
    """Return whether there are threads that do not end for a fork: those of a BLAS do."""
    if len(os.listdir("/proc/self/task")) == 1:
        return False
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return len(os.listdir("/proc/self/task")) > 1


def installed() -> list[str]:
    """Return the directories of the standard library and of installed packages."""
    packages = [path for path in sys.path if path.endswith(("/site-packages", "/dist-packages"))]
    return [os.path.dirname(os.__file__), *packages]


def _hidden_by(place: str, hiders: set[str]) -> str:
    """Say which loaded module a file beside the script would have come before, if any."""
    try:
        names = os.listdir(place)
    except OSError:
        return ""
    for name in names:
        stem, _, suffix = name.partition(".")
        if stem not in hiders:
            continue
        path = os.path.join(place, name)
        if suffix.startswith("py") or suffix.endswith("so") or _is_package(path):
            return f"{path} comes before an installed module"
    return ""


def _is_package(path: str) -> bool:
    """Return whether it is a directory that Python takes for a regular package."""
    try:
        return any(name.startswith("__init__.") for name in os.listdir(path))
    except OSError:
        return False


def _script_directory() -> str | None:
    """Return what Python will put in front of ``sys.path``, or None."""
    if getattr(sys.flags, "safe_path", False):
        return None
    if sys.argv[0] in ("-c", "-m"):
        return os.getcwd()
    return os.path.dirname(os.path.realpath(sys.argv[0]))
