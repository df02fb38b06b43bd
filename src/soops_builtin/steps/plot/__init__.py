"""The step ``plot``: figures of a table, without a line of code."""
