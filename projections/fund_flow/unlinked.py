"""Payments that hang on nothing: without a known payer, payee, batch, budget money, or trace."""

from __future__ import annotations

from typing import Final

from domain.policy import NoRuling
from projections.facts.reading import Table, View, query_text
from projections.fund_flow.columns import UNLINKED, UNLINKED_COUNTS

CATEGORIES: Final = {
    "repayment_payer_unknown": "还款账户与该户无关联",
    "subsidy_payee_unknown": "贴息收款账户与该户无关联",
    "subsidy_without_batch": "贴息无批次",
    "subsidy_without_money": "贴息超过当时已下达资金",
    "outflow_receiver_unknown": "资金去向不明",
    "transfer_elsewhere": "转往未知账户",
    "loan_flow_unobserved": "贷款去向未全部掌握",
}
_PACKAGE: Final = "projections.fund_flow"


def counts(view: View) -> Table:
    """One line a category, those without any payment too."""
    found = {
        row[0]: row[1:]
        for row in view.query(_text("unlinked_counts.sql"), offices=_offices(view)).rows
    }
    rows = [(code, zh, *found.get(code, (0, 0))) for code, zh in CATEGORIES.items()]
    return Table(UNLINKED_COUNTS, rows)


def unlinked(
    view: View, category: str, *, after: int | None = None, most: int | None = None
) -> Table:
    """The payments of one category, in the order of the log, each with its event."""
    return view.table(
        UNLINKED,
        _text("unlinked_lines.sql"),
        offices=_offices(view),
        category=category,
        after=after,
        most=most,
    )


def _text(name: str) -> str:
    return "\n".join(query_text(_PACKAGE, part) for part in ("unlinked.sql", name))


def _offices(view: View) -> list[str]:
    """The offices' accounts, by the day asked for; none where nothing is known of them."""
    try:
        return list(view.book.ruling("office_accounts", view.as_of, view.known_on).words)
    except NoRuling:
        return []
