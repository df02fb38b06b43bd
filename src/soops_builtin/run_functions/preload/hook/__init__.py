"""What the interpreter of the user reads: this directory is put in front of its ``PYTHONPATH``.

The modules here are for Python 3.9 and later, need the standard library only, import each
other by their bare names, and are never imported by soops.
"""
