"""What soops expects of each job that a runner runs: how it ends, what it gets and gives."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from soops.api import Job, Outcome, Slot, State

__all__ = ["DEAF", "JobContract"]

#: What people, and file systems, put into names.
UGLY = (
    "with blank",
    "ünïcödé",
    "quo'te\"s",
    "$(touch pwned) `x` $HOME",
    "new\nline",
    "-d",
    "#1 %s",
)

#: A program that ignores SIGTERM, once it has put its process id into a file.
DEAF = (
    "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    'open(sys.argv[1], "w").write("%d\\n" % os.getpid()); time.sleep(1000)'
)


class JobContract:
    """The part of ``RunnerContract`` in which one job is run at a time.

    It needs a fixture ``run``: ``run(job) -> Outcome``.
    """

    @pytest.fixture
    def run(self) -> Callable[[Job], Outcome]:
        """Return what runs one job. Override it."""
        raise NotImplementedError("override the fixture `run`")

    @pytest.fixture
    def make_job(self, tmp_path: Path) -> Callable[..., Job]:
        """Return ``make_job(command, **fields)``; each job has a directory of its own."""
        count = iter(range(10**6))

        def make(command: str | Sequence[str], *, name: str = "", **fields: Any) -> Job:
            key = f"{next(count):03d}-{name}"
            directory = tmp_path / "the runs" / key
            directory.mkdir(parents=True)
            given = {
                "key": key,
                "attempt": 1,
                "command": command if isinstance(command, str) else tuple(command),
                "launch": Slot.LAUNCH,
                "directory": str(directory),
                "cwd": str(directory),
                "grace": 0.5,
                "stdout": str(directory / "stdout.txt"),
                "stderr": str(directory / "stderr.txt"),
            }
            return Job(**{**given, **fields})

        return make

    # --- how jobs end

    @pytest.mark.parametrize("code", [1, 77, 127, 128, 255])
    def test_exit_codes_are_told(self, run: Any, make_job: Any, code: int) -> None:
        """Those of a shell above 126 too: they are exit codes like any other."""
        outcome = run(make_job(f"exit {code}"))
        assert outcome.state is State.FAILED
        assert (outcome.cause, outcome.returncode) == ("exit", code)

    @pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM"])
    def test_signals_are_told(self, run: Any, make_job: Any, name: str) -> None:
        """A program that was ended is not one that gave up."""
        number = signal.Signals[name].value
        outcome = run(make_job(f"kill -{number} $$"))
        assert outcome.state is State.FAILED
        assert (outcome.cause, outcome.signal, outcome.returncode) == ("signal", name, -number)

    def test_a_timeout_ends_the_job(self, run: Any, make_job: Any) -> None:
        """With everything that it started."""
        job = make_job("sleep 1000 & echo $! > pid; wait", timeout=0.5)
        outcome = run(job)
        assert (outcome.state, outcome.cause) == (State.TIMEOUT, "timeout")
        assert not self.lives(Path(job.directory, "pid"))

    def test_a_job_that_ignores_its_end_is_killed(self, run: Any, make_job: Any) -> None:
        """After its grace."""
        job = make_job(
            [sys.executable, "-S", "-c", DEAF, "pid"],
            timeout=1.0,
        )
        outcome = run(job)
        assert (outcome.state, outcome.signal) == (State.TIMEOUT, "SIGKILL")
        assert not self.lives(Path(job.directory, "pid"))

    def test_what_a_job_leaves_behind_is_ended(self, run: Any, make_job: Any) -> None:
        """A run is over when it is over."""
        job = make_job("sleep 1000 & echo $! > pid")
        outcome = run(job)
        assert outcome.state is State.DONE
        assert outcome.message
        assert not self.lives(Path(job.directory, "pid"))

    def test_a_missing_program_is_told(self, run: Any, make_job: Any) -> None:
        """Its name too; it is no exit code 127."""
        outcome = run(make_job(["no-such-program-anywhere"]))
        assert (outcome.state, outcome.cause) == (State.FAILED, "missing")
        assert "no-such-program-anywhere" in outcome.message
        assert outcome.returncode is None

    def test_a_program_that_may_not_be_run_is_told(
        self, run: Any, make_job: Any, tmp_path: Path
    ) -> None:
        """It is no missing one."""
        script = tmp_path / "script"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o644)
        outcome = run(make_job([str(script)]))
        assert (outcome.state, outcome.cause) == (State.FAILED, "permission")

    def test_a_command_that_is_too_long_is_told(self, run: Any, make_job: Any) -> None:
        """And the next job runs."""
        outcome = run(make_job(["echo", *["x" * 100_000] * 60]))
        assert (outcome.state, outcome.cause) == (State.FAILED, "too-long")
        assert run(make_job("true")).state is State.DONE

    def test_a_command_that_cannot_be_is_told(self, run: Any, make_job: Any) -> None:
        """No program can be given a NUL byte."""
        for command in (["echo", "a\0b"], "echo a\0b", []):
            outcome = run(make_job(command))
            assert (outcome.state, outcome.cause) == (State.FAILED, "command")

    def test_a_directory_that_is_gone_is_told(self, run: Any, make_job: Any) -> None:
        """Somebody removed it between plan and run."""
        outcome = run(make_job("true", cwd="/no/such/directory"))
        assert (outcome.state, outcome.cause) == (State.FAILED, "directory")
        job = make_job("true", cwd="/")
        Path(job.directory).rmdir()
        outcome = run(job)
        assert (outcome.state, outcome.cause) == (State.FAILED, "directory")

    def test_an_output_that_cannot_be_written_is_told(self, run: Any, make_job: Any) -> None:
        """Nothing runs without it."""
        job = make_job("touch ran")
        Path(job.directory, "stdout.txt").mkdir()
        outcome = run(job)
        assert (outcome.state, outcome.cause) == (State.FAILED, "output")
        assert not Path(job.directory, "ran").exists()

    # --- what jobs get, and what they give

    @pytest.mark.parametrize("name", UGLY)
    def test_ugly_directories_do_no_harm(self, run: Any, make_job: Any, name: str) -> None:
        """Names are names, nothing of them is run."""
        job = make_job("pwd; echo x > here", name=name)
        outcome = run(job)
        assert outcome.state is State.DONE, outcome
        assert Path(job.stdout).read_text() == f"{os.path.realpath(job.directory)}\n"
        assert Path(job.directory, "here").read_text() == "x\n"
        assert not list(Path(job.directory).rglob("pwned"))

    def test_every_byte_arrives(self, run: Any, make_job: Any) -> None:
        """In arguments and environment; as text of a shell is another matter."""
        ugly = os.fsdecode(bytes(range(1, 256)))
        words = [ugly, "", " ", "-n", "$(touch pwned)", "a'b\"c", "x" * 100_000, "\n"]
        code = (
            "import os, sys; out = open('got', 'wb'); "
            "out.write(b'\\0'.join(map(os.fsencode, [*sys.argv[1:], os.environ['UGLY']])))"
        )
        job = make_job([sys.executable, "-S", "-c", code, *words], env={"UGLY": ugly})
        assert run(job).state is State.DONE
        expected = b"\0".join(map(os.fsencode, [*words, ugly]))
        assert Path(job.directory, "got").read_bytes() == expected
        assert not Path(job.directory, "pwned").exists()

    def test_the_environment_is_added_to(self, run: Any, make_job: Any) -> None:
        """And the processes of a run are marked."""
        job = make_job(
            'echo "$FRUIT"; echo "$PATH"; echo "${SOOPS_RUN:+marked}"',
            env={"FRUIT": "apple", "PATH": "/somewhere:/bin:/usr/bin"},
        )
        assert run(job).state is State.DONE
        lines = Path(job.stdout).read_text().splitlines()
        assert lines == ["apple", "/somewhere:/bin:/usr/bin", "marked"]

    def test_a_program_is_looked_for_on_the_path_of_the_job(
        self, run: Any, make_job: Any, tmp_path: Path
    ) -> None:
        """Not on that of a worker."""
        program = tmp_path / "my program"
        program.write_text("#!/bin/sh\necho found\n")
        program.chmod(0o755)
        job = make_job(["my program"], env={"PATH": f"{tmp_path}:/bin:/usr/bin"})
        assert run(job).state is State.DONE
        assert Path(job.stdout).read_text() == "found\n"

    def test_nothing_comes_from_standard_input(self, run: Any, make_job: Any) -> None:
        """A program that asks gets no answer, and goes on."""
        job = make_job("cat; echo end")
        assert run(job).state is State.DONE
        assert Path(job.stdout).read_text() == "end\n"

    def test_much_output_is_kept(self, run: Any, make_job: Any) -> None:
        """Twenty megabytes do not stop in a pipe."""
        job = make_job("head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2")
        assert run(job).state is State.DONE
        assert Path(job.stdout).stat().st_size == 20_000_000
        assert Path(job.stderr).stat().st_size == 20_000_000

    def test_output_can_be_bounded(self, run: Any, make_job: Any) -> None:
        """Its beginning and its end are kept; the program does not notice."""
        job = make_job(
            "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo last", max_output=100_000
        )
        assert run(job).state is State.DONE
        text = Path(job.stdout).read_text()
        assert 90_000 < len(text) < 101_000
        assert text.startswith("first\n") and text.endswith("last\n")

    def test_old_output_is_replaced(self, run: Any, make_job: Any) -> None:
        """Of an attempt before."""
        job = make_job("echo new")
        Path(job.stdout).write_text("old and longer\n")
        assert run(job).state is State.DONE
        assert Path(job.stdout).read_text() == "new\n"

    def test_the_whole_tree_can_be_looked_at(self, run: Any, make_job: Any) -> None:
        """A sum over processes, which no single figure shows."""
        if not Path("/proc/self/stat").exists():
            pytest.skip("needs /proc")
        code = "x = bytearray(50_000_000); import time; time.sleep(0.6)"
        command = f"'{sys.executable}' -S -c '{code}' & '{sys.executable}' -S -c '{code}'; wait"
        outcome = run(make_job(command, sample=0.1))
        assert outcome.state is State.DONE
        assert outcome.usage.tree_rss > 100_000_000
        assert 50_000_000 < outcome.usage.max_rss < 90_000_000
        assert outcome.usage.cpu_time > 0

    @staticmethod
    def written(pid: Path) -> bool:
        """Whether a process has put its id into a file."""
        return pid.exists() and pid.read_text().endswith("\n")

    @staticmethod
    def lives(pid: Path) -> bool:
        """Whether the process whose id is in a file lives; one that waits for its parent to
        notice its end does not.
        """
        number = int(pid.read_text())
        try:
            os.kill(number, 0)
            text = Path(f"/proc/{number}/stat").read_text()
        except FileNotFoundError:
            return not Path("/proc/self").exists()
        except ProcessLookupError:
            return False
        return text[text.rindex(")") + 2] not in "ZX"
