"""``python -m soops`` is the command ``soops``."""

from soops.cli.scripts import soops

if __name__ == "__main__":
    soops()
