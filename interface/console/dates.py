"""The two dates of every page, as people type them, and as an address says them."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Final

from domain.calendar import SHANGHAI, civil_day, named_quarter
from domain.policy import NoRuling

TODAY: Final = ("今日", "今天", "today")
NOW: Final = (*TODAY, "此刻", "now")
_FIRST_DAY: Final = date(1990, 1, 1)
_SIGHT: Final = timedelta(days=3_653)
_DAY: Final = re.compile(r"(\d{4})(?:[-/.年]?)(\d{1,2})(?:[-/.月]?)(\d{1,2})日?")
_MONTH: Final = re.compile(r"(\d{4})[-/.年](\d{1,2})月?")
_QUARTER: Final = re.compile(r"(\d{4})Q([1-4])", re.IGNORECASE)
_MINUTE: Final = re.compile(r"(.+?)[ T](\d{1,2}):(\d{2})")


def read_day(text: str, today: date) -> date | None:
    """A civil day: 2023-12-31, 20231231, 2023年12月31日; a month's or a quarter's last day; 今日.

    None for what is no day, and for a day before 1990 or more than ten years ahead.
    """
    text = text.strip()
    day = today if text in TODAY else _written(text)
    return day if day is not None and _FIRST_DAY <= day <= today + _SIGHT else None


def _written(text: str) -> date | None:
    try:
        if found := _QUARTER.fullmatch(text):
            return named_quarter(text.upper()).last
        if found := _MONTH.fullmatch(text):
            year, month = map(int, found.groups())
            return date(year, month, monthrange(year, month)[1])
        if found := _DAY.fullmatch(text):
            return date(*map(int, found.groups()))
    except (ValueError, NoRuling):
        pass
    return None


def read_instant(text: str, now: datetime) -> datetime | None:
    """An instant in UTC: RFC 3339; a day (its end in China); a day and a time of day there."""
    text = text.strip()
    if re.search(r"(Z|[+-]\d{2}:\d{2})$", text):
        try:
            instant = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        return instant if _FIRST_DAY.year <= instant.year < now.year + 11 else None
    today = civil_day(now)
    if found := _MINUTE.fullmatch(text):
        day, hour, minute = read_day(found[1], today), int(found[2]), int(found[3])
        if day is None or hour > 23 or minute > 59:
            return None
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)
    end = read_day(text, today)
    if end is None:
        return None
    after = datetime(end.year, end.month, end.day, tzinfo=SHANGHAI) + timedelta(days=1)
    return (after - timedelta(microseconds=1)).astimezone(UTC)


def exactly(instant: datetime) -> str:
    """As an address says it."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def in_china(instant: datetime) -> str:
    """As a page says it: the day alone where it is the day's end."""
    local = instant.astimezone(SHANGHAI)
    whole_day = (local.hour, local.minute, local.second) == (23, 59, 59)
    return local.strftime("%Y-%m-%d" if whole_day else "%Y-%m-%d %H:%M")
