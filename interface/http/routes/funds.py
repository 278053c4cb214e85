"""Routes of the money: the fund ledger, and the journal of everything that moved."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import Read
from interface.http.responses import Form, headers_of, table_file
from projections.facts.reading import View
from projections.funds import fund_ledger, journal, journal_text, transfers
from projections.funds.columns import FUNDS, TRANSFERS

BudgetYear = Annotated[int | None, Query(ge=1990, le=9000, description="预算年度 budget year")]
router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)


@router.get("/ledgers/funds", summary="资金台账 allocated, reserved, paid and free, by budget year")
@s.answers(s.table("FundLedger", FUNDS))
async def funds(read: Read) -> Response:
    await read.reader()
    return await read.table("funds", fund_ledger)


@router.get("/ledgers/transfers", summary="资金拨付 each transfer between offices and banks")
@s.answers(s.table("Transfers", TRANSFERS))
async def transfer_list(read: Read, year: BudgetYear = None) -> Response:
    await read.reader()
    return await read.table("transfers", lambda view: transfers(view, year=year))


@router.get("/ledgers/journal", summary="日记账 every amount that moved, double entry")
@s.answers(s.file(s.CSV, s.XLSX, "text/plain"))
async def whole_journal(
    read: Read,
    tool: Annotated[
        Literal["hledger", "beancount"] | None,
        Query(description="按此记账软件的文本，不用 CSV 或 XLSX plain text for this tool"),
    ] = None,
) -> Response:
    """The whole of it; CSV unless XLSX or a tool's text is asked for."""
    await read.reader()
    form: Form = "xlsx" if read.form == "xlsx" else "csv"

    def answer(view: View) -> Response:
        if tool is not None:
            text = "".join(journal_text(view, tool))
            return Response(text, media_type="text/plain; charset=utf-8", headers=headers_of(view))
        return table_file(
            journal(view), form, "journal", headers_of(view), read.described(view, "journal")
        )

    return await read.respond(answer)
