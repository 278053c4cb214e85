"""How far a clock may be ahead before nothing is recorded by it."""

from __future__ import annotations

from datetime import timedelta

TOLERANCE = timedelta(minutes=5)
