"""Text to parameter sets. Imports nothing of ``runs`` and ``table``."""
