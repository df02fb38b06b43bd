"""What the system offers to a slot."""

from __future__ import annotations

import os
import sys

__all__ = ["features"]


def features() -> dict[str, bool]:
    """Say what this system offers to a slot.

    Returns
    -------
    dict
        ``tree``: every descendant of a run is found and ended; without it (macOS) only its
        process group is. ``driver``: the end of the driver is seen even while another
        process holds the pipe open.
    """
    return {
        "tree": sys.platform == "linux" and os.path.exists("/proc/self/stat"),
        "driver": hasattr(os, "pidfd_open"),
    }
