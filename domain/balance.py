"""A balance by civil day, from dated movements.

A decision that spends is judged on its own day and on every later day (domain rules §2): what is
there today was perhaps not there on the day that somebody writes.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple


class Lowest(NamedTuple):
    """The lowest balance of a stretch of days, and the first day that has it."""

    on: date
    fen: int


class Balance:
    """Amounts in fen by the day on which they moved; in any order of being reported."""

    def __init__(self) -> None:
        self._moved: dict[date, int] = {}

    def move(self, on: date, amount_fen: int) -> None:
        """Add an amount on a day; below zero: take it away."""
        self._moved[on] = self._moved.get(on, 0) + amount_fen

    @property
    def last_fen(self) -> int:
        """The balance after every movement."""
        return sum(self._moved.values())

    def lowest(self, since: date = date.min) -> Lowest:
        """The lowest balance at the end of the day `since` or of any later day."""
        fen = sum(moved for on, moved in self._moved.items() if on <= since)
        found = Lowest(since, fen)
        for on in sorted(on for on in self._moved if on > since):
            fen += self._moved[on]
            if fen < found.fen:
                found = Lowest(on, fen)
        return found
