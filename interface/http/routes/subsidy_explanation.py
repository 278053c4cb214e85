"""Why a loan's subsidy for a quarter is what it is, and how it differs from what was paid."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from starlette.exceptions import HTTPException

from application import commands as c
from application.refusals import LoanAmbiguous
from domain.loan import LoanUnknown
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import Code, No, Read
from projections.facts.reading import Scope, View
from projections.subsidy_explanation import explanation, loans_called

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)

Period = Annotated[c.Quarter, Path(description="settlement quarter, 2023Q4")]


@router.get(
    "/loans/{no}/subsidies/{period}",
    summary="贴息说明 why a loan has this subsidy, or none",
)
async def subsidy_explanation(read: Read, no: No, period: Period, bank: Code = None) -> Response:
    """Both calculations with their segments, every reason that made it less, and what was paid.

    Of loans at other banks a bank is shown what they take up of the household's cap, as an amount.
    """
    _, scope = await read.reader_of_loans()
    if scope.bank is not None and bank not in (None, scope.bank):
        raise HTTPException(403)

    def ask(view: View) -> dict[str, Any]:
        loans = list(loans_called(view, no, bank=bank, scope=scope).dicts())
        if not loans:
            raise LoanUnknown(loan_no=no)
        if len(loans) > 1:
            raise LoanAmbiguous(banks=[loan["bank"] for loan in loans])
        found = explanation(view, loans[0], period)
        estimate = found.due.period is not None and view.as_of < found.due.period.until
        return {"estimate": estimate} | _shown(found.plain(lambda of: _shows(scope, of)), scope)

    return await read.json(ask)


def _shows(scope: Scope, bank: str) -> bool:
    """Whether the reader sees the household's loans of a bank; a township sees all of them."""
    return scope.guarantor is None and scope.bank in (None, bank)


def _shown(plain: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """A guarantee company reads of no batch, nor of the objections to one."""
    if scope.guarantor is None:
        return plain
    return plain | {"batch_lines": [], "note": None}
