"""The first page (总览): how the county, or one's own part of it, stands; and finding by number."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from domain.kernel import Refused
from domain.money import in_wan, percent
from interface.console.frame import Elsewhere, Visit, assure_allowed, page, visit
from interface.console.page_route import PageRoute
from interface.http.permissions import scope_of
from interface.http.query_params import view_of
from interface.http.routes.ledgers import traced
from projections.facts.reading import Scope, View
from projections.loan_ledger import loan_ledger
from projections.red_flags import rules
from projections.red_flags.runs import statuses
from projections.reports import COUNTY_ROW, township_report

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]


@router.get("/overview")
async def overview(found: Visiting) -> Response:
    assure_allowed(found, "/ledgers/loans")
    stock = await run_in_threadpool(_stock, found)
    flags = await run_in_threadpool(_flags, found) if found.allowed("/red-flags") else None
    return await page(
        found,
        "overview.html",
        stock=stock,
        flags=flags,
        wan=in_wan,
        percent=percent,
        loans=found.address("/ledgers/loans"),
        of_township=lambda code: found.address("/ledgers/loans", township=code),
    )


def _stock(found: Visit) -> dict[str, Any] | None:
    """The townships' report and its sum; None for whom the table gives no such report."""
    if not found.allowed("/reports/townships"):
        return None
    scope = scope_of(found.author, "/reports/townships")
    with view_of(found.service, found.as_of, found.known_at, None) as view:
        *townships, total = _kept_report(view, scope)
    names = {o.code: o.name for o in found.service.people.organisations()}
    most_fen = max((row["outstanding_fen"] for row in townships), default=0)
    return {
        "total": total,
        "townships": [
            row
            | {
                "name": names.get(row["township"], ""),
                "width": row["outstanding_fen"] * 120 // most_fen if most_fen else 0,
            }
            for row in sorted(townships, key=lambda row: (-row["overdue_fen"], row["township"]))
        ],
        "rate": None if total["overdue_rate_bp"] is None else percent(total["overdue_rate_bp"]),
        "is_county": scope == Scope(),
    }


def _kept_report(view: View, scope: Scope) -> list[dict[str, Any]]:
    """It takes the whole ledger: what was answered once at a place of the facts is kept."""
    key = ("townships", scope, view.place)
    kept: list[dict[str, Any]] | None = view.memory.recall(key) if view.memory else None
    if kept is None:
        kept = list(township_report(view, scope=scope).dicts())
        assert kept[-1]["township"] == COUNTY_ROW
        if view.memory:
            view.memory.keep(key, kept, len(kept))
    return kept


def _flags(found: Visit) -> list[dict[str, Any]]:
    """What each red flag found when it was last asked; also those in error or not asked yet."""
    with found.service.facts.connection() as connection:
        told = statuses(connection)
    hidden = not found.allowed("/households/{no}/looks")
    shown = []
    for rule in rules():
        status = told.get(rule.id)
        if (rule.about_looks and hidden) or (status and status.status == "clean"):
            continue
        name = rule.title_zh if found.words.language == "zh" else rule.title_en
        shown.append(
            {
                "id": rule.id,
                "title": name,
                "status": status.status if status else "not_checked",
                "findings": status.findings if status else 0,
                "amount_fen": status.amount_fen if status else 0,
            }
        )
    return shown


@router.get("/search")
async def search(
    found: Visiting, q: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """A payment, a loan or a household by its number: the page of it, or what was looked for."""
    assure_allowed(found, "/subsidy-payments/{no}/trace")
    asked = (q or "").strip()
    if asked:
        place = await _found(found, asked)
        if place is not None:
            raise Elsewhere(place)
    return await page(found, "search.html", asked=asked)


async def _found(found: Visit, no: str) -> str | None:
    if "/" in no or not no.isprintable():
        return None
    try:
        await traced(found.service, found.author, no, found.as_of, found.known_at)
    except Refused:
        return await run_in_threadpool(_in_ledger, found, no)
    return found.address(f"/subsidy-payments/{quote(no, safe='')}")


def _in_ledger(found: Visit, no: str) -> str | None:
    scope = scope_of(found.author, "/ledgers/loans")
    with view_of(found.service, found.as_of, found.known_at, None) as view:
        if loan_ledger(view, scope=scope, household_no=no, most=1).rows:
            return found.address("/ledgers/loans", household_no=no)
        if loan_ledger(view, scope=scope, loan_no=no, most=1).rows:
            return found.address("/ledgers/subsidies", loan_no=no)
    return None
