"""Chance that can be repeated, and days as plain numbers: what the demo county is made with."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from random import Random
from typing import TypeVar

from domain.calendar import add_months

T = TypeVar("T")


class RandomSource:
    """The same seed gives the same numbers, in every process and on every machine."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed).random  # noqa: S311  a demo guards no secret

    def chance(self, per_mille: int) -> bool:
        return self._random() * 1000 < per_mille

    def between(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both included."""
        return least + int(self._random() * (most - least + 1))

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self._random() * len(choices))]

    def weighted(self, choices: Sequence[tuple[int, T]]) -> T:
        left = int(self._random() * sum(weight for weight, _ in choices))
        for weight, choice in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][1]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return [items[place] for _, place in sorted((self._random(), i) for i in range(len(items)))]


def number(year: int, month: int, day: int) -> int:
    """A civil day as a number: counting is all that most of the demo does with days."""
    return date(year, month, day).toordinal()


@lru_cache(maxsize=1 << 13)
def day(ordinal: int) -> date:
    return date.fromordinal(ordinal)


def working_day(ordinal: int) -> int:
    """The day itself, or the Monday after it."""
    weekday = (ordinal - 1) % 7
    return ordinal if weekday < 5 else ordinal + 7 - weekday


def months_later(ordinal: int, months: int) -> int:
    return add_months(day(ordinal), months).toordinal()


FIRST_DAY = number(2020, 12, 1)
LAST_DAY = number(2024, 12, 31)
