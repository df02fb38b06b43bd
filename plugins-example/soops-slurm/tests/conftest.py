"""Fixtures of soops, studies for a queue, and a Slurm that is started for the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["soops.testing"]

HERE = Path(__file__).parent / "slurm"
QUICK = ("--runner-opt", "poll=0.2", "--runner-opt", "poll_max=0.5", "--runner-opt", "patience=2")
#: Notes its start and end in its directory, and waits for a gate if it is to.
PROGRAM = """
import os, pathlib, sys, time
here, n, gate, fails = pathlib.Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:5]
job = os.environ.get('SLURM_ARRAY_JOB_ID') or os.environ['FAKE_JOB']
def note(what):
    fd = os.open(here / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{what} {job} {os.getpid()}\\n".encode())
    os.close(fd)
note("start")
while gate != "none" and not pathlib.Path(gate).exists():
    time.sleep(0.02)
note("end")
sys.exit(int(n == int(fails)))
"""


class QueuedStudy:
    def __init__(self, path: Path, runner: str = "slurm") -> None:
        self.path, self.runner = path, runner
        self.drivers: list[subprocess.Popen[str]] = []
        (path / "program.py").write_text(PROGRAM)

    def write(
        self, sets: int, gate: str = "none", fails: int = -1, command: str | None = None
    ) -> None:
        """Write a study of the program above; or of a command of the shell."""
        words = [sys.executable, "-S", "{script_dir}/program.py", "{output_dir}", "{n}"]
        words = [*words, gate, str(fails)]
        if command is not None:
            words = ["sh", "-c", f'cd "$0" && {command}', "{output_dir}", "{n}"]
        (self.path / "study.toml").write_text(
            textwrap.dedent(
                f"""
                [study]
                command = {json.dumps(words)}
                output_dir = "runs/%s"
                finished = "exit:0"

                [parameters]
                n = {list(range(sets))}
                """
            )
        )

    def start(self, *options: str, n: int = 4) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "soops", "run", "--runner", self.runner, "-n", str(n)]
        driver = subprocess.Popen(
            [*command, *QUICK, *options, "study.toml"],
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.drivers.append(driver)
        return driver

    def end(self) -> None:
        """End drivers that a failed test left."""
        for driver in self.drivers:
            if driver.returncode is None:
                driver.kill()
                driver.communicate()

    def kill(self, *options: str, runs: int = 4, n: int = 4) -> None:
        """Kill a driver when so many runs have begun, and its job has a number."""
        from soops.testing import wait_until  # not before pytest has seen the plugin

        driver = self.start(*options, n=n)
        wait_until(lambda: self.begun() >= runs and self.jobs())
        driver.kill()
        driver.communicate()

    def run(self, *options: str, n: int = 4, code: int = 0) -> str:
        driver = self.start(*options, n=n)
        out, err = driver.communicate(timeout=100)
        assert driver.returncode == code, (out, err)
        return err

    def directories(self) -> list[Path]:
        return sorted(path for path in (self.path / "runs").glob("*-*") if path.is_dir())

    def notes(self) -> dict[str, list[str]]:
        found = {}
        for path in self.directories():
            notes = path / "notes"
            lines = notes.read_text().splitlines() if notes.exists() else []
            found[path.name] = [line.split()[0] for line in lines]
        return found

    def jobs(self) -> list[str]:
        """Return the ids of what is in the queue."""
        paths = (self.path / "runs/.soops" / self.runner).glob("soops-*/id")
        return [path.read_text().strip() for path in paths]

    def begun(self) -> int:
        return sum("start" in notes for notes in self.notes().values())

    def over(self) -> int:
        return sum("end" in notes for notes in self.notes().values())

    def status(self) -> dict[str, object]:
        """Return what ``soops jobs`` says."""
        command = [sys.executable, "-m", "soops", "jobs", "--json", "runs"]
        done = subprocess.run(command, cwd=self.path, capture_output=True, check=True)
        return json.loads(done.stdout)

    def records(self) -> list[dict[str, object]]:
        return [
            json.loads(path.read_text()) for path in sorted(self.path.glob("runs/*/soops-run.json"))
        ]


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the long mode of some tests")
    parser.addoption(
        "--slurm", action="store_true", help="install and start a Slurm for the tests (as root)"
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        skip = pytest.mark.skip(reason="takes minutes: --long")
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def slurm(request, tmp_path_factory):
    """A running Slurm of two nodes with two CPUs each; the environment says which."""
    if os.environ.get("SLURM_CONF"):
        yield Path(os.environ["SLURM_CONF"]).parent
        return
    if not request.config.getoption("--slurm"):
        pytest.skip("needs a Slurm: that of SLURM_CONF, or one of its own with --slurm, as root")
    if os.geteuid() != 0:
        pytest.skip("only root can start a Slurm of its own")
    if not shutil.which("slurmctld") and not shutil.which("apt-get"):
        pytest.skip("Slurm is not installed, and there is no apt-get to do so")
    root = tmp_path_factory.mktemp("slurm")
    env = {**os.environ, "SLURM_ROOT": str(root / "here")}
    done = subprocess.run(
        ["bash", str(HERE / "start-slurm.sh")], env=env, capture_output=True, text=True
    )
    if done.returncode:
        subprocess.run(["bash", str(HERE / "stop-slurm.sh")], env=env, check=False)
        pytest.skip(f"Slurm does not start: {done.stderr[-300:]}")
    patch = pytest.MonkeyPatch()
    patch.setenv("SLURM_CONF", str(root / "here" / "slurm.conf"))
    yield root / "here"
    patch.undo()
    subprocess.run(["bash", str(HERE / "stop-slurm.sh")], env=env, check=False)


class Daemons:
    """Those of the Slurm of the tests: end them, start them, configure them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.text = (root / "slurm.conf").read_text()

    def _table(self) -> dict[str, int]:
        lines = (self.root / "pids").read_text().splitlines()
        return {name: int(pid) for pid, name in (line.split() for line in lines)}

    def alive(self, name: str) -> bool:
        path = Path(f"/proc/{self._table()[name]}/stat")
        return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"

    def kill(self, name: str, number: int = 9) -> None:
        """End one, and wait until it has."""
        from soops.testing import wait_until

        os.kill(self._table()[name], number)
        wait_until(lambda: not self.alive(name))

    def start(self, name: str) -> None:
        """Start one that has ended, as the script does."""
        program, _, node = name.partition("-")
        words = [program, "-D", *(["-N", node] if node else [])]
        with (self.root / "log" / f"{name}.again").open("a") as log:
            again = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        table = {**self._table(), name: again.pid}
        again.returncode = 0  # whoever stops Slurm ends it
        lines = [f"{pid} {daemon}\n" for daemon, pid in table.items()]
        (self.root / "pids").write_text("".join(lines))

    def configure(self, *lines: str) -> None:
        """Restart the controller with other lines in its configuration; with none, as it was."""
        names = {line.partition("=")[0] for line in lines} - {"PartitionName"}
        kept = [line for line in self.text.splitlines() if line.partition("=")[0] not in names]
        new = "\n".join([*kept, *lines]) + "\n"
        if (self.root / "slurm.conf").read_text() == new and self.alive("slurmctld"):
            return
        (self.root / "slurm.conf").write_text(new)
        if self.alive("slurmctld"):
            self.kill("slurmctld", 15)
        self.start("slurmctld")
        self.wait()

    def wait(self) -> None:
        """Wait until both nodes are there."""
        from soops.testing import wait_until

        def there() -> bool:
            resume = ["scontrol", "update", "nodename=n1,n2", "state=resume"]
            subprocess.run(resume, check=False, capture_output=True)
            idle = ["sinfo", "-h", "-N", "-p", "main", "-t", "idle,mixed,allocated", "-o", "%N"]
            done = subprocess.run(idle, check=False, capture_output=True, text=True)
            return len(done.stdout.split()) == 2

        wait_until(there)


@pytest.fixture
def daemons(slurm):
    """The daemons of our own Slurm; after the test all are there again, as they were."""
    if not (slurm / "pids").exists():
        pytest.skip("this Slurm is not ours to kill")
    daemons = Daemons(slurm)
    yield daemons
    for name in ("slurmd-n1", "slurmd-n2", "slurmctld"):
        if not daemons.alive(name):
            daemons.start(name)
    daemons.configure()
    daemons.wait()


@pytest.fixture
def queued_study(tmp_path):
    """Return ``queued_study(runner)``, for a scheduler that is there."""
    made: list[QueuedStudy] = []

    def make(runner: str) -> QueuedStudy:
        made.append(QueuedStudy(tmp_path, runner))
        return made[-1]

    yield make
    for study in made:
        study.end()


@pytest.fixture
def study(slurm, tmp_path):
    study = QueuedStudy(tmp_path)
    yield study
    study.end()
    name = ",".join(path.name for path in (tmp_path / "runs/.soops/slurm").glob("soops-*"))
    if name:
        subprocess.run(["scancel", "--quiet", "--name", name], check=False)
