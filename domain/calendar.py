"""Civil days, stretches of days and settlement quarters (结息季度), as the county counts them.

A period holds its first day and does not hold the day it runs until; nothing here knows today.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from domain.policy import POLICY, Book

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has kept UTC+8 without summer time since 1991, before any instant this ledger can hold;
a fixed offset needs no time-zone files, which not every county machine has."""

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The days from `first` up to, not including, `until`; never empty.

    >>> len(Period(date(2023, 3, 21), date(2023, 6, 21)))
    92
    """

    first: date
    until: date

    def __post_init__(self) -> None:
        if type(self.first) is not date or type(self.until) is not date:
            raise TypeError("a period is bounded by civil days, not by instants")
        if self.until <= self.first:
            raise ValueError(f"a period holds at least one day: {self}")

    @property
    def last(self) -> date:
        """The last day it holds, as notices and forms write it (至…止)."""
        return self.until - DAY

    def __len__(self) -> int:
        return (self.until - self.first).days

    def __contains__(self, day: date) -> bool:
        return self.first <= day < self.until

    def __iter__(self) -> Iterator[date]:
        return (self.first + DAY * passed for passed in range(len(self)))

    def __str__(self) -> str:
        return f"[{self.first}, {self.until})"

    def intersect(self, other: "Period") -> "Period | None":
        """The days both hold, or None when they share no day."""
        first, until = max(self.first, other.first), min(self.until, other.until)
        return Period(first, until) if first < until else None

    def adjoins(self, other: "Period") -> bool:
        """Whether one begins on the very day until which the other runs."""
        return self.until == other.first or other.until == self.first


def add_months(day: date, months: int) -> date:
    """The same day `months` calendar months later, or the last day of a month that lacks it.

    >>> add_months(date(2023, 11, 30), 3), add_months(date(2023, 3, 31), -1)
    (datetime.date(2024, 2, 29), datetime.date(2023, 2, 28))
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return day.replace(year, month + 1)
    except ValueError:
        return _last_of_month(year, month + 1)


def last_of_month(period: str) -> date:
    """The last day of a month as reports name it.

    >>> last_of_month("2024-02")
    datetime.date(2024, 2, 29)
    """
    year, month = map(int, period.split("-"))
    return _last_of_month(year, month)


def _last_of_month(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - DAY


def term_months(first: date, due_on: date) -> int:
    """The least number of calendar months after which a loan of `first` has reached `due_on`.

    >>> term_months(date(2023, 3, 10), date(2024, 3, 10))
    12
    >>> term_months(date(2023, 3, 10), date(2024, 3, 11))
    13
    """
    if due_on <= first:
        return 0
    months = (due_on.year - first.year) * 12 + due_on.month - first.month
    return months if add_months(first, months) >= due_on else months + 1


def civil_day(instant: datetime) -> date:
    """The day in China on which an instant falls. Raises ValueError if it names no time zone.

    >>> from datetime import UTC
    >>> civil_day(datetime(2023, 3, 20, 16, 0, tzinfo=UTC))
    datetime.date(2023, 3, 21)
    """
    if instant.tzinfo is None:
        raise ValueError(f"an instant without a time zone has no civil day: {instant}")
    return instant.astimezone(SHANGHAI).date()


def settlement_day(day: date, book: Book = POLICY) -> date:
    """The day (结息日) that settles the interest of `day`: the next one, or `day` itself.

    Rules: policy/settlement_months.toml, policy/settlement_day.toml. Raises NoRuling.

    >>> settlement_day(date(2023, 3, 20)), settlement_day(date(2023, 3, 21))
    (datetime.date(2023, 3, 20), datetime.date(2023, 6, 20))
    """
    return quarter_of(day, book).last


@lru_cache(maxsize=4096)
def quarter_of(day: date, book: Book = POLICY) -> Period:
    """The settlement quarter that holds `day`. Rules and refusals as `settlement_day`.

    >>> str(quarter_of(date(2023, 6, 20)))
    '[2023-03-21, 2023-06-21)'
    """
    untils = _untils(day.year, book)
    if day < untils[0]:
        return Period(_untils(day.year - 1, book)[-1], untils[0])
    if day >= untils[-1]:
        return Period(untils[-1], _untils(day.year + 1, book)[0])
    place = next(place for place, until in enumerate(untils) if day < until)
    return Period(untils[place - 1], untils[place])


@lru_cache(maxsize=64)
def first_settled_on(book: Book = POLICY) -> date:
    """The first day of the first quarter that rulings name: nothing before it can be settled.

    Rules as `settlement_day`. A year's first quarter begins by the rulings of the year before.

    >>> first_settled_on()
    datetime.date(2014, 3, 21)
    """
    year = max(book.begins_on(name) for name in ("settlement_months", "settlement_day")).year
    return _untils(year, book)[0]


def quarter(year: int, number: int, book: Book = POLICY) -> Period:
    """The `number`th settlement quarter of a year, counted from 1.

    Rules and refusals as `settlement_day`; ValueError when the year has no such quarter.

    >>> str(quarter(2023, 2)), str(quarter(2023, 1))
    ('[2023-03-21, 2023-06-21)', '[2022-12-21, 2023-03-21)')
    """
    untils = _untils(year, book)
    if not 1 <= number <= len(untils):
        raise ValueError(f"the year {year} has no quarter {number}")
    return quarter_of(untils[number - 1] - DAY, book)


def quarter_name(period: Period, book: Book = POLICY) -> str:
    """The name of a settlement quarter. Raises ValueError for any other period.

    >>> quarter_name(Period(date(2023, 3, 21), date(2023, 6, 21)))
    '2023Q2'
    """
    untils = _untils(period.last.year, book)
    if quarter_of(period.last, book) != period:
        raise ValueError(f"not a settlement quarter: {period}")
    return f"{period.last.year}Q{untils.index(period.until) + 1}"


def _untils(year: int, book: Book) -> list[date]:
    """The days after each settlement day of a year, by the rulings that hold at its end."""
    told_on = date(year, 12, 31)
    months = book.ruling("settlement_months", told_on).numbers
    day = book.ruling("settlement_day", told_on).number
    return [date(year, month, day) + DAY for month in months]


def named_quarter(name: str, book: Book = POLICY) -> Period:
    """The quarter of a name like 2023Q4. Rules and refusals as `quarter`.

    >>> str(named_quarter("2023Q2"))
    '[2023-03-21, 2023-06-21)'
    """
    year, number = name.split("Q")
    return quarter(int(year), int(number), book)
