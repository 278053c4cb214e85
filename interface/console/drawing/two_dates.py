"""The two-date chart (双日期图): across the day it happened, up the day the ledger learnt it.

Both axes have one scale, so the diagonal is "recorded the same day". Geometry alone: the template
writes the SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

WIDTH: Final = 360
HEIGHT: Final = 330
LEFT: Final = 52
RIGHT: Final = 354
TOP: Final = 6
BOTTOM: Final = 292
MOST: Final = 200
_LONG: Final = timedelta(days=1_000)
_QUARTERS: Final = (1, 4, 7, 10)


class Dated(NamedTuple):
    """What is drawn of an event: when it happened, when it was known; `mark`: later, here, none."""

    happened_on: date
    known_on: date
    mark: str = ""


class Point(NamedTuple):
    """A point, and how high the diagonal is below or above it."""

    x: float
    y: float
    diagonal: float
    mark: str


class Tick(NamedTuple):
    """A place on both axes; `month` is 0 for a year."""

    x: float
    y: float
    year: int
    month: int


class TwoDates(NamedTuple):
    """The chart; `paid`: how high the payment's line is; `left_out`: points that are not drawn."""

    points: list[Point]
    ticks: list[Tick]
    paid: float
    left_out: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def two_dates(events: Sequence[Dated], paid_on: date) -> TwoDates | None:
    """The chart of some events; None of fewer than two days, of which a sentence says more."""
    if len({(each.happened_on, each.known_on) for each in events}) < 2:
        return None
    shown = _thinned(events)
    days = [day for each in events for day in each[:2]] + [paid_on]
    pad = timedelta(days=max((max(days) - min(days)).days // 20, 3))
    first, last = min(days) - pad, max(days) + pad
    span = (last - first).days

    def x(day: date) -> float:
        return round(LEFT + (RIGHT - LEFT) * (day - first).days / span, 1)

    def y(day: date) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (day - first).days / span, 1)

    points = [Point(x(e.happened_on), y(e.known_on), y(e.happened_on), e.mark) for e in shown]
    ticks = [
        Tick(x(day), y(day), day.year, 0 if day.month == 1 else day.month)
        for day in _ticks(first, last)
    ]
    return TwoDates(points, ticks, y(paid_on), len(events) - len(shown))


def _thinned(events: Sequence[Dated]) -> list[Dated]:
    """At most MOST events: all that are marked, and of the others one of so many."""
    marked = [each for each in events if each.mark]
    others = [each for each in events if not each.mark]
    room = max(MOST - len(marked), 0)
    if len(others) <= room:
        return list(events)
    kept = others[:: -(-len(others) // room)] if room else []
    return kept + marked


def _ticks(first: date, last: date) -> list[date]:
    """The first days of quarters within, or of years where there are many."""
    months = (1,) if last - first > _LONG else _QUARTERS
    return [
        day
        for year in range(first.year, last.year + 1)
        for month in months
        if first < (day := date(year, month, 1)) < last
    ]
