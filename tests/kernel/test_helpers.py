"""Many directories read by forks: the same rows as one process reads, whatever befalls them.

Each test has a process of its own, because one that has threads does not fork.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap

import pytest

from soops.kernel.records.record import set_aside, write_record
from soops.kernel.records.rundir import RunDirWriter, RunTemplate
from soops.kernel.study.identity import identity, pkey
from soops.kernel.values import RunRecord, State

COUNT = 60

BEGIN = """
    import json, os, sys
    from soops.kernel.records import helpers
    from soops.kernel.records.directories import DirectoryReader
    from soops.kernel.records.index import Index
    from soops.kernel.records.rundir import RunTemplate

    helpers.MANY, helpers.CHUNK = 10, 3
    helpers.available_cpus = lambda: 3
    root, driver, forks = sys.argv[1], os.getpid(), []

    def fork(real=os.fork):
        pid = real()
        if pid:
            forks.append(pid)
        return pid

    os.fork = fork

    def tell():
        with Index(root, write=False, empty=True) as index:
            synced = index.sync(RunTemplate(root + "/%s"))
            rows = list(index.rows())
        try:
            os.waitpid(-1, os.WNOHANG)
            raise AssertionError("a helper was left")
        except ChildProcessError:
            pass
        print(json.dumps([rows, synced.problems, len(forks), len(os.listdir("/proc/self/fd"))]))
"""


def process(root, code: str) -> subprocess.CompletedProcess:
    """Return the end of a process: that of the last one that has its standard output."""
    text = textwrap.dedent(BEGIN) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", text, str(root)], capture_output=True, text=True, timeout=60
    )


def run(root, code: str) -> list:
    """Return what a process printed: rows, problems, number of forks, open files."""
    done = process(root, code)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with runs in every state that a directory can be in."""
    root = tmp_path_factory.mktemp("a root")
    template = RunTemplate(str(root / "%s"))
    writer = RunDirWriter(str(root), {}, True)
    for number in range(COUNT):
        values = {"--a": number, "--b": "x\udcff" if number == 7 else "é"}
        directory = template.directory(number, pkey(values))
        writer.prepare(directory, pkey=pkey(values), number=number, values=values, command="true")
        if number % 10 == 3:
            continue  # cut short
        write_record(directory, record(number, values))
        if number % 10 == 4:
            set_aside(directory, 1)
        if number % 10 == 5:
            with open(f"{directory}/soops-run.json", "a") as file:
                file.write("damage")
    last = template.directory(COUNT - 1, pkey({"--a": COUNT - 1, "--b": "é"}))
    shutil.copytree(last, f"{last}.bak")
    (root / "no run").mkdir()
    return root


def record(number: int, values: dict) -> RunRecord:
    return RunRecord(
        identity=identity(values),
        pkey=pkey(values),
        number=number,
        directory=f"{number:03d}-{pkey(values)}",
        parameters=values,
        command="true",
        state=State.DONE,
        cause="exit",
        returncode=0,
        elapsed=0.25,
        runner="local",
    )


@pytest.fixture(scope="module")
def truth(root):
    """What one process reads."""
    rows, problems, forks, files = run(root, "helpers.available_cpus = lambda: 1\ntell()")
    assert (len(rows), forks) == (COUNT, 0)
    assert len(problems) == COUNT // 10 + 1, "damaged records, and the copy"
    return rows, problems, files


def test_helpers_read_the_same_and_leave_nothing_behind(root, truth):
    rows, problems, forks, files = run(root, "tell()")
    assert forks == 2
    assert (rows, problems, files) == truth


def test_helpers_do_read_and_hold_nothing_that_the_driver_has_open(root, truth, tmp_path):
    said = tmp_path / "said"
    code = f"""
        import time
        held = open("/dev/null")

        def plain(reader, name, real=helpers._plain):
            with open({str(said)!r}, "a") as file:
                file.write(f"{{os.getpid()}} {{len(os.listdir('/proc/self/fd')) - 2}}\\n")
            return real(reader, name)

        def read(reader, names, real=helpers._read):
            while not os.path.exists({str(said)!r}):
                time.sleep(0.001)  # until a helper is at work
            return real(reader, names)

        helpers._plain, helpers._read = plain, read
        tell()
    """
    rows, problems, forks, files = run(root, code)
    assert (rows, problems, files - 1, forks) == (*truth, 2)
    lines = [line.split() for line in said.read_text().splitlines()]
    # Three streams, the numbers of the chunks, and the pipe for the rows.
    assert {held for _, held in lines} == {"5"}


@pytest.mark.parametrize("when", ["before", "between"])
def test_what_a_helper_leaves_undone_is_read_all_the_same(root, truth, when):
    code = f"""
        import signal

        def plain(reader, name, real=helpers._plain, calls=[]):
            calls.append(name)
            if {when!r} == "before" or len(calls) == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(reader, name)

        helpers._plain = plain
        tell()
    """
    rows, problems, forks, files = run(root, code)
    assert (rows, problems, files, forks) == (*truth, 2)


@pytest.mark.parametrize("fault", ["MemoryError", "KeyboardInterrupt", "ValueError"])
def test_what_a_helper_stumbles_over_is_read_all_the_same(root, truth, fault):
    code = f"""
        def plain(reader, name):
            raise {fault}

        helpers._plain = plain
        tell()
    """
    rows, problems, forks, files = run(root, code)
    assert (rows, problems, files, forks) == (*truth, 2)


def test_without_a_process_more_one_reads_all(root, truth):
    code = """
        import errno

        def fork():
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

        os.fork = fork
        tell()
    """
    rows, problems, _, files = run(root, code)
    assert (rows, problems, files) == truth


def test_a_process_with_threads_does_not_fork(root, truth):
    code = """
        import threading

        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        tell()
        end.set()
        thread.join()
    """
    rows, problems, forks, files = run(root, code)
    assert (rows, problems, files, forks) == (*truth, 0)


def test_who_stops_reading_ends_the_helpers(root):
    code = """
        reader = DirectoryReader(root, RunTemplate(root + "/%s"))
        before = len(os.listdir("/proc/self/fd"))
        reading = helpers.read_each(reader, reader.names())
        next(reading)
        assert len(forks) == 2
        reading.close()
        for pid in forks:
            try:
                os.kill(pid, 0)
                raise AssertionError("a helper was left")
            except ProcessLookupError:
                pass
        print(json.dumps(len(os.listdir("/proc/self/fd")) - before))
    """
    assert run(root, code) == 0


def test_ctrl_c_ends_the_driver_and_its_helpers(root):
    code = """
        import signal

        def interrupted(real=os.fork):
            pid = real()
            if pid and len(forks) == 2:
                os.killpg(0, signal.SIGINT)
            return pid

        os.setsid()
        # Whoever started the tests may let them ignore it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.fork = interrupted
        before = len(os.listdir("/proc/self/fd"))
        try:
            tell()
        except KeyboardInterrupt:
            for pid in forks:
                try:
                    os.kill(pid, 0)
                    raise AssertionError("a helper was left")
                except ProcessLookupError:
                    pass
            print(json.dumps(len(os.listdir("/proc/self/fd")) - before))
    """
    assert run(root, code) == 0


def test_rows_larger_than_the_pipe_arrive(root, truth):
    code = """
        from soops.kernel.values import forks as room

        room.PIPE, helpers.CHUNK = 4096, 20
        tell()
    """
    rows, problems, forks, files = run(root, code)
    assert (rows, problems, files, forks) == (*truth, 2)


def test_what_does_not_fit_into_the_pipe_of_numbers_is_done_here(root):
    """Nothing waits for ever for a user whose new pipes are small."""
    code = """
        import fcntl
        from soops.kernel.values.forks import Forks

        def pipe(real=os.pipe):
            ends = real()
            assert fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, 4096) == 4096
            return ends

        os.pipe = pipe
        with Forks(lambda number: b"%d" % number, 3000, 2) as working:
            done = dict(working.pieces())
        here = sum(sent is None for sent in done.values())
        print(json.dumps([
            sorted(done) == list(range(3000)),
            all(sent is None or int(sent) == number for number, sent in done.items()),
            3000 - 1024 <= here, not working.undone, len(forks),
        ]))
    """
    assert run(root, code) == [True, True, True, True, 2]


def test_helpers_do_not_outlive_a_killed_driver(root):
    code = """
        import signal

        def killed(real=os.fork):
            pid = real()
            if pid and len(forks) == 2:
                print(*forks, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            return pid

        os.fork, helpers.CHUNK = killed, 1
        tell()
    """
    done = process(root, code)
    assert done.returncode == -9
    assert len(done.stdout.split()) == 2
