"""Stores: a scooped table to a file and back."""
