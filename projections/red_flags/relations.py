"""What other projections reckon, as relations that a rule's SQL may ask beside the facts.

A relation is made once a view, however many rules ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from functools import partial
from itertools import pairwise, takewhile
from typing import Any, Final, NamedTuple

from domain.calendar import SHANGHAI, civil_day
from domain.plan_check import TARGETS, plan_check
from domain.policy import NoRuling
from projections.columns import keys
from projections.duties import of_loans
from projections.duties.columns import DUTIES
from projections.facts.reading import COUNTY, View, query_text
from projections.red_flags.difference import differences

Rows = Iterable[Sequence[Any]]


class Relation(NamedTuple):
    """Names and SQL types of the columns, and how the rows are reckoned."""

    columns: dict[str, str]
    rows: Callable[[View], Rows]


def _scale(view: View) -> Rows:
    """Each bank's monthly report beside the ledger rebuilt at the month's end."""
    return view.query(query_text(__package__, "scale.sql")).rows


_NEGLECTED: Final = {
    "duty": "text",
    "bank": "text",
    "loan_no": "text",
    "due_on": "date",
    "opened_by": "bigint",
    "position": "bigint",
}


def _neglected(view: View) -> Rows:
    """Duties of loans that were done late or not at all."""
    state, *places = (keys(DUTIES).index(name) for name in ("state", *_NEGLECTED))
    for line in of_loans(view, COUNTY, view.today):
        if line[state] in ("late", "not_done"):
            yield [line[place] for place in places]


def _rate_cap(view: View) -> Rows:
    """The highest subsidised rate of each term, by the day of the contract; rulings once known."""
    book, known_on = view.book, view.known_on
    for term, quotes in (("one_year", "lpr_one_year"), ("longer", "lpr_five_year")):
        tables = [book.table(name).rulings for name in ("rate_basis", "flat_rate_bp", quotes)]
        rulings = [ruling for table in tables for ruling in table]
        days = sorted({r.effective_from for r in rulings if r.known_from <= known_on})
        for first, until in pairwise([*days, date.max]):
            with suppress(NoRuling):
                flat = book.ruling("rate_basis", first, known_on).words == ("flat",)
                name = "flat_rate_bp" if flat else quotes
                yield term, first, until, book.ruling(name, first, known_on).number


def _contradiction(view: View) -> Rows:
    """What plans rule out of themselves, and since when without a break that could be known."""
    told = "SELECT recorded_at FROM facts.ruling WHERE rule = ANY (%(rules)s)"
    known = {recorded_at for (recorded_at,) in view.query(told, rules=list(TARGETS)).rows}
    rulings = [ruling for name in TARGETS for ruling in view.book.table(name).rulings]
    known |= {datetime.combine(ruling.known_from, time(), SHANGHAI) for ruling in rulings}
    instants = sorted((each for each in known if each <= view.known_at), reverse=True)
    for year in sorted({ruling.effective_from.year for ruling in rulings}):
        for code, excess_fen in _ruled_out(view, year, view.known_at).items():
            still = takewhile(partial(_holds, view, year, code), instants)
            yield year, code, excess_fen, min(still, default=view.known_at)


def _holds(view: View, year: int, code: str, instant: datetime) -> bool:
    return code in _ruled_out(view, year, instant)


def _ruled_out(view: View, year: int, instant: datetime) -> dict[str, int]:
    found = plan_check(year, civil_day(instant), view.book_known_at(instant))
    return {each.code: each.excess_fen for each in found or ()}


RELATIONS: Final = {
    "due": Relation(
        {
            "loan_id": "uuid",
            "period": "text",
            "until": "date",
            "due_fen": "bigint",
            "paid_fen": "bigint",
            "reserved_fen": "bigint",
            "positions": "text",
            "context": "text",
            "since": "date",
            "open_on": "date",
        },
        differences,
    ),
    "scale": Relation(
        {
            "bank": "text",
            "period": "text",
            "month_end": "date",
            "of_position": "bigint",
            "reported_loans": "bigint",
            "reported_households": "bigint",
            "reported_fen": "bigint",
            "reported_disbursed_fen": "bigint",
            "ledger_loans": "bigint",
            "ledger_fen": "bigint",
            "ledger_disbursed_fen": "bigint",
            "differs": "boolean",
            "then_loans": "bigint",
            "then_differs": "boolean",
            "next_position": "bigint",
        },
        _scale,
    ),
    "neglected": Relation(_NEGLECTED, _neglected),
    "rate_cap": Relation(
        {"term": "text", "first": "date", "until": "date", "rate_bp": "int"}, _rate_cap
    ),
    "contradiction": Relation(
        {"year": "int", "code": "text", "excess_fen": "bigint", "known_from": "timestamptz"},
        _contradiction,
    ),
}
