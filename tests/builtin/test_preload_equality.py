"""Awkward scripts, each run in a fresh process and preloaded: nobody can tell the difference.

Streams, exit code or signal, and the files that a run leaves are compared. That the second run
was a fork indeed is known from its record, which has no reason why not.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from soops.api import Job, Outcome, Slot
from soops_builtin.run_functions.preload import LAUNCH

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs subreapers")

IMPORTS = "import argparse, atexit, inspect, json, os, random, signal, sys, threading, time\n"


@dataclass
class Case:
    """A script, and what is put before and after its path."""

    script: str
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    name: str = "script.py"
    command: tuple[str, ...] | str = ()


CASES = {
    "argparse": Case(
        "p = argparse.ArgumentParser(); p.add_argument('--num', type=int); print(p.parse_args())",
        ("--num=3",),
    ),
    "argparse-error": Case(
        "p = argparse.ArgumentParser(); p.add_argument('--num', type=int); print(p.parse_args())",
        ("--num=three",),
    ),
    "argparse-help": Case("argparse.ArgumentParser(description=__doc__).parse_args()", ("-h",)),
    "exit-number": Case("print('a', end=''); sys.exit(3)"),
    "exit-text": Case("sys.exit('no good')"),
    "exit-large": Case("sys.exit(1000)"),
    "exit-builtin": Case("exit(4)"),
    "exit-in-thread": Case(
        "t = threading.Thread(target=lambda: sys.exit(5)); t.start(); t.join(); print('on')"
    ),
    "exit-hard": Case("print('never seen', end=''); os._exit(7)"),
    "exception": Case(
        """
        def inner(n):
            return 1 / n
        def outer():
            try:
                inner(0)
            except ZeroDivisionError as exc:
                raise RuntimeError('outer') from exc
        print('before')
        outer()
        """
    ),
    "exception-group": Case("raise ExceptionGroup('two', [ValueError(1), TypeError(2)])"),
    "exception-hook": Case(
        "sys.excepthook = lambda kind, value, trace: print('hook', kind, trace.tb_lineno)\n1 / 0"
    ),
    "exception-in-thread": Case("threading.Thread(target=lambda: 1 / 0, name='t').start()"),
    "syntax-error": Case("print('x'\ndef"),
    "null-byte": Case("print(1)\0"),
    "encoding": Case("# -*- coding: latin-1 -*-\nprint(ascii('é'))"),
    "recursion": Case(
        """
        def deep(n):
            try:
                return deep(n + 1)
            except RecursionError:
                return n
        print(deep(0), len(inspect.stack()), sys._getframe().f_back)
        """
    ),
    "endless-recursion": Case("def f():\n    f()\nf()"),
    "stack": Case(
        """
        import traceback, warnings
        traceback.print_stack()
        warnings.warn('at level 2', stacklevel=2)
        warnings.warn('old', DeprecationWarning)
        """
    ),
    "atexit": Case(
        """
        for n in range(3):
            atexit.register(print, 'exit', n)
        atexit.register(lambda: 1 / 0)
        print('main', end=' ')
        sys.exit(6)
        """
    ),
    "finalizers": Case(
        """
        class Loud:
            def __del__(self):
                print('gone', flush=True)
        keep, cycle = Loud(), []
        cycle.append(cycle)
        left_open = open('left-open', 'w')
        left_open.write('written at the end')
        """
    ),
    "streams": Case(
        """
        sys.stdout.buffer.write(b'bytes ')
        print('text', file=sys.stderr)
        for s in (sys.stdin, sys.stdout, sys.stderr):
            print(s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through,
                  s.isatty(), type(s.buffer), s.fileno(),
                  s is getattr(sys, '__%s__' % s.name[1:-1]))
        print(repr(sys.stdin.read()), 'ü€')
        sys.stdout.write('x' * 5000)
        os.write(1, b'|')
        """
    ),
    "unbuffered": Case("print('a'); os.write(1, b'b'); print('c', end='')", options=("-u",)),
    "full-disk": Case("os.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('lost')"),
    "closed-stdout": Case("print('a'); sys.stdout.close(); sys.stderr.write('b')"),
    "keyboard-interrupt": Case("print('a'); raise KeyboardInterrupt"),
    "sigint": Case("print('a', flush=True); os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"),
    "sigterm": Case("print('a'); os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)"),
    "sigkill": Case("print('a', flush=True); os.kill(os.getpid(), signal.SIGKILL)"),
    "abort": Case("os.abort()"),
    "signals": Case(
        """
        print([signal.getsignal(n) for n in sorted(signal.valid_signals()) if n != 11])
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        signal.signal(signal.SIGALRM, lambda n, f: print('alarm'))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.pause()
        """
    ),
    "broken-pipe": Case("r, w = os.pipe(); os.close(r); os.write(w, b'x')"),
    "threads": Case(
        """
        gate = threading.Event()
        def late():
            gate.wait()
            print('late')
        threading.Thread(target=late).start()
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        print(threading.main_thread().name, threading.current_thread() is threading.main_thread(),
              threading.main_thread().native_id == os.getpid(), threading.active_count())
        gate.set()
        """
    ),
    "process": Case(
        """
        import resource
        print(os.getsid(0) == os.getpid() == os.getpgid(0), os.getcwd(), sorted(os.listdir('.')))
        print(sorted(os.listdir('/proc/self/fd')), os.umask(0), os.nice(0))
        print([os.get_inheritable(n) for n in range(3)], os.fstat(0) == os.stat('/dev/null'))
        print([resource.getrlimit(n) for n in range(10)])
        print(os.sched_getaffinity(0), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime)
        print(open('/proc/self/cmdline').read().rstrip(chr(0)).split(chr(0))[-3:])
        print(os.getppid() == int(open('/proc/self/stat').read().split()[3]))
        """,
        ("one", "two", "three"),
    ),
    "environment": Case(
        """
        import subprocess
        print(sorted(os.environ.items()))
        print(*sorted(subprocess.check_output(['env']).splitlines()), sep='\\n')
        """,
        env={"MINE": "a=b", "EMPTY": ""},
    ),
    "empty-pythonpath": Case("print(sys.path, os.environ['PYTHONPATH'])", env={"PYTHONPATH": ""}),
    "pythonpath": Case(
        "import aside; print(sys.path, aside.__file__)",
        env={"PYTHONPATH": "aside:/nowhere"},
        files={"aside/aside.py": "import string"},
    ),
    "interpreter": Case(
        """
        import __main__
        names = {name: value for name, value in vars(__main__).items() if name[:2] == '__'}
        names.pop('__builtins__')
        print(names, __main__ is sys.modules['__main__'], __main__.__spec__)
        print(sys.path, sys.argv, sys.orig_argv, sys.flags, sys.warnoptions, sys._xoptions)
        print(sys.executable, sys.prefix, sys.getrecursionlimit(), sys.getswitchinterval())
        print([name for name in sys.modules if 'soops' in name or 'customize' in name])
        print([path for path in sys.path_importer_cache if 'hook' in path])
        """,
        ("a", "-b", "c d"),
        ("-O", "-W", "error", "-Xdev"),
    ),
    "collector": Case("import gc; print(gc.get_threshold(), gc.isenabled(), gc.garbage)"),
    "hash-seed": Case(
        "print(hash('a'), {'a', 'b', 'c', 'd'}, sys.flags)", env={"PYTHONHASHSEED": "7"}
    ),
    "warnings-as-errors": Case("import warnings; warnings.warn('x')", options=("-W", "error")),
    "sibling": Case(
        "import helper; print(helper.__file__, helper.VALUE, sorted(os.listdir('__pycache__')))",
        files={"helper.py": "import json, os\nVALUE = json.dumps(os.path.basename(__file__))"},
    ),
    "strange-name": Case("print(__file__, sys.argv)", ("ü", "a\nb", "", "'\"$x"), name="a b é.py"),
    "path-of-script": Case(
        "print(__file__, sys.path[0], sys.argv[0])",
        command=("{python}", "sub/link.py", "x"),
        files={"sub/": ""},
    ),
    "code": Case(
        "", command=("{python}", "-c", "import sys, json; print(sys.argv, __name__)", "x")
    ),
    "code-fails": Case("", command=("{python}", "-uc", "import json\n1/0")),
    "module": Case(
        "",
        command=("{python}", "-m", "pack.tool", "x", "-c"),
        files={
            "pack/__init__.py": "",
            "pack/tool.py": "import sys, json\nfrom . import other\n"
            "print(sys.argv, sys.path[0], __spec__, __package__, other)\n1/0",
            "pack/other.py": "",
        },
    ),
    "package": Case(
        "",
        command=("{python}", "-m", "pack", "x"),
        files={
            "pack/__init__.py": "print('init')",
            "pack/__main__.py": "print(__name__, __spec__)",
        },
    ),
    "shell-text": Case(
        "print(sys.argv, sorted(os.environ.items()))",
        command='{python} script.py  --a=\'b c\' "d \\"e\\" \\$f \\g" h\\ i',
    ),
    "multiprocessing": Case(
        """
        import multiprocessing
        class Thing:
            def __init__(self, n):
                self.n = n
        def double(thing):
            return Thing(2 * thing.n)
        if __name__ == '__main__':
            for method in ('fork', 'spawn', 'forkserver'):
                context = multiprocessing.get_context(method)
                with context.Pool(2) as pool:
                    print(method, [thing.n for thing in pool.map(double, map(Thing, range(4)))])
                process = context.Process(target=sys.exit, args=(3,))
                process.start()
                process.join()
                print(process.exitcode, multiprocessing.current_process().name)
        """
    ),
    "executors": Case(
        """
        import asyncio, concurrent.futures
        async def main():
            await asyncio.sleep(0)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                return await asyncio.get_running_loop().run_in_executor(pool, sum, (1, 2))
        print(asyncio.run(main()))
        """
    ),
    "fork": Case(
        """
        pid = os.fork()
        if not pid:
            print('child')
            sys.exit(9)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """
    ),
    "exec": Case("os.execv('/bin/sh', ['sh', '-c', 'echo $0; exit 5'])"),
    "logging": Case(
        """
        import logging
        form = '%(levelname)s %(name)s %(process)d'
        logging.basicConfig(filename='log', level='INFO', format=form)
        logging.warning('to the file')
        print(open('log').read() == 'WARNING root %d\\n' % os.getpid())
        os.remove('log')
        logging.getLogger('x').handlers or logging.lastResort.emit(
            logging.LogRecord('n', 40, 'p', 1, 'to stderr', (), None))
        print(0 <= time.time() - logging._startTime < 60)
        """
    ),
    "pickle": Case(
        """
        import dataclasses, pickle
        @dataclasses.dataclass
        class Point:
            x: int
        print(pickle.loads(pickle.dumps(Point(1))), Point.__module__, inspect.getsource(Point))
        """
    ),
    "environment-set-first": Case(
        "os.environ['A_LIMIT'] = '1'\nimport decimal; print(os.environ['A_LIMIT'])"
    ),
    "backend-of-environment": Case(
        """
        import matplotlib.pyplot as plt
        print(plt.get_backend())
        plt.plot([1, 2])
        plt.savefig('figure')
        print(plt.rcParams['savefig.format'], os.path.getsize('figure.svg') > 1000)
        os.remove('figure.svg')
        """,
        env={"MPLBACKEND": "svg", "MPLCONFIGDIR": "{mpl}"},
        files={"matplotlibrc": "savefig.format: svg\nlines.linewidth: 3"},
    ),
    "backend-of-script": Case(
        """
        import matplotlib
        matplotlib.use('Agg')
        import matplotlib.pyplot as plt
        fig, ax = plt.subplots()
        ax.plot([1, 3])
        fig.savefig('figure.png', metadata={'Software': None})
        print(plt.get_backend(), plt.get_fignums())
        """,
        env={"MPLCONFIGDIR": "{mpl}"},
    ),
    "blas": Case(
        """
        import numpy as np
        a = np.arange(250000.0).reshape(500, 500) / 1e5
        print(np.dot(a, a).sum(), np.linalg.solve(a + 500 * np.eye(500), a[0])[:3])
        from numpy import random
        print(np.random.RandomState(1).rand(), np.random.default_rng(2).random())
        """
    ),
}


@pytest.fixture(scope="module")
def plain() -> Iterator[Slot]:
    slot = Slot()
    slot.start()
    yield slot
    slot.close()


@pytest.fixture(scope="module")
def font_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a matplotlib directory that is not made anew, with a word about it, by a run."""
    import subprocess

    folder = str(tmp_path_factory.mktemp("mpl"))
    code = "import matplotlib.pyplot"
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MPLCONFIGDIR": folder},
        check=True,
        capture_output=True,
    )
    return folder


def lay_out(case: Case, folder: Path) -> None:
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_text(text)
    text = textwrap.dedent(case.script).lstrip("\n")
    if not text.startswith("#"):
        text = IMPORTS + text
    (folder / case.name).write_bytes(text.encode("latin-1" if "latin-1" in text else "utf-8"))
    if (folder / "sub").exists():
        (folder / "sub" / "link.py").symlink_to(f"../{case.name}")


def run(slot: Slot, case: Case, folder: Path, **fields: str) -> Outcome:
    words = case.command or ("{python}", *case.options, case.name, *case.arguments)
    python = sys.executable
    command = (
        words.replace("{python}", shlex.quote(python))
        if isinstance(words, str)
        else tuple(python if word == "{python}" else word for word in words)
    )
    env = {name: value.replace("{mpl}", fields["mpl"]) for name, value in case.env.items()}
    env["PYTEST_CURRENT_TEST"] = "the same for slots that start in other tests"
    return slot.run(
        Job(
            key="k",
            attempt=1,
            command=command,
            launch=slot.launch,
            directory=str(folder),
            cwd=str(folder),
            env=env,
            stdout=str(folder / "stdout.txt"),
            stderr=str(folder / "stderr.txt"),
            grace=0.2,
        )
    )


def traces(outcome: Outcome, folder: Path) -> dict[str, object]:
    """Return what is left of a run, and take the files away."""
    found: dict[str, object] = {"code": outcome.returncode, "signal": outcome.signal}
    found.update(state=outcome.state, cause=outcome.cause)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            text = path.read_bytes()
            found[str(path.relative_to(folder))] = re.sub(rb"0x[0-9a-f]+", b"0x", text)
    for name in ("stdout.txt", "stderr.txt"):
        (folder / name).unlink()
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_preloaded_run_is_like_a_fresh_one(name, plain, font_cache, tmp_path):
    case = CASES[name]
    lay_out(case, tmp_path)
    run(plain, case, tmp_path, mpl=font_cache)  # makes what later runs find: __pycache__
    traces_of: Callable[[Slot], dict[str, object]] = lambda slot: traces(  # noqa: E731
        run(slot, case, tmp_path, mpl=font_cache), tmp_path
    )
    expected = traces_of(plain)
    slot = Slot(LAUNCH)
    slot.start()

    first = run(slot, case, tmp_path, mpl=font_cache)
    found = [traces(first, tmp_path), traces_of(slot)]
    slot.close()

    assert "not preloaded" not in first.message or name == "environment-set-first"
    assert found == [expected, expected]
