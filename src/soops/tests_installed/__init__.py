"""Tests of the installed package: ``python -c "import soops; soops.test()"``.

They use what a user uses, in a temporary directory, and need no file of the source tree.
"""
