"""Parameter sets to run directories. Imports nothing of ``table``."""
