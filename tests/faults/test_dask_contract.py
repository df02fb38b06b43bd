"""The dask runner keeps the contract of runners on workers that are processes.

Those of a cluster made here, and those of a scheduler that runs already. Workers in threads are
in ``tests/builtin/test_runners.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soops.api import RunnerSetup
from soops.testing import RunnerContract
from soops_builtin.runners.dask.runner import DaskOptions, DaskRunner


class TestProcesses(RunnerContract):
    @pytest.fixture
    def runner(self, tmp_path) -> Iterator[DaskRunner]:
        runner = DaskRunner(RunnerSetup(n_workers=2, root=tmp_path))
        yield runner
        runner.close()


class TestRunningScheduler(RunnerContract):
    """Scheduler and workers outlive the runners of all tests."""

    @pytest.fixture
    def runner(self, cluster, tmp_path) -> Iterator[DaskRunner]:
        cluster.wait_for_workers(2)
        options = DaskOptions(scheduler=cluster.address)
        runner = DaskRunner(RunnerSetup(n_workers=2, root=tmp_path, options=options))
        yield runner
        runner.close()
