"""What the tests of a plugin need. Only tests import this package; it needs pytest.

``pytest_plugins = ["soops.testing"]`` in a ``conftest.py`` gives the fixtures
``soops_project`` and ``installed_plugin``; ``RunnerContract`` and ``ScraperContract`` are
inherited; ``assert_light`` is called.
"""

import pytest

pytest.register_assert_rewrite(
    "soops.testing.job_contract",
    "soops.testing.light",
    "soops.testing.project",
    "soops.testing.runner_contract",
    "soops.testing.scraper_contract",
)

from soops.testing.light import HEAVY, assert_light  # noqa: E402
from soops.testing.project import (  # noqa: E402
    Called,
    Plugins,
    Project,
    installed_plugin,
    soops_project,
)
from soops.testing.runner_contract import RunnerContract, wait_until  # noqa: E402
from soops.testing.scraper_contract import ScraperContract  # noqa: E402

__all__ = [
    "HEAVY",
    "Called",
    "Plugins",
    "Project",
    "RunnerContract",
    "ScraperContract",
    "assert_light",
    "installed_plugin",
    "soops_project",
    "wait_until",
]
