"""Bars beside the rows of a table: amounts to the right of a line, negative ones to its left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

WIDTH: Final = 240


class Bar(NamedTuple):
    """A bar from `x`, `width` long; `zero` is where nothing stands."""

    x: int
    width: int
    zero: int


def bars(amounts: Sequence[int]) -> list[Bar]:
    """All in one measure; where all have one sign they begin at the left edge."""
    if max((0, *amounts)) == 0:
        amounts = [-amount for amount in amounts]
    least, most = min((0, *amounts)), max((0, *amounts))
    whole = most - least or 1
    zero = -least * WIDTH // whole
    return [
        Bar(zero - length if amount < 0 else zero, length, zero)
        for amount in amounts
        for length in [_length(abs(amount), whole)]
    ]


def _length(amount: int, whole: int) -> int:
    """At least a hairline: what is there is seen."""
    return max(amount * WIDTH // whole, 1) if amount else 0
