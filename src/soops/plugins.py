"""Post-processing functions for any table. Part of the script library."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["show_figures"]

log = logging.getLogger("soops")

#: The backends of matplotlib that only write files.
_WITHOUT_WINDOWS = frozenset({"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"})


def show_figures(df: Any, data: Any = None) -> Any:
    """Show the open figures and wait until they are closed.

    With a backend that only writes files this says so and does nothing.

    Parameters
    ----------
    df : pandas.DataFrame
        Not used.
    data : Struct, optional
        Returned as it is.
    """
    import matplotlib.pyplot as plt

    if plt.get_fignums():
        backend = plt.get_backend()
        if backend.lower() in _WITHOUT_WINDOWS:
            log.warning("no figure is shown: the matplotlib backend %r has no windows", backend)
        else:
            plt.show()
    return data
