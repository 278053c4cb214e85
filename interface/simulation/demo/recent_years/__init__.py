"""The demo county from 2025 to its present: a programme that lives, every office at work.

Its first four years stay as they are, byte for byte; this is told after them. Quarters are paid by
batches, cases run, reports go out. See docs/decisions/0046-the-demo-county-lives.md.
"""

from interface.simulation.demo.recent_years.loading import (
    LAST_DAY,
    RecentYears,
    last_day_before,
    load_recent_years,
)

__all__ = ["LAST_DAY", "RecentYears", "last_day_before", "load_recent_years"]
