"""Bars (分段条) and the gauge (量表): parts of a whole with marks, in units of WIDTH."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

WIDTH: Final = 1000


class Part(NamedTuple):
    """A part of a bar: its name, its amount, and where it stands."""

    name: str
    amount_fen: int
    x: int
    width: int


class Mark(NamedTuple):
    """A line across a bar."""

    name: str
    x: int


class Bars(NamedTuple):
    parts: list[Part]
    marks: list[Mark]


def stacked(parts: Iterable[tuple[str, int]], marks: Sequence[tuple[str, int]]) -> Bars:
    """Amounts one behind the other, none below zero; `marks` at amounts from the left.

    What is more than nothing is at least one unit wide. The longest of both fills the width.
    """
    told = [(name, max(fen, 0)) for name, fen in parts]
    whole = max([sum(fen for _, fen in told), *(fen for _, fen in marks), 1])
    found, passed = [], 0
    for name, fen in told:
        x = passed * WIDTH // whole
        passed += fen
        width = max(passed * WIDTH // whole - x, 1) if fen else 0
        found.append(Part(name, fen, min(x, WIDTH - width), width))
    return Bars(found, [Mark(name, fen * WIDTH // whole) for name, fen in marks])
