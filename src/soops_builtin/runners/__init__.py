"""Runners: where runs happen."""
