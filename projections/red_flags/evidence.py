"""What proves a finding: whom its events concern, which rulings it cites, what payments counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from domain.plan_check import plan_check
from projections.facts.reading import View, query_text
from projections.red_flags import Rule


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
    asked = view.query(query_text(__package__, "evidence.sql"), positions=sorted(set(positions)))
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
    return [Subsidised(*row) for row in view.query(query_text(__package__, "subsidised.sql")).rows]


def cited(view: View, rulings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rulings as a finding cites them. `position`: the event that recorded it, None: packaged."""
    recorded = "SELECT rule, effective_on, told_on, number, of_position FROM facts.ruling"
    places = {
        f"{rule}@{effective_on}/{told_on}#{number}": position
        for rule, effective_on, told_on, number, position in view.query(recorded).rows
    }
    return [ruling | {"position": places.get(ruling["version"])} for ruling in rulings]


def plan_rulings(view: View, rule: Rule, subject: str) -> list[dict[str, Any]]:
    """The figures that a finding about a plan (方案自检) compares; of any other finding none.

    A plan's figures may all be packaged: then no event proves the finding, but its documents do.
    """
    if "contradiction" not in rule.relations or not subject.startswith("plan "):
        return []
    _, year, code = subject.split(" ")
    found = plan_check(int(year), view.known_on, view.book) or ()
    return [ruling for each in found if each.code == code for ruling in each.rulings]
