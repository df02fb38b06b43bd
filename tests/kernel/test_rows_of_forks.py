"""Rows read by forks: the same as one process reads, whatever befalls the forks.

Each test has a process of its own, because one that has threads does not fork.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

COUNT = 40

MODULE = """
import os, signal, time

def number(path, rdata=None):
    n = int(open(path).read())
    if n == 7:
        raise ValueError("seven")
    if n == 13:
        print("thirteen")
    return {"n": n, "list": [n, str(n)], "before": rdata["rfiles"]}

def pid(path, rdata=None):
    return {"pid": os.getpid(), "again": rdata.get("n")}

def crash(path, rdata=None):
    here = os.getpid() == int(os.environ["DRIVER"])
    limit = time.monotonic() + 30
    while here and rdata.get("n", 0) > 3 and not os.path.exists("dying"):
        assert time.monotonic() < limit
        time.sleep(0.001)  # the others are to meet it
    if rdata.get("n") == 21 and not here:
        open("dying", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"ok": 1}

opened = open("mod.py")

def of_opened(path, rdata=None):
    opened.seek(0)
    return {"size": len(opened.read()), "pid": os.getpid()}

def unpicklable(path, rdata=None):
    return {"f": (lambda: 5) if rdata.get("n") in (20, 30) else None}

class Odd:
    def __reduce__(self):
        return (odd, ())

def odd():
    raise RuntimeError("cannot be made anew")

def unreadable(path, rdata=None):
    return {"odd": Odd() if rdata.get("n") == 20 else 0}
"""

BEGIN = """
    import json, os, sys, time
    sys.path.insert(0, os.getcwd())
    import mod
    from soops.api import App, ScoopInfo, ScoopItem
    from soops.kernel.table import rows as room
    from soops.kernel.table.directories import find_run_directories

    room.MIN_PARALLEL, room.WORTH_FORKS = 4, -1.0
    forks = []

    def fork(real=os.fork):
        pid = real()
        if pid:
            forks.append(pid)
        return pid

    os.fork = fork

    def none_is_left():
        for pid in forks:
            try:
                os.kill(pid, 0)
                raise AssertionError("a fork was left")
            except ProcessLookupError:
                pass

    def info(*scrapers):
        return ScoopInfo(items=tuple(ScoopItem(pattern="n.txt", scraper=s) for s in scrapers))

    def rows(*scrapers, n=3, **options):
        what = info(*scrapers)
        found = find_run_directories(["runs"], what)
        progress = []
        made = list(room.scoop_rows(found, what, App.create(found=()), n,
                                    lambda *given: progress.append(given), **options))
        assert [row.directory for row in made] == found
        assert progress == [(done, len(found)) for done in range(1, len(found) + 1)]
        none_is_left()
        return made

    def plain(made):
        kept = [({k: v for k, v in row.values.items() if k != "pid"}, row.errors,
                 row.parameter_keys, [(f.item, f.filenames, f.mtimes, f.columns, f.stamp)
                                      for f in row.files]) for row in made]
        return json.loads(json.dumps(kept))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a study")
    (folder / "mod.py").write_text(MODULE)
    for number in range(COUNT):
        directory = folder / "runs" / f"{number:03d}"
        directory.mkdir(parents=True)
        (directory / "n.txt").write_text(str(number))
    return folder


@pytest.fixture
def run(folder):
    """Return ``run(code)``: the last line that a process printed, as JSON, and the others."""

    def run(code: str):
        text = textwrap.dedent(BEGIN) + textwrap.dedent(code)
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        *others, last = done.stdout.splitlines()
        assert not done.stderr
        return json.loads(last), others

    return run


def test_forks_give_the_same_rows_in_the_same_order(run):
    code = """
        here = plain(rows(mod.number, mod.pid, n=1))
        assert not forks
        held = len(os.listdir("/proc/self/fd"))
        real = mod.pid

        def slow(path, rdata=None):
            time.sleep(0.001)  # so that each has a part
            return real(path, rdata)

        made = rows(mod.number, slow)
        assert len(os.listdir("/proc/self/fd")) == held
        pids = {row.values["pid"] for row in made}
        print(json.dumps([plain(made) == here, len(forks), pids <= {os.getpid(), *forks},
                          bool(pids & set(forks)), made[7].errors]))
    """
    (same, forks, ours, helped, errors), said = run(code)
    assert (same, forks, ours, helped) == (True, 2, True, True)
    assert errors["n.txt"].startswith("ValueError: seven (mod.py:")
    assert said == ["thirteen", "thirteen"], "once by each of the two readings"


@pytest.mark.parametrize("names", [["number", "crash"], ["number", "crash", "local"]])
def test_what_a_fork_died_of_is_read_by_a_process_of_its_own(run, folder, names):
    """So it costs its own row only. A scraper that no other process can import is called here."""
    code = f"""
        os.environ["DRIVER"] = str(os.getpid())
        mod.local = lambda path, rdata=None: {{}}
        made = rows(*(getattr(mod, name) for name in {names}))
        died = {{place: list(row.errors.values()) for place, row in enumerate(made)
                if row.errors and place != 7}}
        print(json.dumps([len(forks), died, sum(row.values.get("ok", 0) for row in made)]))
    """
    (forks, died, fine), _ = run(code)
    (folder / "dying").unlink()
    assert forks == 2
    if "local" in names:
        assert (died, fine) == ({}, COUNT)
    else:
        assert died == {"21": ["ProcessDied: the process that read this directory ended"]}
        assert fine == COUNT - 1


def test_what_a_fork_died_of_is_read_here_where_no_process_may_be_started(run, folder):
    code = """
        from soops.kernel.table import workers

        def refuse(process):
            raise BlockingIOError("Resource temporarily unavailable")

        workers._MainlessProcess._Popen = staticmethod(refuse)
        os.environ["DRIVER"] = str(os.getpid())
        made = rows(mod.number, mod.crash)
        print(json.dumps([len(forks), sum(row.values.get("ok", 0) for row in made)]))
    """
    found, _ = run(code)
    (folder / "dying").unlink()
    assert found == [2, COUNT]


def test_what_fails_in_a_fork_only_is_read_here(run, folder):
    """Forks do not have the files that this process has open: they would move its position."""
    code = """
        made = rows(mod.of_opened)
        print(json.dumps([len(forks), [row.values["size"] for row in made],
                          {row.values["pid"] for row in made} == {os.getpid()}]))
    """
    (forks, sizes, here), _ = run(code)
    assert (forks, here) == (2, True)
    assert sizes == [len((folder / "mod.py").read_text())] * COUNT


@pytest.mark.parametrize("scraper", ["unpicklable", "unreadable"])
def test_what_cannot_be_sent_is_read_here(run, scraper):
    code = f"""
        made = rows(mod.number, mod.{scraper})
        values = [row.values.get("f", row.values.get("odd")) for row in made]
        print(json.dumps([len(forks), [place for place, value in enumerate(values) if value]]))
    """
    (forks, found), _ = run(code)
    assert forks == 2
    assert found == ([20, 30] if scraper == "unpicklable" else [20])


@pytest.mark.parametrize(
    "setting",
    [
        "room.MIN_PARALLEL = 40",
        "room.WORTH_FORKS = 1e9",
        "options['debug'] = True",
        "options['n'] = 1",
        "room.may_fork = lambda: False",
    ],
)
def test_else_nothing_is_forked(run, setting):
    code = f"""
        options = {{}}
        {setting}
        scrapers = (mod.pid,) if "debug" in options else (mod.number, mod.pid)
        made = rows(*scrapers, **options)
        print(json.dumps([len(forks), {{row.values["pid"] for row in made}} == {{os.getpid()}}]))
    """
    found, _ = run(code)
    assert found == [0, True]


def test_without_a_process_more_one_reads_all(run):
    code = """
        import errno

        def fork():
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

        os.fork = fork
        made = rows(mod.number, mod.pid)
        print(json.dumps({row.values["pid"] for row in made} == {os.getpid()}))
    """
    assert run(code)[0] is True


def test_forks_read_on_while_nobody_takes_their_rows(run, folder):
    """They keep what does not fit into the pipe."""
    code = """
        from soops.kernel.values import forks as work

        work.PIPE, room.CHUNK = 4096, 1

        def large(path, rdata=None):
            with open("read", "a") as file:
                file.write(f"{os.getpid()}\\n")
            return {"text": "x" * 10000, "pid": os.getpid()}

        what = info(large)
        found = find_run_directories(["runs"], what)
        with room.Rows(found, what, App.create(found=()), 2) as reading:
            limit = time.monotonic() + 30
            while len(open("read").readlines()) < len(found) and time.monotonic() < limit:
                time.sleep(0.005)
            made = list(reading)
        pids = [row.values["pid"] for row in made]
        print(json.dumps([pids.count(os.getpid()), pids.count(forks[0])]))
    """
    assert run(code)[0] == [4, COUNT - 4]
    (folder / "read").unlink()


def test_who_does_not_want_the_rows_ends_the_forks(run):
    code = """
        what = info(mod.pid)
        found = find_run_directories(["runs"], what)
        held = len(os.listdir("/proc/self/fd"))
        try:
            with room.Rows(found, what, App.create(found=()), 3):
                assert len(forks) == 2
                raise LookupError
        except LookupError:
            pass
        none_is_left()
        print(json.dumps(len(os.listdir("/proc/self/fd")) - held))
    """
    assert run(code)[0] == 0
