"""Routes around the loans: ratings, risks, guarantees, the risk fund, benefit agreements."""

from __future__ import annotations

from fastapi import APIRouter, Response

from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import Read
from projections.facts.reading import COUNTY
from projections.links import benefits, guarantees, instalments, ratings, risk_fund, risks
from projections.links.columns import BENEFITS, GUARANTEES, INSTALMENTS, RATINGS, RISK_FUND, RISKS

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)


@router.get("/ratings", summary="信用评级 the latest rating of each household, with its age")
@s.answers(s.table("Ratings", RATINGS))
async def rating_list(read: Read) -> Response:
    """A bank sees its own ratings, a township those of its households."""
    _, scope = await read.reader()
    return await read.table("ratings", lambda view: ratings(view, scope=scope))


@router.get("/risks", summary="风险信息 each risk told, who took note, and how long it waited")
@s.answers(s.table("Risks", RISKS))
async def risk_list(read: Read) -> Response:
    """The county's offices see all; others what they told or what concerns them."""
    author, scope = await read.reader()
    reader = None if scope == COUNTY else author.organisation
    return await read.table("risks", lambda view: risks(view, reader=reader))


@router.get("/guarantees", summary="担保 each guarantee and its fee, which must be nothing")
@s.answers(s.table("Guarantees", GUARANTEES))
async def guarantee_list(read: Read) -> Response:
    """A guarantee company and a bank see their own."""
    _, scope = await read.reader()
    return await read.table(
        "guarantees", lambda view: guarantees(view, bank=scope.bank, guarantor=scope.guarantor)
    )


@router.get("/ledgers/risk-fund", summary="风险补偿金 paid in, compensated, recovered, ratio")
@s.answers(s.table("RiskFund", RISK_FUND))
async def risk_fund_ledger(read: Read) -> Response:
    await read.reader()
    return await read.table("risk-fund", risk_fund)


@router.get("/benefits", summary="利益联结 what fell due to each household, was paid, is short")
@s.answers(s.table("Benefits", BENEFITS))
async def benefit_list(read: Read) -> Response:
    _, scope = await read.reader()
    return await read.table("benefits", lambda view: benefits(view, scope=scope))


@router.get("/benefits/instalments", summary="分红逐期 due, paid, short and days late")
@s.answers(s.table("BenefitInstalments", INSTALMENTS))
async def instalment_list(read: Read) -> Response:
    """A line an agreement, instalment and household; a township sees its households."""
    _, scope = await read.reader()
    return await read.table("benefit-instalments", lambda view: instalments(view, scope=scope))
