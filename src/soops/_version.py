"""The version of the distribution; read by the build and by ``soops.__version__``."""

__version__ = "2027.1"
