"""Why a loan's subsidy for a quarter is what it is, and how it differs from what was paid."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from starlette.exceptions import HTTPException

from application import fields as f
from application.refusals import LoanAmbiguous
from domain.loan import LoanUnknown
from domain.policy import NoRuling
from domain.subsidy_explanation import PaymentState, ReasonCode
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import Code, No, Read
from projections import columns as col
from projections.facts.reading import Scope, View
from projections.subsidy_explanation import explanation, loans_called
from projections.subsidy_explanation.columns import LINES, PAYMENTS, SHOWN

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)

Period = Annotated[f.Quarter, Path(description="结息期 settlement quarter, 2023Q4")]

_BOUNDS = {"first": s.DAY, "until": s.DAY, "days": s.WHOLE}
_EARNING = {"principal_fen": s.WHOLE, "rate_bp": s.WHOLE, "share_bp": s.WHOLE}
_TAKER = s.record(
    "CapTaker",
    bank_class={"enum": ["same_bank", "other_bank"]},
    bank=s.optional(s.TEXT),
    loan_no=s.optional(s.TEXT),
    owed_fen=s.optional(s.WHOLE),
    takes_fen=s.WHOLE,
)
_REASON = s.record(
    "SubsidyReason",
    reason={"enum": [code.value for code in ReasonCode]},
    zh=s.TEXT,
    en=s.TEXT,
    **_BOUNDS,
    details=s.OPEN,
    loans=s.several(_TAKER),
)
_MISSING = s.optional(s.TEXT)
_BY_DOMAIN = s.record(
    "DomainCalculation",
    due_fen=s.WHOLE,
    missing_ruling=_MISSING,
    day_count=s.optional(s.WHOLE),
    segments=s.several(s.OPEN),
    rulings=s.several(s.RULING),
)
_BY_SQL = s.record(
    "SqlCalculation",
    due_fen=s.WHOLE,
    missing_ruling=_MISSING,
    segments=s.several(s.record("EarningRange", **_BOUNDS, **_EARNING)),
)
_THEN = s.record("Earning", **_EARNING)
_DIFFERENCE = s.record(
    "SubsidyDifference", **_BOUNDS, then=s.optional(_THEN), now=s.optional(_THEN)
)
_PAYMENT = s.line("ExplainedPayment", PAYMENTS)
_PAYMENT["properties"]["differences"] = s.several(_DIFFERENCE)
_PAYMENT["required"].append("differences")
_EXPLANATION = s.found(
    "SubsidyExplanation",
    estimate=s.FLAG,
    loan=s.line("ExplainedLoan", (*SHOWN, col.CATEGORY)),
    period=s.TEXT,
    first=s.DAY,
    until=s.DAY,
    due_fen=s.WHOLE,
    paid_fen=s.WHOLE,
    reserved_fen=s.WHOLE,
    left_fen=s.WHOLE,
    limit_fen=s.optional(s.WHOLE),
    note=s.optional(s.TEXT),
    state={"enum": [state.value for state in PaymentState]},
    state_zh=s.TEXT,
    state_en=s.TEXT,
    reasons=s.several(_REASON),
    calculations=s.record("TwoCalculations", agree=s.FLAG, domain=_BY_DOMAIN, sql=_BY_SQL),
    payments=s.several(_PAYMENT),
    batch_lines=s.several(s.line("ExplainedLine", LINES)),
)


@router.get(
    "/loans/{no}/subsidies/{period}",
    summary="贴息说明 why a loan has this subsidy, or none",
)
@s.answers(_EXPLANATION, s.refused(LoanUnknown, LoanAmbiguous, NoRuling))
async def subsidy_explanation(read: Read, no: No, period: Period, bank: Code = None) -> Response:
    """Both calculations with their segments, every reason that made it less, and what was paid.

    Of loans at other banks a bank is shown what they take up of the household's cap, as an amount.
    """
    _, scope = await read.reader()
    if scope.bank is not None and bank not in (None, scope.bank):
        raise HTTPException(403)

    return await read.json(lambda view: explained(view, scope, no, period, bank))


_WEIGHT = 60
"""Lines that an explanation is reckoned as among the answers that are kept."""


def explained(
    view: View, scope: Scope, no: str, period: str, bank: str | None = None
) -> dict[str, Any]:
    """The explanation as the reader may see it; not to be changed, for it is kept.

    Raises LoanUnknown, LoanAmbiguous, NoRuling.
    """
    key = ("subsidy explanation", view.place, scope, no, period, bank)
    memory = view.memory if scope.guarantor is None else None  # an ended guarantee closes all
    found: dict[str, Any] | None = memory.recall(key) if memory else None
    if found is None:
        found = _explained(view, scope, no, period, bank)
        if memory:
            memory.keep(key, found, _WEIGHT)
    return found


def _explained(view: View, scope: Scope, no: str, period: str, bank: str | None) -> dict[str, Any]:
    loans = list(loans_called(view, no, bank=bank, scope=scope).dicts())
    if not loans:
        raise LoanUnknown(loan_no=no)
    if len(loans) > 1:
        raise LoanAmbiguous(banks=[loan["bank"] for loan in loans])
    found = explanation(view, loans[0], period)
    estimate = found.due.period is not None and view.as_of < found.due.period.until
    return {"estimate": estimate} | _shown(found.plain(lambda of: _shows(scope, of)), scope)


def _shows(scope: Scope, bank: str) -> bool:
    """Whether the reader sees the household's loans of a bank; a township sees all of them."""
    return scope.guarantor is None and scope.bank in (None, bank)


def _shown(plain: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """A guarantee company reads of no batch, nor of the objections to one."""
    if scope.guarantor is None:
        return plain
    return plain | {"batch_lines": [], "note": None}
