"""The loan ledger (贷款台账): every loan on any day, as it was and as it was known."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from projections.facts.reading import (
    COUNTY,
    Scope,
    Table,
    View,
    guaranteed,
    parameters_of_loans,
    question,
)
from projections.loan_ledger.columns import COLUMNS

_PAGE = "ORDER BY l.bank, l.loan_no LIMIT %(most)s"


def households_of(view: View, loans: Iterable[str]) -> set[UUID]:
    """The households of loans, by the loans' ids."""
    asked = "SELECT DISTINCT household_id FROM facts.loan WHERE loan_id = ANY(%(loans)s::uuid[])"
    return {household for (household,) in view.ask(asked, loans=list(loans)).rows}


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
    asked = question(__name__).replace("{guaranteed}", guaranteed("l.loan_id"))
    return view.table(
        COLUMNS,
        asked.replace("{page}", "" if most is None else _PAGE),
        **parameters_of_loans(scope),
        household_no=household_no,
        loan_no=loan_no,
        after_bank=bank,
        after_loan_no=number,
        most=most,
    )
