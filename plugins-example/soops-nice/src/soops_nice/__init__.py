"""A soops runner for a machine that others work at, or that is to be measured on.

Only ``plugin`` is imported when soops starts; it holds names.
"""
