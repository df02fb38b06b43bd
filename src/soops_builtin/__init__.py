"""The standard behaviour of soops: a plugin like any other, found by its entry point."""
