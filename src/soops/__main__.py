"""``python -m soops`` is the command ``soops``."""

from soops.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
