"""A finding group as a picture: its findings on the left, what they share on the right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

WIDTH: Final = 1180
LEFT, RIGHT = 440, 800
_ROW, _TOP = 24, 24
MOST: Final = 20
"""Nodes of a column; of more those with the fewest lines are counted in one."""


class Node(NamedTuple):
    """`folded`: how many this node stands for, where it is the rest of a column."""

    name: str
    y: int
    folded: int = 0


class Line(NamedTuple):
    from_y: int
    to_y: int


class Drawing(NamedTuple):
    findings: list[Node]
    shared: list[Node]
    lines: list[Line]
    height: int


def drawn(findings: Sequence[str], shared: Iterable[tuple[str, str]]) -> Drawing:
    """`findings`: by weight, the heaviest first; `shared`: finding and what it speaks of.

    What one finding alone speaks of connects nothing and is left out, unless there is no other.
    """
    edges = list(dict.fromkeys(shared))
    spoken_of = Counter(thing for _, thing in edges)
    several = {thing for thing, count in spoken_of.items() if count > 1}
    if several:
        edges = [(name, thing) for name, thing in edges if thing in several]
    things = sorted({thing for _, thing in edges}, key=lambda thing: (-spoken_of[thing], thing))
    left, right = _column(findings), _column(things)
    lines = sorted({(left[name].y, right[thing].y) for name, thing in edges if name in left})
    height = _TOP + _ROW * max(len(_nodes(left)), len(_nodes(right)), 1)
    return Drawing(_nodes(left), _nodes(right), [Line(*each) for each in lines], height)


def _column(names: Sequence[str]) -> dict[str, Node]:
    """Each name's node; behind the most, all share one."""
    if len(names) <= MOST:
        return {name: Node(name, _y(place)) for place, name in enumerate(names)}
    rest = Node("", _y(MOST - 1), len(names) - MOST + 1)
    first = {name: Node(name, _y(place)) for place, name in enumerate(names[: MOST - 1])}
    return first | dict.fromkeys(names[MOST - 1 :], rest)


def _nodes(column: dict[str, Node]) -> list[Node]:
    return list(dict.fromkeys(column.values()))


def _y(place: int) -> int:
    return _TOP + place * _ROW
