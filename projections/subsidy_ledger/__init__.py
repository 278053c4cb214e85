"""The subsidy ledger (贴息台账): what was paid and recovered, by loan and settlement quarter."""

from __future__ import annotations

from projections.facts.reading import COUNTY, Scope, Table, View, parameters_of, question


def subsidy_ledger(
    view: View,
    *,
    scope: Scope = COUNTY,
    household_no: str | None = None,
    loan_no: str | None = None,
    period: str | None = None,
    after: tuple[str, str, str] | None = None,
    most: int | None = None,
) -> Table:
    """One line a loan and quarter; `after` names the line before a page."""
    bank, number, quarter = after or (None, None, None)
    return view.ask(
        question(__name__),
        **parameters_of(scope),
        household_no=household_no,
        loan_no=loan_no,
        period=period,
        after_bank=bank,
        after_loan_no=number,
        after_period=quarter,
        most=most,
    )
