"""Dask workers without a shared file system: runs in scratch directories, files that come back.

The workers see an empty file system at the place of the runs, and the directory of their own
files is another one for each.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from soops.testing import wait_until
from soops_builtin.runners.dask import stage as dask_stage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

STAGED = ("--runner-opt", "stage_out=yes")

#: Notes where it is, waits for the gate, leaves awkward files. MINI is the directory of the study.
PROGRAM = r"""dir=$1
echo start >> "MINI/begun.txt"
echo "$PWD/$dir" > "$dir/where.txt"
cat "$dir/soops-parameters.csv" > "$dir/seen.csv"
pwd; echo $$ > "MINI/pid.new"; mv "MINI/pid.new" "MINI/pid-$$"
case " $* " in *" --hold="*) while [ ! -e MINI/gate ]; do sleep 0.02; done ;; esac
mkdir -p "$dir/deep/er" "$dir/empty" "$dir/closed"
printf 'x\ny' > "$dir/deep/er/a b.txt"
: > "$dir/$(printf 'new\nline')"
: > "$dir/$(printf 'byte\377')"
ln -s deep/er/nowhere "$dir/link"
echo "#!/bin/sh" > "$dir/tool"; chmod 750 "$dir/tool"
echo 1 > "$dir/closed/file"; chmod 400 "$dir/closed/file"; chmod 500 "$dir/closed"
mkfifo "$dir/pipe"
head -c 3000001 /dev/zero > "$dir/large.bin"
touch "$dir/done.txt"
rm "MINI/pid-$$"
case " $* " in *" --fail=3 "*) exit 3 ;; esac
"""


@pytest.fixture
def staged(mini):
    """Return the study with a program that is on the workers, by its absolute path."""
    mini.write("program.sh", PROGRAM.replace("MINI", str(mini.folder)))
    text = (mini.folder / "mini.py").read_text()
    mini.write("mini.py", text.replace("{script_dir}", str(mini.folder)))
    mini.root.mkdir()
    return mini


@pytest.fixture
def apart(staged):
    """Return the words that start a process which sees an empty directory of runs."""
    words = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"')
    words = (*words, str(staged.root))
    done = subprocess.run([*words, "true"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount namespaces are not permitted: {done.stderr.strip()}")
    return words


def add(cluster, count, apart):
    """Start workers whose scratch directories are below the directory of the cluster."""
    place = ("--no-nanny", "--local-directory", str(cluster.folder))
    return cluster.add(count, *place, prefix=apart)


def pids(staged):
    return [int(path.read_text()) for path in staged.folder.glob("pid-*")]


def check(directory: Path) -> None:
    """All files of a run are there as the program left them, and nothing else."""
    names = {os.fsencode(path.relative_to(directory)) for path in directory.rglob("*")}
    assert names == {
        b"deep", b"deep/er", b"deep/er/a b.txt", b"empty", b"closed", b"closed/file",
        b"new\nline", b"byte\377", b"link", b"tool", b"large.bin", b"done.txt", b"where.txt",
        b"seen.csv", b"stdout.txt", b"stderr.txt", b"run.py", b"soops-parameters.csv",
        b"soops-run.json",
    }  # fmt: skip
    assert (directory / "deep/er/a b.txt").read_text() == "x\ny"
    assert os.readlink(directory / "link") == "deep/er/nowhere"
    modes = {"tool": 0o750, "closed": 0o500, "closed/file": 0o400}
    for name, mode in modes.items():
        assert stat.S_IMODE((directory / name).stat().st_mode) == mode, name
    assert (directory / "large.bin").read_bytes() == bytes(3_000_001)
    assert "aa" in (directory / "seen.csv").read_text()
    where = (directory / "where.txt").read_text().strip()
    assert "/soops-run-" in where and not Path(where).exists(), "its scratch directory is gone"


def test_all_files_come_back_and_nothing_stays(staged, start_cluster, apart):
    cluster = start_cluster()
    add(cluster, 2, apart)

    driver = staged.start("--aa=[1, 2, 3]", "-n", "2", *STAGED, *cluster.options())

    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, out + err
    assert staged.states() == ["done"] * 3
    for directory in staged.directories():
        check(directory)
        scratch = Path((directory / "where.txt").read_text().strip())
        assert cluster.folder in scratch.parents
    wait_until(lambda: not list(cluster.folder.rglob("soops-run-*")))


def test_a_run_that_fails_is_brought_back_too(staged, start_cluster, apart):
    cluster = start_cluster()
    add(cluster, 1, apart)

    driver = staged.start("--aa=1, --fail=3", "-n", "1", *STAGED, *cluster.options())

    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 1, out + err
    assert staged.states() == ["failed"]
    check(*staged.directories())
    assert staged.found()[0].returncode == 3


def test_files_that_cannot_be_written_here_are_a_failure_that_says_so(staged, start_cluster, apart):
    program = staged.folder / "program.sh"
    spoil = 'rm "$dir/soops-parameters.csv"; mkdir "$dir/soops-parameters.csv"\n'
    program.write_text(program.read_text().replace("mkfifo", spoil + "mkfifo"))
    cluster = start_cluster()
    add(cluster, 1, apart)

    driver = staged.start("--aa=1", "-n", "1", *STAGED, *cluster.options())

    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 1, out + err
    assert "Traceback" not in err
    assert staged.states() == ["failed"]
    assert "its files cannot be written: File exists" in err
    (directory,) = staged.directories()
    assert not list(directory.glob(".soops-*"))


def test_a_run_that_is_stopped_is_brought_back_and_nothing_of_it_stays(
    staged, start_cluster, apart, lives
):
    cluster = start_cluster()
    add(cluster, 1, apart)
    words = ("-n", "1", "--grace", "0.3", *STAGED, *cluster.options())
    driver = staged.start("--aa=[1, 2], --hold=gate", *words)
    (pid,) = staged.wait_until(lambda: pids(staged))
    assert driver.stderr is not None

    os.kill(driver.pid, signal.SIGINT)
    staged.wait_until(lambda: "waiting for" in driver.stderr.readline())
    os.kill(driver.pid, signal.SIGINT)

    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, out + err
    assert staged.states() == ["cancelled"]
    (directory,) = staged.directories()
    assert (directory / "where.txt").exists()
    assert not (directory / "done.txt").exists()
    wait_until(lambda: not lives(pid))
    wait_until(lambda: not list(cluster.folder.rglob("soops-run-*")))


def test_a_worker_that_dies_costs_an_attempt(staged, start_cluster, apart):
    cluster = start_cluster()
    add(cluster, 2, apart)
    driver = staged.start("--aa=1, --hold=gate", "-n", "1", *STAGED, *cluster.options())
    (pid,) = staged.wait_until(lambda: pids(staged))
    chain = cluster.chain(pid)
    (worker,) = [worker for worker in cluster.workers if worker.pid in chain]

    os.killpg(worker.pid, signal.SIGKILL)
    staged.wait_until(lambda: [one for one in pids(staged) if one != pid])
    staged.gate.touch()

    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, out + err
    assert [found.attempts for found in staged.found()] == [2]
    (directory,) = staged.directories()
    (directory / "soops-run.json.attempt-1").unlink()
    assert (directory / "done.txt").exists()
    assert not list(directory.glob(".soops-*"))


def test_a_worker_that_dies_while_it_sends_costs_an_attempt(staged, start_cluster, apart):
    """It has so much to send that it is killed in the middle of it."""
    cluster = start_cluster()
    (first,) = add(cluster, 1, apart)
    driver = staged.start("--aa=1, --hold=gate", "-n", "1", *STAGED, *cluster.options())
    staged.wait_until(lambda: pids(staged))
    (scratch,) = cluster.folder.rglob("soops-run-*")
    # Files that take long to send: many pieces.
    with next(scratch.rglob("where.txt")).with_name("huge.bin").open("wb") as file:
        file.truncate(2_000 << 20)
    staged.gate.touch()

    (directory,) = staged.wait_until(staged.directories)
    staged.wait_until(lambda: list(directory.glob(".soops-stage-*/huge.bin")))
    os.killpg(first.pid, signal.SIGKILL)
    add(cluster, 1, apart)

    out, err = driver.communicate(timeout=100)
    assert driver.returncode == 0, out + err
    assert [found.attempts for found in staged.found()] == [2]
    assert not list(directory.glob("**/huge.bin*")), "of two sets of files one is taken"
    assert (directory / "done.txt").exists()


def test_neither_side_holds_more_than_a_piece(tmp_path, make_stage):
    stage = make_stage(large=5 << 20, small=2000)
    seen = 0
    number = 0
    while (piece := stage.piece(number)) is not None:
        size = sum(len(data) for _, _, _, data in piece)
        assert size <= dask_stage.PIECE
        assert stage.piece(number) is piece, "it can be asked again"
        seen += sum(kind in ("file",) for kind, _, _, _ in piece)
        number += 1
    assert seen == 2001
    assert number >= 5


@pytest.fixture
def make_stage(tmp_path):
    from soops.api import Job

    stages = []

    def make(large, small):
        place = str(tmp_path)
        job = Job(
            key="k", attempt=1, command=("touch", f"{place}/run/x"), launch="", cwd=place,
            directory=f"{place}/run", stdout=f"{place}/run/stdout.txt",
        )  # fmt: skip
        stage = dask_stage.Stage("t", job, {}, place)
        stages.append(stage)
        assert stage.job.command == ("touch", f"{stage.directory}/x")
        assert stage.job.stdout == f"{stage.directory}/stdout.txt"
        Path(stage.directory, "large").write_bytes(bytes(large))
        for number in range(small):
            Path(stage.directory, str(number)).write_bytes(b"x")
        return stage

    yield make
    for stage in stages:
        stage.close()


@pytest.mark.parametrize("below", [b"../x", b"/etc/x", b"link/x", b"a/../../x", b".."])
def test_what_comes_stays_below_the_run_directory(tmp_path, below):
    from soops_builtin.runners.dask import staging as dask_staging

    folder = os.fsencode(tmp_path / "stage")
    os.mkdir(folder)
    os.symlink("/etc", os.path.join(folder, b"link"))

    with pytest.raises(ValueError, match="not below"):
        dask_staging._place_of(below, folder, os.path.realpath(folder))
