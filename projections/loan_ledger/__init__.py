"""The loan ledger (贷款台账): every loan on any day, as it was and as it was known."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from domain.household import Household
from projections.facts.reading import (
    COUNTY,
    Scope,
    Table,
    View,
    guaranteed,
    parameters_of_loans,
    query_text,
)
from projections.loan_ledger.columns import COLUMNS

_OF_PAGE = "loan_id = ANY (ARRAY(SELECT loan_id FROM line))"
_PAGED = {
    "{page}": "ORDER BY l.bank, l.loan_no LIMIT %(most)s",
    "{of_page_households}": "WHERE household_id = ANY (ARRAY(SELECT household_id FROM line))",
    "{of_page}": f"WHERE {_OF_PAGE}",
    "{and_of_page}": f"AND {_OF_PAGE}",
}
"""What a page says in the places of the question that the whole ledger leaves empty.

The ids as an array: PostgreSQL then looks each up, and reads nothing of other loans.
"""


def households_of(view: View, loans: Iterable[str]) -> set[UUID]:
    """The households of loans, by the loans' ids."""
    query = "SELECT DISTINCT household_id FROM facts.loan WHERE loan_id = ANY(%(loans)s::uuid[])"
    return {household for (household,) in view.query(query, loans=list(loans)).rows}


def query_of(*, paged: bool) -> str:
    """The SQL of the whole ledger, or of a page, which costs a page."""
    query = query_text(__name__).replace("{guaranteed}", guaranteed("l.loan_id"))
    for place, said in _PAGED.items():
        query = query.replace(place, said if paged else "")
    return query


def loan_ledger(
    view: View,
    *,
    scope: Scope = COUNTY,
    household_no: str | None = None,
    loan_no: str | None = None,
    after: tuple[str, str] | None = None,
    most: int | None = None,
) -> Table:
    """One line a loan, ordered by bank and loan number; `after` names the line before a page."""
    bank, number = after or (None, None)
    is_named = household_no is not None or loan_no is not None
    ask = view.lookup_table if is_named else view.table
    return ask(
        COLUMNS,
        query_of(paged=is_named or most is not None),
        **parameters_of_loans(scope),
        household_id=None if household_no is None else Household.id_for(household_no),
        loan_no=loan_no,
        after_bank=bank,
        after_loan_no=number,
        most=most,
    )
