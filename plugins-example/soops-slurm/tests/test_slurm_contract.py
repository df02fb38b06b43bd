"""What soops expects of each runner, over a real Slurm."""

from __future__ import annotations

import pytest
from soops_slurm.options import SlurmOptions
from soops_slurm.runners import SlurmRunner

from soops.api import RunnerSetup
from soops.testing import RunnerContract

QUICK = SlurmOptions(poll=0.2, poll_max=0.5, patience=2.0)


@pytest.mark.usefixtures("slurm")
class TestContract(RunnerContract):
    @pytest.fixture
    def runner(self, slurm, tmp_path):
        runner = SlurmRunner(RunnerSetup(n_workers=2, options=QUICK, root=tmp_path))
        yield runner
        runner.close()
