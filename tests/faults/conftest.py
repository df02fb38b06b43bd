"""A small study whose program is a shell script, and what starts it and looks at it afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
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
        self, study: str, *options: str, module: str = "mini.py", **env: str
    ) -> subprocess.Popen[str]:
        """Start ``soops-run`` in a process, and a process group, of its own."""
        words = [sys.executable, "-m", "soops", "run", *self.line(study, options, module)]
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
