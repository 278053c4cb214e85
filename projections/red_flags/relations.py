"""What other projections reckon, as relations that a rule's SQL may ask beside the facts.

A relation is made once a view, however many rules ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final, NamedTuple

from domain.calendar import DAY, quarter_of
from domain.plan_check import TARGETS, plan_check
from projections.duties import duties
from projections.facts.reading import View
from projections.settlement import settlement

Rows = Iterable[tuple[Any, ...]]


class Relation(NamedTuple):
    """Names and SQL types of the columns, and how the rows are reckoned."""

    columns: dict[str, str]
    rows: Callable[[View], Rows]


def _due(view: View) -> Rows:
    """Every loan and closed quarter with anything due, paid or held; by both roads."""
    closed = quarter_of(quarter_of(view.today, view.book).first - DAY, view.book)
    for due in settlement(view, closed):
        yield (
            due.loan["loan_id"],
            due.name,
            due.period.first,
            due.period.until,
            due.due_fen,
            due.paid_fen,
            due.reserved_fen,
        )


def _neglected(view: View) -> Rows:
    """Duties that were done late or not at all."""
    found = duties(view, due_until=view.today)
    for line in found.dicts():
        if line["state"] in ("late", "not_done"):
            yield (
                line["duty"],
                line["bank"],
                line["loan_no"],
                line["household_no"],
                line["due_on"],
                line["done_on"],
                line["opened_by"],
                line["position"],
            )


def _rate_cap(view: View) -> Rows:
    """The highest subsidised rate of each term, by the day of the contract."""
    for term, name in (("one_year", "lpr_one_year"), ("longer", "lpr_five_year")):
        days = sorted({r.effective_from for r in view.book.table(name).rulings})
        for first, until in zip(days, [*days[1:], date.max], strict=True):
            yield term, first, until, view.book.ruling(name, first, view.known_on).number


def _contradiction(view: View) -> Rows:
    """What plans rule out of themselves, with the day from which it could be known."""
    told = (ruling for name in TARGETS for ruling in view.book.table(name).rulings)
    for year in sorted({ruling.effective_from.year for ruling in told}):
        for found in plan_check(year, view.known_on, view.book) or ():
            since = max(date.fromisoformat(str(each["known_from"])) for each in found.rulings)
            yield year, found.code, found.value - found.limit, found.unit, since


RELATIONS: Final = {
    "due": Relation(
        {
            "loan_id": "uuid",
            "period": "text",
            "first": "date",
            "until": "date",
            "due_fen": "bigint",
            "paid_fen": "bigint",
            "reserved_fen": "bigint",
        },
        _due,
    ),
    "neglected": Relation(
        {
            "duty": "text",
            "bank": "text",
            "loan_no": "text",
            "household_no": "text",
            "due_on": "date",
            "done_on": "date",
            "opened_by": "bigint",
            "position": "bigint",
        },
        _neglected,
    ),
    "rate_cap": Relation(
        {"term": "text", "first": "date", "until": "date", "rate_bp": "int"}, _rate_cap
    ),
    "contradiction": Relation(
        {"year": "int", "code": "text", "excess": "bigint", "unit": "text", "since": "date"},
        _contradiction,
    ),
}
