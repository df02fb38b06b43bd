"""The signals by which a person asks the driver to stop. For ``drive``."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["heeding"]


@contextmanager
def heeding(call: Callable[[int], None]) -> Iterator[None]:
    """Call ``call(number)`` for SIGINT, SIGTERM and SIGHUP, instead of what they do else.

    Not in threads, where it is not possible, and not in notebooks, which have their own way.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or "ipykernel" in sys.modules:
        yield
        return

    def heed(number: int, frame: Any) -> None:
        call(number)

    numbers = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
    before = {number: signal.signal(number, heed) for number in set(numbers)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
