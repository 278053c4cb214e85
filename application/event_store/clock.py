"""The clock that events are dated by, watched: one that jumps ahead would date them for years.

`recorded_at` never goes back, so an event that is dated in 2036 dates every later one there. What
is compared: the database's clock, and what this process itself has counted since it first saw that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

TOLERANCE = timedelta(minutes=5)
"""How far a clock may be ahead before nothing is recorded by it."""
_TOLERANCE_US = TOLERANCE // timedelta(microseconds=1)
_ASKED_EVERY_US = 3_600 * 1_000_000
"""Two good clocks run apart by some milliseconds in an hour."""
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def _counted() -> int:
    """Microseconds since the machine was started, whatever its clock is set to; sleep counts."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000


class ClockWatch:
    """What the time can be at most. Instants are microseconds since 2000-01-01 UTC.

    The database's clock is taken over while it goes on as this process counts, or is set back; when
    it jumps ahead, as on a machine that both share, the count goes on from where it was.
    """

    def __init__(self, counted: Callable[[], int] = _counted) -> None:
        self._counted = counted
        self._lock = Lock()
        self._seen: tuple[int, int] | None = None

    @property
    def due(self) -> bool:
        """Whether the database's clock must be looked at (again)."""
        seen = self._seen
        return seen is None or self._counted() - seen[1] > _ASKED_EVERY_US

    def observe(self, database_us: int) -> None:
        """Hear what the database's clock says now."""
        with self._lock:
            now = self._counted()
            if self._seen is None or database_us <= self._expected(now) + _TOLERANCE_US:
                self._seen = database_us, now
            else:
                self._seen = self._expected(now), now

    def ahead(self, instant_us: int) -> bool:
        """Whether an instant is later than the time can be."""
        return self._seen is not None and instant_us > self.latest()

    def latest(self) -> int:
        """The latest instant that is believed."""
        return self._expected(self._counted()) + _TOLERANCE_US

    def _expected(self, now: int) -> int:
        assert self._seen is not None
        database_us, counted = self._seen
        return database_us + now - counted


WATCH = ClockWatch()
"""The one of this process: it remembers from before a connection was lost."""


def instant_of(instant_us: int) -> datetime:
    """Raises OverflowError for an instant that no calendar has."""
    return _EPOCH + timedelta(microseconds=instant_us)
