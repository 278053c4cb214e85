"""What a household was, as a band over the days: one stretch a category. Geometry alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Final, NamedTuple

WIDTH: Final = 760
EDGE: Final = 8
HEIGHT: Final = 62
_NARROW: Final = 96


class Stretch(NamedTuple):
    """A category from a day on. `named`: whether its name fits on it."""

    x: float
    width: float
    category: str
    first: date
    eligible: bool
    named: bool


class Band(NamedTuple):
    stretches: list[Stretch]
    years: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT


def band(statuses: Sequence[tuple[date, str]], last: date, eligible: Sequence[str]) -> Band | None:
    """(day, category from it on), in order of the days, up to a last day; None when there is none.

    `eligible`: the categories that are subsidised.
    """
    told = [(day, category) for day, category in statuses if day <= last]
    if not told:
        return None
    begin = told[0][0]
    span = max((last - begin).days, 1)

    def x(day: date) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * (day - begin).days / span, 1)

    ends = [*told, (last, "")]
    stretches = [
        Stretch(
            x(first), round(x(until) - x(first), 1), category, first, category in eligible,
            x(until) - x(first) >= _NARROW,
        )
        for (first, category), (until, _) in pairwise(ends)
    ]  # fmt: skip
    years = [
        (x(day), str(day.year))
        for year in range(begin.year + 1, last.year + 1)
        if begin < (day := date(year, 1, 1)) <= last
    ]
    return Band(stretches, years)
