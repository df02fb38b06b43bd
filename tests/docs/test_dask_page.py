"""The page about dask clusters is followed: schedulers and workers are processes, on loopback."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest

from soops.testing import wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "cluster-dask.md"

#: In the place of the batch system: processes of this machine.
STAND_IN = """\
import distributed


def SLURMCluster(queue, cores, memory, walltime="00:30:00"):
    return distributed.LocalCluster(
        n_workers=0, threads_per_worker=cores, memory_limit=0, dashboard_address="127.0.0.1:0"
    )
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ends groups of processes")


@pytest.fixture
def background():
    """Return what starts a command that stays; all of them are ended at the end."""
    started = []
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def start(words):
        started.append(
            subprocess.Popen(
                words,
                env={**os.environ, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    yield start
    for process in reversed(started):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def has_address(file):
    with suppress(OSError, ValueError):
        return json.loads(Path(file).read_text())["address"]
    return ""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the page makes a certificate by it")
def test_its_commands_do_what_they_say(blocks, shell, background):
    page = blocks(PAGE)
    for block in page:
        if block.file_name:
            Path(block.file_name).write_text(block.body)
    Path("dask_jobqueue.py").write_text(STAND_IN)
    counts = {"scheduler": 0, "worker": 0, "run": 0}

    for command in (text for block in page if block.word == "console" for text in block.commands()):
        words = shlex.split(command)
        if words[:2] == ["dask", "scheduler"]:
            background([*words, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"])
            file = words[words.index("--scheduler-file") + 1]
            wait_until(lambda file=file: has_address(file))
        elif words[:2] == ["dask", "worker"]:
            background([*words, "--host", "127.0.0.1", "--no-dashboard"])
        else:
            shell(command)
        if words[1] in counts:
            counts[words[1]] += 1
        if words[1] == "run":
            records = list(Path("runs").glob("*/soops-run.json"))
            assert [json.loads(path.read_text())["state"] for path in records] == ["done"] * 4
            assert all(path.with_name("where.txt").exists() for path in records)

    assert counts == {"scheduler": 2, "worker": 3, "run": 7}


def test_the_table_has_all_options():
    from soops_builtin.runners.dask.options import DaskOptions

    cells = re.findall(r"^\| (`\w+=.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name for cell in cells for name in re.findall(r"`(\w+)=", cell)}

    assert told == {field.name for field in fields(DaskOptions)}
