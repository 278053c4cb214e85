"""Routes of reports: indicators, the townships' month, and the check of the plan itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from domain.calendar import civil_day
from domain.plan_check import Contradiction, plan_check
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import (
    After,
    Code,
    KnownAt,
    Read,
    narrowed,
    view_of,
)
from interface.http.responses import json_answer
from interface.http.service import service_of
from projections.reports import indicators, township_report
from projections.reports.annual import annual_form
from projections.reports.banks import bank_appraisal
from projections.reports.columns import ANNUAL, BANKS, INDICATORS, TOWNSHIPS

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)

_PLAN_CHECK = s.answer(
    s.record(
        "PlanCheck",
        year=s.WHOLE,
        known_at=s.INSTANT,
        plan_known=s.FLAG,
        contradictions=s.several(
            s.record(
                "Contradiction",
                code=s.TEXT,
                zh=s.TEXT,
                en=s.TEXT,
                value=s.WHOLE,
                limit=s.WHOLE,
                unit=s.TEXT,
                excess_fen=s.WHOLE,
                rulings=s.several(s.OPEN),
            )
        ),
    )
)


@router.get("/reports/townships", summary="乡镇月报 stock, new and overdue by township")
@s.answers(s.table("TownshipReport", TOWNSHIPS))
async def townships(
    read: Read,
    township: Code = None,
    bank: Code = None,
) -> Response:
    _, scope = await read.reader()
    return await read.table(
        "townships", lambda view: township_report(view, scope=narrowed(view, scope, bank, township))
    )


@router.get("/reports/banks", summary="银行考核 reminders, reporting, overdue and answers by bank")
@s.answers(s.table("BankAppraisal", BANKS))
async def banks(
    read: Read,
    bank: Code = None,
) -> Response:
    _, scope = await read.reader()
    return await read.table(
        "banks", lambda view: bank_appraisal(view, scope=narrowed(view, scope, bank, None))
    )


@router.get("/reports/annual", summary="年度统计表 lent by use, due, repaid, subsidy, balance")
@s.answers(s.table("AnnualForm", ANNUAL))
async def annual(
    read: Read,
    township: Code = None,
    bank: Code = None,
) -> Response:
    """Of the year in which `as_of` lies, up to that day."""
    _, scope = await read.reader()
    return await read.table(
        "annual", lambda view: annual_form(view, scope=narrowed(view, scope, bank, township))
    )


@router.get("/indicators", summary="绩效指标 the plan's targets against the ledger")
@s.answers(s.found("Indicators", lines=s.several(s.line("IndicatorsLine", INDICATORS))))
async def indicator_list(read: Read) -> Response:
    await read.reader()
    return await read.json(lambda view: {"lines": list(indicators(view).dicts())})


@router.get("/reports/plan-check", summary="方案自检 what contradicts itself in the plan of a year")
@s.answers(_PLAN_CHECK)
async def check_of_plan(
    request: Request,
    year: Annotated[int, Query(ge=2014, le=2100, description="缺省为本年 this year")] | None = None,
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
