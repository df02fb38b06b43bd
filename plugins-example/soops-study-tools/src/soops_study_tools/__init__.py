"""A soops plugin with a directive, a post-processing step and a command.

Only ``plugin`` is imported when soops starts; it holds names. The rest is imported when
its name is used.
"""
