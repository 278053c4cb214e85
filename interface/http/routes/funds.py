"""Routes of the money: the fund ledger, and the journal of everything that moved."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from interface.http.checked_route import CheckedRoute
from interface.http.query_params import After, AsOf, KnownAt, answered, view_of
from interface.http.responses import form_of, headers_of, table_file
from interface.http.service import service_of
from projections.facts.reading import COUNTY
from projections.funds import fund_ledger, journal, journal_text

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)


@router.get("/ledgers/funds", summary="资金台账 allocated, reserved, paid and free, by budget year")
async def funds(
    request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
) -> Response:
    _, scope = await service_of(request).reader(request)
    if scope != COUNTY:
        raise HTTPException(403)
    return await answered(request, "funds", fund_ledger, as_of, known_at, position)


@router.get("/ledgers/journal", summary="日记账 every amount that moved, double entry")
async def whole_journal(
    request: Request,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    tool: Annotated[
        Literal["hledger", "beancount"] | None,
        Query(description="plain text for this accounting tool, instead of CSV or XLSX"),
    ] = None,
    position: After = None,
) -> Response:
    """The whole of it; CSV unless XLSX or a tool's text is asked for."""
    service = service_of(request)
    _, scope = await service.reader(request)
    if scope != COUNTY:
        raise HTTPException(403)
    form = form_of(request)

    def answer() -> Response:
        with view_of(service, as_of, known_at, position) as view:
            if tool is not None:
                text = "".join(journal_text(view, tool))
                return Response(
                    text, media_type="text/plain; charset=utf-8", headers=headers_of(view)
                )
            file = "csv" if form == "json" else form
            return table_file(journal(view), file, f"journal-{view.as_of}", headers_of(view))

    return await run_in_threadpool(answer)
