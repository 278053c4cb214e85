"""Measurements: each of our figures beside its limit, taken in one run (see README.md)."""
