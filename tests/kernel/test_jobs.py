"""Planned runs as jobs: where they are."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from soops.kernel.runs.jobs import JobMaker
from soops.kernel.runs.options import RunOptions
from soops.kernel.values import Decision, ParameterSet, PlannedRun, RunInfo

NAMES = st.lists(st.sampled_from(["a", "b c", ".", "..", "", "000-key"]), min_size=1, max_size=4)


def make(root: str, *directories: str) -> list[tuple[str, str]]:
    info = RunInfo(command="true", options={}, output_key="output_dir", finished="")
    maker = JobMaker(info, RunOptions(), lambda job: job, root)
    jobs = []
    for number, directory in enumerate(directories):
        run = PlannedRun(
            parameters=ParameterSet(index=number, values={}, pkey="", identity=""),
            number=number,
            directory=directory,
            command="true",
            decision=Decision.RUN,
            reason="",
        )
        job = maker.make(run, 1)
        jobs.append((job.directory, job.key))
    return jobs


@given(st.booleans(), NAMES, NAMES, NAMES)
def test_directories_are_absolute_and_keys_are_below_the_root(is_absolute, root, one, other):
    head = "/" if is_absolute else ""
    top = os.path.abspath(head + "/".join(root))
    directories = [head + "/".join(names) or "." for names in (one, other, one)]

    found = make(top, *directories)

    wanted = [os.path.abspath(directory) for directory in directories]
    assert found == [(path, os.path.relpath(path, top)) for path in wanted]


def test_many_in_one_folder():
    here = str(Path.cwd())

    assert make(f"{here}/runs", "runs/000-a", "runs/001-b") == [
        (f"{here}/runs/000-a", "000-a"),
        (f"{here}/runs/001-b", "001-b"),
    ]
