"""What soops costs, measured beside what others cost: ``python -m benchmarks --help``."""
