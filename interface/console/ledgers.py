"""The loan ledger (贷款台账) and the subsidy ledger (贴息台账) as lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter

from interface.console.awaited import AwaitedRoute
from interface.console.frame import Visit
from interface.console.ledger_lists import Ledger, LedgerSelection
from interface.console.list_query import Asked
from interface.console.lists import ListPage, list_page
from interface.http.permissions import scope_of
from interface.http.query_params import assure_known, narrowed
from projections.facts.reading import View
from projections.loan_ledger import SHAPE as LOANS
from projections.loan_ledger import loan_ledger, loan_totals
from projections.subsidy_ledger import SHAPE as SUBSIDIES
from projections.subsidy_ledger import subsidy_ledger, subsidy_totals

router = APIRouter(route_class=AwaitedRoute, include_in_schema=False)
Line = Mapping[str, Any]


def payment_address(found: Visit, no: str) -> str:
    return found.to("subsidy-payments", no)


def loan_address(found: Visit, line: Line) -> str:
    return found.to("loans", line["bank"], line["loan_no"])


def household_address(found: Visit, line: Line) -> str | None:
    if not found.allowed("/households/{no}"):
        return None
    return found.to("households", line["household_no"])


def _payments(found: Visit, line: Line) -> str | None:
    of_loan = {"bank": line["bank"], "loan_no": line["loan_no"]}
    return found.address("/ledgers/subsidies", **of_loan) if line["subsidy_fen"] else None


LOAN_LIST: Final = ListPage(
    name="loans",
    query="/ledgers/loans",
    columns=LOANS.all_columns,
    key=LOANS.key,
    shown=(
        "loan_no", "bank", "township", "village", "household_no", "borrower_name", "purpose",
        "principal_fen", "annual_rate_bp", "disbursed_on", "due_on", "outstanding_fen",
        "subsidy_fen", "state",
    ),
    facets=("state", "bank", "township", "village", "purpose", "category"),
    filters=("household_no", "loan_no"),
    ranges=("disbursed_on", "due_on", "principal_fen", "outstanding_fen"),
    leads={
        "loan_no": loan_address,
        "household_no": household_address,
        "subsidy_fen": _payments,
    },
    tags=lambda line, key: "late" if key == "state" and line[key] == "overdue" else None,
    borrower_names=True,
)  # fmt: skip
SUBSIDY_LIST: Final = ListPage(
    name="subsidies",
    query="/ledgers/subsidies",
    columns=SUBSIDIES.columns,
    key=SUBSIDIES.key,
    shown=(
        "payment_no", "period", "paid_on", "bank", "loan_no", "township", "household_no",
        "borrower_name", "due_fen", "paid_fen", "recovered_fen", "returned_fen", "net_fen",
        "voucher",
    ),
    facets=("period", "bank", "township", "village"),
    filters=("household_no", "loan_no"),
    ranges=("paid_on", "paid_fen", "recovered_fen"),
    leads={
        "payment_no": lambda found, line: payment_address(found, line["payment_no"]),
        "loan_no": loan_address,
        "household_no": household_address,
    },
    tags=lambda line, key: "late" if key == "recovered_fen" and line[key] else None,
    borrower_names=True,
)  # fmt: skip
_LOANS: Final = Ledger(
    "loans",
    LOANS,
    lambda view, scope, choice: loan_ledger(view, scope=scope, choice=choice, state=True),
    lambda view, scope, choice, facets: loan_totals(view, choice, facets, scope=scope),
    LOAN_LIST.facets,
)
_SUBSIDIES: Final = Ledger(
    "subsidies",
    SUBSIDIES,
    lambda view, scope, choice: subsidy_ledger(view, scope=scope, choice=choice),
    lambda view, scope, choice, facets: subsidy_totals(view, choice, facets, scope=scope),
    SUBSIDY_LIST.facets,
)


@list_page(router, "/ledgers/loans", LOAN_LIST)
def loans(found: Visit, view: View, asked: Asked) -> LedgerSelection:
    return _chosen(found, view, asked, _LOANS)


@list_page(router, "/ledgers/subsidies", SUBSIDY_LIST)
def subsidies(found: Visit, view: View, asked: Asked) -> LedgerSelection:
    return _chosen(found, view, asked, _SUBSIDIES)


def _chosen(found: Visit, view: View, asked: Asked, ledger: Ledger) -> LedgerSelection:
    """Raises HTTPException 403 for another's bank or township, FilterUnknown for none's."""
    scope = scope_of(found.author, f"/ledgers/{ledger.name}")
    bank, township = asked.equal.get("bank"), asked.equal.get("township")
    assure_known(view, bank, township if township != "-" else None)
    narrowed(view, scope, bank if scope.bank else None, township if scope.township else None)
    return LedgerSelection(ledger, view, scope, asked)
