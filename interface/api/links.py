"""Routes around the loans: ratings, risks, guarantees, the risk fund, benefit agreements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from interface.api.answers import form_of, head_of, headers_of, json_answer, table_file
from interface.api.asking import After, AsOf, KnownAt, view_of
from interface.service import COUNTY_ROLES, scope_of, service_of
from projections.facts.reading import COUNTY, Table, View
from projections.links import benefits, guarantees, ratings, risk_fund, risks

router = APIRouter(prefix="/v1", tags=["查询 reads"])


async def _answer(
    request: Request,
    name: str,
    ask: Callable[[View], Table],
    as_of: Any,
    known_at: datetime | None,
    position: int | None,
) -> Response:
    service = service_of(request)
    form = form_of(request)

    def answer() -> Response:
        with view_of(service, as_of, known_at, position) as view:
            table = ask(view)
            if form != "json":
                return table_file(table, form, f"{name}-{view.as_of}", headers_of(view))
            lines = list(table.dicts())
            return json_answer(head_of(view) | {"lines": lines}, headers=headers_of(view))

    return await run_in_threadpool(answer)


@router.get("/ratings", summary="信用评级 the latest rating of each household, with its age")
async def rating_list(
    request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
) -> Response:
    """A bank sees its own ratings, a township those of its households."""
    _, scope = await service_of(request).reader(request)
    ask = lambda view: ratings(view, scope=scope)  # noqa: E731
    return await _answer(request, "ratings", ask, as_of, known_at, position)


@router.get("/risks", summary="风险信息 each risk told, who took note, and how long it waited")
async def risk_list(
    request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
) -> Response:
    """The county's offices see all; others what they told or what concerns them."""
    author = await service_of(request).author(request)
    if author.role == "admin":
        raise HTTPException(403)
    reader = None if author.role in COUNTY_ROLES else author.organisation
    ask = lambda view: risks(view, reader=reader)  # noqa: E731
    return await _answer(request, "risks", ask, as_of, known_at, position)


@router.get("/guarantees", summary="担保 each guarantee and its fee, which must be nothing")
async def guarantee_list(
    request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
) -> Response:
    """A guarantee company and a bank see their own."""
    author = await service_of(request).author(request)
    guarantor = author.organisation if author.role == "guarantor" else None
    scope = COUNTY if guarantor else scope_of(author)
    if scope.township is not None:
        raise HTTPException(403)
    ask = lambda view: guarantees(view, bank=scope.bank, guarantor=guarantor)  # noqa: E731
    return await _answer(request, "guarantees", ask, as_of, known_at, position)


@router.get("/ledgers/risk-fund", summary="风险补偿金 paid in, compensated, recovered, ratio")
async def risk_fund_ledger(
    request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
) -> Response:
    _, scope = await service_of(request).reader(request)
    if scope != COUNTY:
        raise HTTPException(403)
    return await _answer(request, "risk-fund", risk_fund, as_of, known_at, position)


@router.get("/benefits", summary="利益联结 what fell due to each household, was paid, is short")
async def benefit_list(
    request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
) -> Response:
    _, scope = await service_of(request).reader(request)
    if scope.bank is not None:
        raise HTTPException(403)
    ask = lambda view: benefits(view, scope=scope)  # noqa: E731
    return await _answer(request, "benefits", ask, as_of, known_at, position)
