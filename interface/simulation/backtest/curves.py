"""How precision and recall move with each threshold of a rule, as numbers and as pictures."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from interface.simulation.backtest.scoring import Truth, score_rule
from projections.facts.reading import View
from projections.red_flags import Rule

_WIDTH, _HEIGHT = 380, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 14, 46, 44
_COLOURS: Final = {"recall": "#1f5fa8", "precision": "#b3501c"}
_NAMES: Final = {"recall": "查全率 recall", "precision": "查准率 precision"}
_SHARES: Final = ((1, 4), (1, 2), (3, 4), (1, 1), (3, 2), (2, 1), (3, 1))


class Point(NamedTuple):
    """What a rule would find with another value of one threshold."""

    value: int
    wanted: int
    found: int
    findings: int
    true: int

    def with_(self, other: Point) -> Point:
        """The same threshold in another county as well."""
        return Point(self.value, *(a + b for a, b in zip(self[1:], other[1:], strict=True)))


class Curve(NamedTuple):
    """One threshold of one rule: its table, the value that rules today, and the points."""

    rule: str
    title_zh: str
    table: str
    unit: str
    today: int
    points: tuple[Point, ...]

    @property
    def name(self) -> str:
        return f"{self.rule.lower()}-{self.table}"


def thresholds(view: View, rule: Rule) -> Iterator[tuple[str, list[int]]]:
    """The policy tables of a rule that are thresholds of ours, and the values to try."""
    grids = tomllib.loads(
        resources.files(__package__).joinpath("thresholds.toml").read_text("utf-8")
    )
    for table in rule.parameters.values():
        ruled = view.book.ruling(table, view.as_of, view.known_on).value
        if isinstance(ruled, int) and (table in grids or table.startswith("flag_")):
            usual = [ruled * up // down for up, down in _SHARES]
            yield table, sorted({ruled, *grids.get(table, usual)})


def curves(view: View, known: Truth, asked: Iterable[Rule]) -> Iterator[Curve]:
    """Each threshold of each rule varied by itself, all others as they are."""
    for rule in asked:
        for table, values in thresholds(view, rule):
            ruled = view.book.ruling(table, view.as_of, view.known_on)
            points = []
            for value in values:
                supposed = view.supposing(ruled._replace(value=value, source="[D] supposed"))
                found = score_rule(supposed, known, rule)
                points.append(Point(value, found.wanted, found.found, found.findings, found.true))
            yield Curve(
                rule.id, rule.title_zh, table, ruled.unit, ruled.number, tuple(points)
            )  # fmt: skip


def pooled(of_seeds: list[list[Curve]]) -> list[Curve]:
    """The curves of several counties as one."""
    return [
        same[0]._replace(points=tuple(map(_sum, zip(*(c.points for c in same), strict=True))))
        for same in zip(*of_seeds, strict=True)
    ]


def _sum(points: tuple[Point, ...]) -> Point:
    total = points[0]
    for point in points[1:]:
        total = total.with_(point)
    return total


def picture(curve: Curve) -> str:
    """A curve as a small SVG picture."""
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}"'
            f' viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11">'
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 16, f"{curve.rule} {curve.title_zh} · {curve.table}", size=12),
    ]
    for place, name in enumerate(_NAMES):
        x = _LEFT + place * 110
        lines.append(f'<rect x="{x}" y="26" width="10" height="3" fill="{_COLOURS[name]}"/>')
        lines.append(_text(x + 14, 32, _NAMES[name]))
    lines.extend(_grid(curve))
    for name, marks in _lines(curve).items():
        path = " ".join(f"{x},{y}" for x, y in marks)
        colour = _COLOURS[name]
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.extend(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in marks)
    lines.append("</svg>\n")
    return "\n".join(lines)


def _grid(curve: Curve) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent, 100)
        yield f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#ddd"/>'
        yield _text(_LEFT - 6, y + 4, f"{percent}%", anchor="end")
    for place, point in enumerate(curve.points):
        x = _x(place, len(curve.points))
        today = point.value == curve.today
        if today:
            yield (
                f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}" stroke="#888"'
                ' stroke-dasharray="3 3"/>'
            )
        yield _text(x, bottom + 15, f"{point.value:,}", anchor="middle", bold=today)
    yield _text(_LEFT, _HEIGHT - 8, f"{curve.unit}；虚线为现行值 dashed: as it rules today")


def _lines(curve: Curve) -> dict[str, list[tuple[int, int]]]:
    count = len(curve.points)
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in _NAMES}
    for place, point in enumerate(curve.points):
        if point.wanted:
            found["recall"].append((_x(place, count), _y(point.found, point.wanted)))
        if point.findings:
            found["precision"].append((_x(place, count), _y(point.true, point.findings)))
    return found


def _x(place: int, count: int) -> int:
    inner = _WIDTH - _LEFT - _RIGHT - 24
    return _LEFT + 12 + place * inner // max(1, count - 1)


def _y(part: int, whole: int) -> int:
    return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM) // whole


def _text(x: int, y: int, text: str, *, anchor: str = "start", size: int = 11, bold: bool = False
          ) -> str:  # fmt: skip
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}"{weight}>'
        f"{escape(text)}</text>"
    )
