"""A small study whose program is a shell script, and what starts it and looks at it afterwards.

And dask clusters for it: schedulers and workers like those that people start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

import soops
import soops.cli
from soops.testing import Called, wait_until

if TYPE_CHECKING:
    from soops.study import FoundRun

MODULE = """\
def get_run_info():
    run_cmd = "sh {script_dir}/program.sh {output_dir}"
    opt_args = {
        "--aa": "--aa={--aa}",
        "--bb": "--bb={--bb}",
        "--flag": "--flag",
        "--fail": "--fail={--fail}",
        "--name": "--name={--name}",
        "--hold": "--hold={--hold}",
    }
    return run_cmd, opt_args, "output_dir", "done.txt"
"""

#: Notes its start, its words and its end, and whether another one is at work in its directory.
#: It waits for the file that --hold names, makes done.txt, and ends as --fail says.
PROGRAM = r"""dir=$1
shift
if [ -e "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2> /dev/null; then
    echo beside >> "$dir/beside.txt"
fi
[ $# -eq 0 ] || printf '%s\0' "$@" > "$dir/words.bin"
code=0
gate=
for word in "$@"; do
    case $word in
        --fail=*) code=${word#--fail=} ;;
        --hold=*) gate=${word#--hold=} ;;
    esac
done
echo start >> "$dir/log.txt"
echo $$ > "$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"
while [ -n "$gate" ] && [ ! -e "$gate" ]; do sleep 0.02; done
touch "$dir/done.txt"
echo end >> "$dir/log.txt"
rm "$dir/pid"
[ "$code" != sig ] || kill -9 $$
exit "$code"
"""


class Mini:
    """A study in a directory of its own, in which the test is, too.

    Its runs are in ``out``. :attr:`gate` is the file for which runs with ``--hold=gate`` wait.
    """

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.root = folder / "out"
        self.gate = folder / "gate"
        self._capfd = capfd
        self._started: list[subprocess.Popen[str]] = []
        self.write("mini.py", MODULE)
        self.write("program.sh", PROGRAM)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the study."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    @staticmethod
    def line(study: str, options: Sequence[str], module: str) -> list[str]:
        """Return the words after ``soops-run``; the study gets its output directory."""
        return ["-o", "out", *map(str, options), f"output_dir='out/%s', {study}", module]

    def run(self, study: str, *options: str, module: str = "mini.py") -> Called:
        """Run the study in this process."""
        return self.call(soops.cli.run_main, *self.line(study, options, module))

    def call(self, command: Callable[[list[str]], int], *words: str) -> Called:
        """Call a command in this process."""
        self._capfd.readouterr()
        code = command(list(words))
        out, err = self._capfd.readouterr()
        return Called(code=code, out=out, err=err)

    def start(
        self,
        study: str,
        *options: str,
        module: str = "mini.py",
        prefix: Sequence[str] = (),
        **env: str,
    ) -> subprocess.Popen[str]:
        """Start ``soops-run`` in a process, and a process group, of its own."""
        words = [*prefix, sys.executable, "-m", "soops", "run"]
        words += self.line(study, options, module)
        driver = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **env},
        )
        self._started.append(driver)
        return driver

    def found(self, root: str = "out") -> list[FoundRun]:
        """Return the recorded runs by number."""
        return sorted(soops.find([root]), key=lambda found: found.number)

    def states(self) -> list[str]:
        """Return how runs ended, by number; without those that were not begun."""
        return [found.state for found in self.found() if found.state != "unknown"]

    def directories(self) -> list[Path]:
        """Return the run directories by name."""
        return sorted(path for path in self.root.glob("[0-9]*-*") if path.is_dir())

    def words(self, directory: Path) -> list[str]:
        """Return what the program got besides its directory."""
        path = directory / "words.bin"
        return path.read_bytes().decode("utf-8").split("\0")[:-1] if path.exists() else []

    def logs(self) -> list[list[str]]:
        """Return what the program noted in each run directory: starts and ends."""
        files = [path / "log.txt" for path in self.directories()]
        return [path.read_text().split() if path.exists() else [] for path in files]

    def pids(self) -> list[int]:
        """Return the processes of the runs that noted theirs and have not noted their end."""
        found = []
        for path in self.root.glob("*/pid"):
            with suppress(FileNotFoundError):
                found.append(int(path.read_text()))
        return found

    def wait_for_runs(self, count: int) -> list[int]:
        """Wait until so many runs are under way, and return their processes."""
        return self.wait_until(lambda: len(pids := self.pids()) == count and pids)

    def wait_until(self, condition: Callable[[], Any]) -> Any:
        """Wait for something that the newest driver does; it has not ended before."""
        driver = self._started[-1]

        def so_far() -> Any:
            value = condition()
            assert value or driver.poll() is None, f"it ended: {driver.communicate()}"
            return value

        return wait_until(so_far)

    def wait_for_end(self, pids: Sequence[int]) -> None:
        """Wait until none of these processes lives."""
        wait_until(lambda: not any(alive(pid) for pid in pids))

    def csv_row(self, directory: Path) -> dict[str, str]:
        """Return the texts of the row that tools of 2026.2 read."""
        import csv

        with (directory / "soops-parameters.csv").open(encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
        return row

    def close(self) -> None:
        """End what the test left."""
        self.gate.touch()
        for driver in self._started:
            if driver.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(driver.pid, signal.SIGKILL)
            driver.communicate()


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not collected does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture
def lives() -> Callable[[int], bool]:
    """Return what tells whether a process runs."""
    return alive


@pytest.fixture
def mini(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Mini]:
    """Return a small study, and be in its directory."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    study = Mini(folder, capfd)
    yield study
    study.close()


class Cluster:
    """A ``dask scheduler`` and ``dask worker`` processes.

    Parameters
    ----------
    folder : Path
        For their files and logs.
    env : mapping
        Added to the environment of all of them.
    host, prefix : str, sequence of str
        The address to listen at, and what starts a process there.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.env = {**os.environ, **env}
        self.host, self.prefix = host, prefix
        self.processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []

    def begin(self, workers: int = 0) -> Cluster:
        """Start the scheduler, and workers; wait for the scheduler only."""
        self.file = self.folder / f"scheduler-{len(self.processes)}.json"
        words = ("--host", self.host, "--port", "0", "--no-dashboard")
        self.scheduler = self.spawn("scheduler", *words, "--scheduler-file", str(self.file))
        if workers:
            self.add(workers)
        return self

    def add(
        self, count: int, *words: str, host: str = "", prefix: Sequence[str] = ()
    ) -> list[subprocess.Popen[bytes]]:
        """Start workers of one thread, without nannies unless ``words`` ask for them."""
        where = ("--scheduler-file", str(self.file), "--host", host or self.host)
        more = ("--nthreads", "1", "--no-dashboard", *(words or ("--no-nanny",)))
        added = [self.spawn("worker", *where, *more, prefix=prefix) for _ in range(count)]
        self.workers += added
        return added

    def top_up(self, count: int) -> None:
        """Have so many workers that live."""
        alive_ones = [worker for worker in self.workers if worker.poll() is None]
        self.add(count - len(alive_ones))

    def wait_for_workers(self, count: int) -> None:
        """Wait until the scheduler knows so many workers."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def spawn(self, *words: str, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start ``dask WORDS...`` in a session of its own."""
        log = self.folder / f"{words[0]}-{len(self.processes)}.log"
        if not self.processes:
            self.log = log
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*(prefix or self.prefix), sys.executable, "-m", "dask", *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.env,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    @property
    def address(self) -> str:
        """The address of the scheduler, which this waits for."""

        def read() -> str:
            assert self.scheduler.poll() is None, "the scheduler ended"
            with suppress(FileNotFoundError, ValueError):
                return str(json.loads(self.file.read_text())["address"])
            return ""

        return str(wait_until(read))

    def options(self, *more: str) -> list[str]:
        """Return the words of ``soops-run`` that use it."""
        given = (f"scheduler={self.address}", *more)
        return ["--runner", "dask", *(word for opt in given for word in ("--runner-opt", opt))]

    @staticmethod
    def chain(pid: int) -> list[int]:
        """Return who is above a process: shells, both halves of its slot, its worker, ..."""
        found: list[int] = []
        while pid > 1:
            text = Path(f"/proc/{pid}/stat").read_text()
            pid = int(text.rpartition(")")[2].split()[1])
            found.append(pid)
        return found

    def worker_of(self, pid: int) -> int:
        """Return the process of the dask worker that has the run of a program."""
        chain = self.chain(pid)
        slot = [b"/launch\0" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in chain]
        assert slot.count(True) == 2, chain
        return chain[slot.index(True) + 2]

    def close(self) -> None:
        """End all, stopped ones too."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def make_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    """Return ``make_cluster(workers, env=, host=, prefix=) -> Cluster`` for a whole module."""
    yield from _clusters(tmp_path_factory)


@pytest.fixture
def start_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    """Return ``start_cluster(workers, env=) -> Cluster`` for one test."""
    yield from _clusters(tmp_path_factory)


def _clusters(factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def make(
        workers: int = 0, *, env: Mapping[str, str] = MappingProxyType({}), **where: Any
    ) -> Cluster:
        made.append(Cluster(factory.mktemp("cluster"), env, **where))
        return made[-1].begin(workers)

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture(scope="module")
def standing_cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """Return a cluster for all tests of a module."""
    return make_cluster()


@pytest.fixture
def cluster(standing_cluster: Cluster) -> Cluster:
    """Return a cluster that has two workers at least; its scheduler must not be ended."""
    standing_cluster.top_up(2)
    return standing_cluster
