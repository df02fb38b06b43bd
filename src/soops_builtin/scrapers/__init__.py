"""Scrapers: one file of a run directory to a mapping of values."""
