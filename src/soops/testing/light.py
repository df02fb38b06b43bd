"""Whether importing something is cheap: a count of what comes with it, not a clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

__all__ = ["HEAVY", "assert_light"]

#: What takes longer to import than a command may take to start.
HEAVY = (
    "IPython",
    "dask",
    "distributed",
    "matplotlib",
    "numpy",
    "pandas",
    "psutil",
    "pyarrow",
    "scipy",
    "tables",
    "yaml",
)

_CODE = """
import sys
for name in sys.argv[2:]:
    __import__(name)
loaded = sorted({module.split(".")[0] for module in sys.modules} & set(sys.argv[1].split(",")))
print(",".join(loaded))
"""


def assert_light(*modules: str, heavy: Iterable[str] = HEAVY) -> None:
    """Assert that importing modules, in a fresh interpreter, loads nothing heavy.

    Parameters
    ----------
    *modules : str
        Their full names. They must be installed, or on ``PYTHONPATH``.
    heavy : iterable of str
        Top-level names of which none may come with them.

    Raises
    ------
    AssertionError
        Naming what came, or why a module cannot be imported.
    """
    done = subprocess.run(
        [sys.executable, "-c", _CODE, ",".join(heavy), *modules],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{modules} cannot be imported:\n{done.stderr}"
    loaded = [name for name in done.stdout.strip().split(",") if name]
    assert not loaded, f"importing {', '.join(modules)} loads {', '.join(loaded)}"
