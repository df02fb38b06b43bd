"""Preloaded Python: what is loaded once, what is refused and why, and what may go wrong with it."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from soops.api import App, Job, Outcome, RunnerSetup, Slot, State, Update
from soops_builtin.run_functions.preload import LAUNCH, NAMES, preload

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs subreapers")
#: Says that it was imported in a file of its own; the same file for all processes.
COUNTED = "with open({log!r}, 'a') as file:\n    file.write('imported\\n')\n"
ENVIRONMENT_TELLS = "import os\nvalue = os.environ.get('TELL')\n"

Run = Callable[..., Outcome]


@pytest.fixture
def slot() -> Iterator[Slot]:
    slot = Slot(LAUNCH)
    slot.start()
    yield slot
    slot.close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a directory of installed packages with two modules."""
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    (site / "counted.py").write_text(COUNTED.format(log=str(tmp_path / "log")))
    (site / "telling.py").write_text(ENVIRONMENT_TELLS)
    return site


@pytest.fixture
def make_job(tmp_path: Path, site: Path) -> Callable[..., Job]:
    def make(script: str, *arguments: str, **fields: object) -> Job:
        (tmp_path / "s.py").write_text(textwrap.dedent(script))
        job = Job(
            key="k",
            attempt=1,
            command=(sys.executable, "s.py", *arguments),
            launch="",
            directory=str(tmp_path),
            cwd=str(tmp_path),
            env={"PYTHONPATH": str(site)},
            timeout=60.0,
            grace=0.3,
            stdout=str(tmp_path / "stdout.txt"),
            stderr=str(tmp_path / "stderr.txt"),
        )
        return preload(replace(job, **fields))

    return make


@pytest.fixture
def run(slot: Slot, make_job: Callable[..., Job]) -> Run:
    return lambda script, *arguments, **fields: slot.run(make_job(script, *arguments, **fields))


@pytest.fixture
def printed(tmp_path: Path) -> Callable[[], str]:
    return lambda: (tmp_path / "stdout.txt").read_text()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def imports(tmp_path: Path) -> int:
    path = tmp_path / "log"
    return len(path.read_text().splitlines()) if path.exists() else 0


# --- what is loaded ----------------------------------------------------------------------


def test_it_has_its_name_and_keeps_all_but_the_launch(make_job, tmp_path):
    assert App.create().resolve("run function", "preload") is preload
    job = replace(make_job("pass"), launch="")

    assert preload(job) == replace(job, launch=LAUNCH)


def test_an_installed_module_is_imported_once_for_all_runs(run, printed, tmp_path):
    for number in range(4):
        outcome = run("import counted, sys\nprint(sys.argv[1])", str(number))
        assert (outcome.state, outcome.message) == (State.DONE, "")
        assert printed() == f"{number}\n"

    assert imports(tmp_path) == 1


def test_a_module_beside_the_script_is_imported_by_each_run(run, printed, tmp_path):
    for number in range(3):
        # Of another length each time: bytecode is told from its source by second and size.
        text = f"import counted\nNUMBER = {number}\n" + "#" * number
        (tmp_path / "beside.py").write_text(text)
        run("import beside\nprint(beside.NUMBER)")
        assert printed() == f"{number}\n"

    assert imports(tmp_path) == 1  # what it imports is installed


def test_modules_can_be_named(run, monkeypatch, tmp_path):
    monkeypatch.setenv(NAMES, "counted")
    script = "import importlib\nimportlib.import_module('count' + 'ed')"
    run(script)
    run(script)

    assert imports(tmp_path) == 1


def test_nothing_can_be_named(run, monkeypatch, tmp_path):
    monkeypatch.setenv(NAMES, "")
    run("import counted")
    run("import counted")

    assert imports(tmp_path) == 2


def test_random_numbers_are_others_in_each_run(run, printed):
    script = "import random\nimport numpy as np\nprint(random.random(), np.random.rand())"
    numbers: set[str] = set()
    for _ in range(4):
        run(script)
        numbers.update(printed().split())

    assert len(numbers) == 8


# --- what is not loaded ------------------------------------------------------------------

#: Each changes the environment before the import of a module that depends on it.
CHANGES = {
    "item": "import os\nos.environ['TELL'] = 'set'",
    "method": "import os\nos.environ.update(TELL='set')",
    "operator": "import os\nos.environ |= {'TELL': 'set'}",
    "alias": "import os\nenvironment = os.environ\nenvironment['TELL'] = 'set'",
    "from": "from os import environ as e\ne['TELL'] = 'set'",
    "star": "from os import *\nenviron['TELL'] = 'set'",
    "putenv": "import os\nos.putenv('TELL', 'x')\nos.environ['TELL'] = 'set'",
    "function": "import os\ndef f():\n    os.environ['TELL'] = 'set'\nf()",
    "function of a later one": (
        "import os\ndef f():\n    g()\ndef g():\n    os.environ['TELL'] = 'set'\nf()"
    ),
    "class": "import os\nclass A:\n    os.environ['TELL'] = 'set'",
    "instance": (
        "import os\nclass A:\n    def __init__(self):\n        os.environ['TELL'] = 'set'\nA()"
    ),
    "beside": "import beside",
    "function beside": "import beside2\nbeside2.f()",
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_depends_on_a_changed_environment_is_imported_after_it(name, run, printed, tmp_path):
    (tmp_path / "beside.py").write_text("import os\nos.environ['TELL'] = 'set'\n")
    (tmp_path / "beside2.py").write_text("import os\ndef f():\n    os.environ['TELL'] = 'set'\n")
    for _ in range(2):
        outcome = run(f"{CHANGES[name]}\nimport telling\nprint(telling.value)")
        assert printed() == "set\n", outcome.message


PATHS = {
    "insert": "import sys\nsys.path.insert(0, 'first')",
    "slice": "import sys\nsys.path[:0] = ['first']",
    "sum": "import sys\nsys.path = ['first'] + sys.path",
    "other name": "import sys as system\nsystem.path.insert(0, 'first')",
    "from": "from sys import path\npath.insert(0, 'first')",
    "from as": "from sys import path as places\nplaces.insert(0, 'first')",
    "alias": "import sys\nplaces = sys.path\nplaces.insert(0, 'first')",
    "module": "import sys, types\nsys.modules['telling'] = types.SimpleNamespace(value='first')",
}


@pytest.mark.parametrize("name", PATHS)
def test_a_changed_path_is_searched_by_the_run(name, run, printed, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "telling.py").write_text("value = 'first'\n")
    for _ in range(2):
        outcome = run(f"{PATHS[name]}\nimport telling\nprint(telling.value)")
        assert printed() == "first\n", outcome.message


def test_to_read_environment_and_path_is_no_obstacle(run, tmp_path):
    script = """
        import os, sys
        home, debug = os.environ["PATH"], os.environ.get("DEBUG", "0") == "1"
        if "HOME" in os.environ and len(sys.argv) > 1:
            print(dict(os.environ))
        sys.path.append("more")
        import counted
    """
    run(script)
    assert run(script).message == ""

    assert imports(tmp_path) == 1


UNFIT = {
    "print('hello')": "writes to stdout",
    "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()": "starts threads",
    "import os\nfile = os.open(__file__, os.O_RDONLY)": "open",
    "import subprocess\nprocess = subprocess.Popen(['sleep', '1'])": "starts processes",
    "1 / 0": "ZeroDivisionError",
}


@pytest.mark.parametrize("text", UNFIT, ids=list(UNFIT.values()))
def test_an_unfit_module_is_left_out_alone(text, run, site, tmp_path):
    (site / "unfit.py").write_text(text)
    script = (
        "import counted\ntry:\n    from unfit import a, b, c, d, e\nexcept Exception:\n    pass"
    )
    first = run(script)
    assert "not preloaded: unfit: its import" in first.message
    assert UNFIT[text] in first.message
    begun = imports(tmp_path)

    run(script)
    assert imports(tmp_path) == begun


@pytest.mark.parametrize("module", ["sitecustomize"])
def test_one_that_prints_before_the_script_prints_in_each_run(module, run, printed, site):
    (site / f"{module}.py").write_text("print('before')")
    for _ in range(2):
        outcome = run("import counted\nprint('script')")
        assert printed() == "before\nscript\n"
    assert "not preloaded" not in outcome.message  # it is said once


REFUSED = {
    "| cat": "{python} s.py | cat",
    "option -v": ("{python}", "-v", "s.py"),
    "option -X importtime": ("{python}", "-X", "importtime", "s.py"),
    "option -I": ("{python}", "-I", "s.py"),
    "option -i": ("{python}", "-i", "s.py"),
    "call Python": ("sh", "-c", "exit 0"),
    "no file": ("{python}", "nothing.py"),
    "script": ("{python}", "-"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_said_why_not(name, run):
    command = REFUSED[name]
    if isinstance(command, str):
        command = command.replace("{python}", sys.executable)
    else:
        command = tuple(word.replace("{python}", sys.executable) for word in command)

    message = run("pass", command=command).message

    assert "not preloaded: " in message
    assert name.replace("| cat", "shell syntax ('|')") in message


@pytest.mark.parametrize(
    "name", ["PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME", "PYTHONINSPECT", "PYTHONTRACEMALLOC"]
)
def test_variables_that_show_the_start_are_kept(name, run, make_job):
    assert f"{name} is set" in run("pass", env={name: "1"}).message


def test_arguments_are_read_with_the_encoding_of_the_run(run, printed, site):
    env = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for _ in range(2):
        outcome = run("import os, sys\nprint(os.fsencode(sys.argv[1]))", "ä", env=env)
        assert (outcome.message, printed()) == ("", "b'\\xc3\\xa4'\n")


# --- what may go wrong -------------------------------------------------------------------


def test_a_killed_interpreter_is_started_again(slot, run, printed, tmp_path):
    run("import counted")
    (server,) = children(slot.inner)
    os.kill(server, signal.SIGKILL)

    outcome = run("import counted\nprint('again')")

    assert (outcome.state, printed()) == (State.DONE, "again\n")
    assert imports(tmp_path) == 2


def test_what_a_run_leaves_behind_is_ended_and_the_interpreter_is_not(slot, run, tmp_path):
    run("import counted")
    before = children(slot.inner)
    outcome = run("""
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.environ.clear()
                time.sleep(60)
            os._exit(0)
        os.wait()
    """)

    assert outcome.state is State.DONE
    assert "1 process was left behind and ended" in outcome.message
    assert children(slot.inner) == before


def test_other_processes_see_the_arguments_and_the_mark_of_each_run(slot, run, printed, tmp_path):
    script = """
        words = open("/proc/self/cmdline").read().split(chr(0))
        marks = [word for word in open("/proc/self/environ").read().split(chr(0))
                 if word.startswith("SOOPS_RUN=")]
        print(words[1:3], marks)
    """
    for attempt, word in enumerate(("first", "other"), 1):
        run(script, word, attempt=attempt)
        assert printed() == f"{['s.py', word]} {[f'SOOPS_RUN={tmp_path}#{attempt}']}\n"

    (server,) = children(slot.inner)
    assert b"first" not in Path(f"/proc/{server}/cmdline").read_bytes()


def test_its_timeout_ends_a_run_and_not_the_interpreter(slot, run):
    run("import counted")
    before = children(slot.inner)

    outcome = run("import time\ntime.sleep(60)", timeout=0.2)

    assert (outcome.state, outcome.signal) == (State.TIMEOUT, "SIGTERM")
    assert children(slot.inner) == before


def test_the_interpreter_ends_with_its_slot(make_job, tmp_path):
    slot = Slot(LAUNCH)
    slot.start()
    slot.run(make_job("import counted"))
    (server,) = children(slot.inner)

    slot.close()

    assert not Path(f"/proc/{server}").exists()


def test_other_options_end_up_with_an_interpreter_of_their_own(run, slot, printed):
    for level in ("", "-O", "-O", "", ""):
        command = (sys.executable, *filter(None, [level]), "s.py")
        run("import sys\nprint(sys.flags.optimize)", command=command)
        assert printed() == f"{int(bool(level))}\n"
    assert len(children(slot.inner)) == 2


def test_output_can_be_bounded(run, printed):
    run("import counted")
    outcome = run("print('a' * 10000)", max_output=100)

    assert "left out" in outcome.message
    assert printed().startswith("aaa")


# --- where -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runner", "given"),
    [
        ("local", {}),
        ("inline", {}),
        ("dask", {"processes": False}),
        ("dask", {"processes": True, "threads_per_worker": 1}),
    ],
    ids=["local", "inline", "dask-threads", "dask-processes"],
)
def test_runners(runner, given, make_job, tmp_path):
    setup = RunnerSetup(n_workers=1, root=tmp_path, cluster_kwargs=given)
    jobs = []
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        job = make_job("import counted, sys\nprint(sys.argv[1])", str(number))
        jobs.append(replace(job, directory=str(folder), stdout=str(folder / "out")))
    place = App.create().resolve("runner", runner)(setup)
    ended: list[Update] = []
    try:
        left = list(jobs)
        while len(ended) < len(jobs):
            room = place.capacity()
            if left and room:
                place.submit([left.pop(0)])
            ended += [update for update in place.poll(1.0) if update.outcome is not None]
    finally:
        place.close()

    assert [update.outcome.message for update in ended] == [""] * 4
    assert [(tmp_path / str(n) / "out").read_text() for n in range(4)] == [
        f"{n}\n" for n in range(4)
    ]
    assert imports(tmp_path) == 1
