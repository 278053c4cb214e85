"""How recall and precision move with a threshold: two lines over the values that were tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from projections.red_flags.measured import Curve, Point

WIDTH, HEIGHT = 380, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 368, 12, 156
_STEPS: Final = (0, 25, 50, 75, 100)


class Mark(NamedTuple):
    x: int
    y: int


class Tick(NamedTuple):
    """A value that was tried; `today`: it ruled when it was measured."""

    x: int
    text: str
    today: bool


class Drawing(NamedTuple):
    """Recall as a whole line with discs, precision as a broken one with squares."""

    recall: list[Mark]
    precision: list[Mark]
    ticks: list[Tick]
    steps: list[tuple[int, int]]
    """Height and per cent of each line of the grid."""
    today: int | None


def drawn(curve: Curve, text: Callable[[int], str]) -> Drawing:
    """Values stand at equal distances, in their order; `text`: how one is written."""
    points = curve.points
    ticks = [
        Tick(_x(place, len(points)), text(point.value), point.value == curve.today)
        for place, point in enumerate(points)
    ]
    return Drawing(
        recall=_line(points, lambda point: (point.found, point.wanted)),
        precision=_line(points, lambda point: (point.true, point.findings)),
        ticks=ticks,
        steps=[(_y(step, 100), step) for step in _STEPS],
        today=next((tick.x for tick in ticks if tick.today), None),
    )


def _line(points: list[Point], share: Callable[[Point], tuple[int, int]]) -> list[Mark]:
    """Without the points at which there is nothing to share."""
    parts = [share(point) for point in points]
    return [
        Mark(_x(place, len(points)), _y(part, whole))
        for place, (part, whole) in enumerate(parts)
        if whole
    ]


def _x(place: int, count: int) -> int:
    inner = RIGHT - LEFT - 32
    return LEFT + 16 + place * inner // max(1, count - 1)


def _y(part: int, whole: int) -> int:
    return BOTTOM - part * (BOTTOM - TOP) // whole
