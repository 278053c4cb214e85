"""Bands of a rule through time: from when each value rules, and since when that was known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

WIDTH: Final = 640
LANE: Final = 18
FEW: Final = 8
"""Values that have a lane each."""


class Band(NamedTuple):
    """One value: it rules from `x` for `width`; before `known_x` nobody knew it (back-dated)."""

    y: int
    x: int
    width: int
    known_x: int | None


class Bands(NamedTuple):
    height: int
    bands: list[Band]
    years: list[tuple[int, int]]
    """Where a year begins, and the year."""


def bands(values: Sequence[tuple[date, date, date | None]], until: date) -> Bands:
    """A lane for each (from, known from, up to), or one for all of many; `until`: the right edge.

    A value whose end is None rules on. What is wider than the picture begins at its left edge.
    """
    first = min((from_day for from_day, _, _ in values), default=until)
    first = max(first, date(max(until.year - 12, 1), 1, 1))
    days = max((until - first).days, 1)

    def place(day: date) -> int:
        return min(max((day - first).days, 0), days) * WIDTH // days

    drawn = []
    for lane, (from_day, known_from, end) in enumerate(values):
        x, last = place(from_day), place(end or until)
        known = place(known_from) if known_from > from_day else None
        drawn.append(Band(lane * LANE if len(values) <= FEW else 0, x, max(last - x, 2), known))
    years = [(place(date(year, 1, 1)), year) for year in range(first.year + 1, until.year + 1)]
    lanes = len(values) if len(values) <= FEW else 1
    return Bands(lanes * LANE, drawn, years)
