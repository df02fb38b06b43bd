"""Commands that the builtin adds to ``soops``."""
