"""Run tests as if the builtin were not there: neither its plugin nor its package.

Usage: python .ci/without_builtin.py PATH...

It is also the plugin of pytest that does it, in the processes of pytest-xdist, too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ["SOOPS_NO_PLUGINS"] = "builtin"
# None makes every import of it, or of something below it, fail.
sys.modules["soops_builtin"] = None  # type: ignore[assignment]

if __name__ == "__main__":
    here = Path(__file__).resolve()
    sys.path.insert(0, str(here.parent))
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(here.parent), os.environ.get("PYTHONPATH", "")])
    )
    raise SystemExit(pytest.main(["-q", "-n", "2", "-p", here.stem, *sys.argv[1:]]))
