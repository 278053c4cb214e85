"""The time track: years and quarters as links, and where both dates stand. Geometry alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple

from domain.calendar import quarter
from domain.policy import NoRuling

WIDTH: Final = 600
_EDGE: Final = 12
_YEARS: Final = 4


class Mark(NamedTuple):
    """A place on the track, and the day that it opens."""

    x: int
    day: date
    name: str
    href: str


class Track(NamedTuple):
    """`as_of` and `known` are where the two dates stand; None: not on it.

    `other_as_of` and `other_known`: those of the moment that a page is compared with.
    """

    years: list[Mark]
    quarters: list[Mark]
    as_of: int | None
    known: int | None
    first: date
    days: int
    edge: int = _EDGE
    """The day at the left edge, the days to the right one, and where those edges are."""
    other_as_of: int | None = None
    other_known: int | None = None


def track(
    as_of: date,
    known_on: date,
    today: date,
    address: Callable[[date], str],
    other: tuple[date, date] | None = None,
) -> Track:
    """The years around both dates; `address`: where a day's mark leads.

    `other`: both days of the moment that a page is compared with.
    """
    others = other or (as_of, known_on)
    last = max(today, as_of, known_on, *others).year
    first = max(min(as_of.year, others[0].year, last - _YEARS + 1), last - 2 * _YEARS)
    begin, days = date(first, 1, 1), (date(last + 1, 1, 1) - date(first, 1, 1)).days

    def place(day: date) -> int | None:
        passed = (day - begin).days
        return _EDGE + passed * (WIDTH - 2 * _EDGE) // days if 0 <= passed <= days else None

    years, quarters = [], []
    for year in range(first, last + 1):
        years.append(_mark(date(year, 12, 31), place(date(year, 1, 1)), str(year), address))
        for number in range(1, 5):
            try:
                end = quarter(year, number).last
            except NoRuling:
                continue
            quarters.append(_mark(end, place(end), f"{year}Q{number}", address))
    made = Track(years, quarters, place(as_of), place(known_on), begin, days)
    if other is None:
        return made
    return made._replace(other_as_of=place(other[0]), other_known=place(other[1]))


def _mark(day: date, x: int | None, name: str, address: Callable[[date], str]) -> Mark:
    return Mark(x or 0, day, name, address(day))
