"""Encryption of personal data, and what erases it."""
