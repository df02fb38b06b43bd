"""Run functions: how one command becomes a process."""
