"""The life of a loan on one axis: what is owed as a step line, due days, checks and reminders.

Geometry alone: the template writes the SVG. Amounts in fen, places in the units of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

WIDTH: Final = 760
LEFT: Final = 74
RIGHT: Final = 744
TOP: Final = 14
FLOOR: Final = 118
ROWS: Final = (146, 168)
HEIGHT: Final = 200
_LONG: Final = timedelta(days=1_500)


class Marked(NamedTuple):
    """A duty or a deed on a row: `state` is one of duties' states, or `done` for a deed."""

    day: date
    state: str
    title: str


class Mark(NamedTuple):
    x: float
    state: str
    title: str


class DueDay(NamedTuple):
    """A day on which the loan falls due; `extended`: by an extension, not by the contract."""

    x: float
    day: date
    extended: bool
    anchor: str


class Balance(NamedTuple):
    """The picture. `line`: an SVG path of what is owed; `ahead`: the same line after today."""

    line: str
    area: str
    top_fen: int
    due_days: list[DueDay]
    ticks: list[tuple[float, str]]
    checks: list[Mark]
    reminders: list[Mark]
    today: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    floor: int = FLOOR
    rows: tuple[int, int] = ROWS


def balance(
    movements: Sequence[tuple[date, int]],
    due_days: Sequence[date],
    as_of: date,
    *,
    checks: Iterable[Marked] = (),
    reminders: Iterable[Marked] = (),
) -> Balance | None:
    """A loan's picture; None before anything is lent.

    `movements`: (day, fen that the balance moves by), in order of the days; `due_days`: the
    contract's, then those of extensions.
    """
    if not movements:
        return None
    marked = [*checks], [*reminders]
    first = movements[0][0]
    told = [day for day, _ in movements] + [m.day for each in marked for m in each]
    last = max(*due_days, *told, min(as_of, max([*due_days, *told]) + timedelta(days=60)))
    pad = timedelta(days=max((last - first).days // 40, 5))
    begin, span = first - pad, ((last + pad) - (first - pad)).days
    owed, top_fen = _owed(movements)

    def x(day: date) -> float:
        return round(LEFT + (RIGHT - LEFT) * (day - begin).days / span, 1)

    def y(fen: int) -> float:
        return round(FLOOR - (FLOOR - TOP) * fen / top_fen, 1)

    path = [f"M{x(first)} {FLOOR}"]
    path += [f"V{y(fen)}H{x(until)}" for fen, until in _steps(owed, min(as_of, last))]
    line = "".join(path)
    return Balance(
        line=line,
        area=f"{line}V{FLOOR}Z",
        top_fen=top_fen,
        due_days=[
            DueDay(x(day), day, place > 0, "end" if x(day) > RIGHT - 90 else "start")
            for place, day in enumerate(due_days)
        ],
        ticks=[(x(day), name) for day, name in _ticks(first, last)],
        checks=[Mark(x(m.day), m.state, m.title) for m in marked[0]],
        reminders=[Mark(x(m.day), m.state, m.title) for m in marked[1]],
        today=x(as_of) if first <= as_of <= last else None,
    )


def _owed(movements: Sequence[tuple[date, int]]) -> tuple[list[tuple[date, int]], int]:
    """(day, what is owed from it on), and the most that was owed: at least one fen."""
    owed, fen = [], 0
    for day, moved in movements:
        fen += moved
        owed.append((day, fen))
    return owed, max(1, *(each for _, each in owed))


def _steps(owed: Sequence[tuple[date, int]], last: date) -> Iterable[tuple[int, date]]:
    """(what is owed, until which day), up to a last day."""
    ends = [*(day for day, _ in owed[1:]), max(last, owed[-1][0])]
    return [(fen, until) for (_, fen), until in zip(owed, ends, strict=True)]


def _ticks(first: date, last: date) -> list[tuple[date, str]]:
    """The first days of quarters within, or of years where there are many."""
    months = (1,) if last - first > _LONG else (1, 4, 7, 10)
    return [
        (day, str(year) if month == 1 else f"{month:02}")
        for year in range(first.year, last.year + 1)
        for month in months
        if first < (day := date(year, month, 1)) <= last
    ]
