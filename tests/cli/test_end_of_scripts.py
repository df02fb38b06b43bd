"""How a console script ends: at once, but with everything done that is to be done then."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import atexit, sys, threading
from soops.cli import scripts

atexit.register(print, "at exit")
threading.Thread(target=lambda: (threading.main_thread().join(), print("thread"))).start()
sys.stdout.write("no newline ")
sys.argv[1:] = sys.argv[1:] or ["--version"]
try:
    scripts.soops()
finally:
    print("raised")
"""


def typed(*words: str, code: str = SCRIPT, options: tuple[str, ...] = ()):
    line = [sys.executable, *options, "-c", code, *words]
    return subprocess.run(
        line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


def test_threads_end_exit_functions_run_and_output_is_flushed():
    done = typed()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("no newline soops, version ")
    assert done.stdout.endswith("\nthread\nat exit\n")


def test_the_exit_code_is_that_of_the_command():
    done = typed("run", "--no-such-option", "x")

    assert done.returncode == 2
    assert "--no-such-option" in done.stderr
    assert done.stdout.endswith("at exit\n")


@pytest.mark.parametrize("watch", ["sys.setprofile(print_none)", "sys.settrace(print_none)"])
def test_who_watches_the_process_sees_its_end(watch):
    code = f"import sys\nprint_none = lambda *_: None\n{watch}\n" + SCRIPT

    done = typed(code=code)

    assert "raised\n" in done.stdout
    assert (done.returncode, done.stdout.splitlines()[-2:]) == (0, ["thread", "at exit"])


def test_a_profile_of_a_command_is_written(tmp_path):
    out = tmp_path / "profile"
    words = ["-m", "cProfile", "-o", str(out), "-m", "soops", "--version"]

    done = subprocess.run([sys.executable, *words], capture_output=True, timeout=60, check=True)

    assert b"version" in done.stdout
    assert out.stat().st_size > 1000


def test_the_module_is_the_command():
    words = ["-m", "soops", "find", "no such directory"]

    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 3
    assert "no such directory" in done.stderr
