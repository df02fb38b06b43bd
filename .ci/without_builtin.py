"""Run tests as if the builtin were not there: neither its plugin nor its package.

Usage: python .ci/without_builtin.py PATH...
"""

from __future__ import annotations

import os
import sys

import pytest

if __name__ == "__main__":
    os.environ["SOOPS_NO_PLUGINS"] = "builtin"
    # None makes every import of it, or of something below it, fail.
    sys.modules["soops_builtin"] = None  # type: ignore[assignment]
    raise SystemExit(pytest.main(["-q", *sys.argv[1:]]))
