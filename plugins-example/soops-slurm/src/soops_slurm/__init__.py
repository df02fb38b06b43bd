"""A soops runner for the batch system Slurm.

Only ``plugin`` is imported when soops starts; it holds names.
"""
