"""soops: run a program over a parameter space, lose nothing, gather one table."""

from soops._version import __version__
