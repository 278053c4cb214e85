"""Routes of reports: indicators, the townships' month, and the check of the plan itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from domain.calendar import civil_day
from domain.plan_check import Contradiction, plan_check
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import After, AsOf, Code, KnownAt, answered, narrowed, view_of
from interface.http.responses import head_of, headers_of, json_answer
from interface.http.service import service_of
from projections.facts.reading import COUNTY
from projections.reports import indicators, township_report
from projections.reports.annual import annual_form
from projections.reports.banks import bank_appraisal

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)


@router.get("/reports/townships", summary="乡镇月报 stock, new and overdue by township")
async def townships(
    request: Request,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    township: Code = None,
    bank: Code = None,
    position: After = None,
) -> Response:
    _, scope = await service_of(request).reader(request)
    return await answered(
        request,
        "townships",
        lambda view: township_report(view, scope=narrowed(view, scope, bank, township)),
        as_of,
        known_at,
        position,
    )


@router.get("/reports/banks", summary="银行考核 reminders, reporting, overdue and answers by bank")
async def banks(
    request: Request,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    bank: Code = None,
    position: After = None,
) -> Response:
    _, scope = await service_of(request).reader(request)
    if scope.township is not None:
        raise HTTPException(403)
    return await answered(
        request,
        "banks",
        lambda view: bank_appraisal(view, scope=narrowed(view, scope, bank, None)),
        as_of,
        known_at,
        position,
    )


@router.get("/reports/annual", summary="年度统计表 lent by use, due, repaid, subsidy, balance")
async def annual(
    request: Request,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    township: Code = None,
    bank: Code = None,
    position: After = None,
) -> Response:
    """Of the year in which `as_of` lies, up to that day."""
    _, scope = await service_of(request).reader(request)
    return await answered(
        request,
        "annual",
        lambda view: annual_form(view, scope=narrowed(view, scope, bank, township)),
        as_of,
        known_at,
        position,
    )


@router.get("/indicators", summary="绩效指标 the plan's targets against the ledger")
async def indicator_list(
    request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
) -> Response:
    service = service_of(request)
    _, scope = await service.reader(request)
    if scope != COUNTY:
        raise HTTPException(403)

    def answer() -> Response:
        with view_of(service, as_of, known_at, position) as view:
            lines = list(indicators(view).dicts())
            return json_answer(head_of(view) | {"lines": lines}, headers=headers_of(view))

    return await run_in_threadpool(answer)


@router.get("/reports/plan-check", summary="方案自检 what contradicts itself in the plan of a year")
async def check_of_plan(
    request: Request,
    year: Annotated[int, Query(ge=2014, le=2100, description="default this year")] | None = None,
    known_at: KnownAt = None,
    position: After = None,
) -> Response:
    service = service_of(request)
    await service.reader(request)
    moment = known_at or service.clock()
    asked = year or civil_day(moment).year

    def told() -> list[Contradiction] | None:
        with view_of(service, None, known_at, position) as view:
            return plan_check(asked, civil_day(moment), view.book)

    found = await run_in_threadpool(told)
    return json_answer(
        {
            "year": asked,
            "known_at": moment,
            "plan_known": found is not None,
            "contradictions": [one._asdict() for one in found or ()],
        }
    )
