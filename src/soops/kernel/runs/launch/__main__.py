"""Start a slot by path: ``python -I -S .../launch REPLY DRIVER``."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from launch import main  # type: ignore[import-not-found]  # noqa: E402

sys.path.pop(0)
main(sys.argv[1:])
# Python would take its modules apart first, while the driver waits.
os._exit(0)
