"""The subsidy ledger (贴息台账): every payment, and what was recovered of it."""

from __future__ import annotations

from projections.facts.reading import (
    COUNTY,
    Scope,
    Table,
    View,
    guaranteed,
    parameters_of_loans,
    query_text,
)
from projections.subsidy_ledger.columns import COLUMNS

_OF_PAGE = "AND payment_no = ANY (ARRAY(SELECT payment_no FROM line))"


def query_of(*, paged: bool) -> str:
    """The SQL of the whole ledger, or of a page."""
    query = query_text(__name__).replace("{guaranteed}", guaranteed("l.loan_id"))
    return query.replace("{of_page}", _OF_PAGE if paged else "")


def subsidy_ledger(
    view: View,
    *,
    scope: Scope = COUNTY,
    household_no: str | None = None,
    loan_no: str | None = None,
    period: str | None = None,
    after: int | None = None,
    most: int | None = None,
) -> Table:
    """One line a payment, in the order of the log; `after` is the line before a page."""
    is_named = loan_no is not None
    ask = view.lookup_table if is_named else view.table
    return ask(
        COLUMNS,
        query_of(paged=is_named or most is not None),
        **parameters_of_loans(scope),
        household_no=household_no,
        loan_no=loan_no,
        period=period,
        after=after,
        most=most,
    )
