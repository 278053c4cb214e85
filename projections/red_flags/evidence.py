"""Whom the events that prove a finding concern, and what payments counted: for back-tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from projections.facts.reading import View, question


class Concerned(NamedTuple):
    """One event of a finding; what it does not concern is None."""

    topic: str
    loan: str | None
    household_no: str | None
    batch_no: str | None
    report: str | None
    voucher: str | None


def concerned(view: View, positions: Iterable[int]) -> dict[int, Concerned]:
    """Each of these events, by its position."""
    asked = view.ask(question(__package__, "evidence.sql"), positions=sorted(set(positions)))
    return {row[0]: Concerned(*row[1:]) for row in asked.rows}


class Subsidised(NamedTuple):
    """A stretch of days, and the principal that a payment counted on them."""

    bank: str
    loan_no: str
    payment_no: str
    period: str
    first: date
    until: date
    principal_fen: int


def subsidised(view: View) -> list[Subsidised]:
    """Every stretch of every payment, in the order in which they were paid."""
    return [Subsidised(*row) for row in view.ask(question(__package__, "subsidised.sql")).rows]
