"""Fixtures of soops: ``soops_project``, ``installed_plugin``."""

pytest_plugins = ["soops.testing"]
