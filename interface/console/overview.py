"""The first page (总览): how the county, or one's own part of it, stands; and finding by number."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from domain.money import percent
from interface.console.amounts import overview_amount
from interface.console.frame import Visit, assure_allowed, page, visit
from interface.console.page_route import PageRoute
from interface.http.kept_answers import Block, Question
from interface.http.permissions import scope_of
from interface.http.query_params import view_of
from projections.duties import duties
from projections.facts.reading import Scope, View
from projections.funds import WARNINGS_BP, fund_ledger
from projections.red_flags import rules
from projections.red_flags.runs import statuses
from projections.reports import COUNTY_ROW, indicators, township_report
from projections.reports.annual import annual_form

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_WEEK: Final = timedelta(days=7)
_BAR: Final = 600
_SUBSIDY: Final = "subsidy_paid"
_OPEN: Final = ("not_done", "late", "pending")
"""The states of duties that the overview counts, the worst first."""


@router.get("/overview")
async def overview(found: Visiting) -> Response:
    assure_allowed(found, "/ledgers/loans")
    blocks = await run_in_threadpool(_blocks, found)
    made = await page(
        found,
        "overview.html",
        blocks=blocks,
        names={o.code: o.name for o in await run_in_threadpool(found.service.people.organisations)},
        year=found.as_of.year,
        wan=overview_amount(found.words),
        percent=percent,
        link=found.address,
        week=(found.as_of - _WEEK, found.as_of + _WEEK),
        hide_looks=not found.allowed("/households/{no}/looks"),
    )
    if any(block.is_awaited for block in blocks.values()):
        made.headers["Refresh"] = "2"
    return made


def _blocks(found: Visit) -> dict[str, Block]:
    """What the permission table gives the reader; a dear block fails or is awaited by itself."""
    asked: dict[str, Question] = {}
    for name, (query, ask) in _ASKED.items():
        if found.allowed(query):
            asked[name] = partial(ask, scope_of(found.author, query))
    open_view = partial(view_of, found.service, found.as_of, found.known_at, None)
    scope = scope_of(found.author, "/ledgers/loans")
    key = found.author.role, scope, found.as_of, found.known_at
    blocks = found.service.kept.blocks(open_view, key, asked)
    if found.allowed("/red-flags"):
        blocks["flags"] = Block(_flags(found))
    return blocks


def _stock(scope: Scope, view: View) -> dict[str, Any]:
    """The townships' report and its sum, the most overdue township first."""
    *townships, total = township_report(view, scope=scope).dicts()
    assert total["township"] == COUNTY_ROW
    most_fen = max((row["outstanding_fen"] for row in townships), default=0)
    return {
        "total": total,
        "townships": [
            row | {"width": row["outstanding_fen"] * 120 // most_fen if most_fen else 0}
            for row in sorted(townships, key=lambda row: (-row["overdue_fen"], row["township"]))
        ],
    }


def _subsidy(scope: Scope, view: View) -> int:
    """What was paid in the year less what came back, in fen."""
    [line] = [each for each in annual_form(view, scope=scope).dicts() if each["item"] == _SUBSIDY]
    paid_fen: int = line["sum_fen"]
    return paid_fen


def _funds(_: Scope, view: View) -> dict[str, Any] | None:
    """The line of the fund ledger of the year; `used_x` and `reserved_x` of 600 are drawn."""
    for line in fund_ledger(view).dicts():
        if line["year"] == view.as_of.year and line["allocated_fen"]:
            paid, reserved, whole = (
                line[f"{part}_fen"] for part in ("paid", "reserved", "allocated")
            )
            used_x = min(paid * _BAR // whole, _BAR)
            return line | {
                "used_x": used_x,
                "reserved_x": min(reserved * _BAR // whole, _BAR - used_x),
                "marks": [(share // 100, share * _BAR // 10_000) for share in WARNINGS_BP],
            }
    return None


def _targets(_: Scope, view: View) -> list[dict[str, Any]]:
    return list(indicators(view).dicts())


def _duties(scope: Scope, view: View) -> list[dict[str, Any]]:
    """How many duties of the week before and the week after stand how, those open or late."""
    near = duties(
        view, scope=scope, due_from=view.as_of - _WEEK, due_until=view.as_of + _WEEK
    ).dicts()
    counted = Counter((line["duty"], line["duty_zh"], line["state"]) for line in near)
    order = {state: place for place, state in enumerate(_OPEN)}
    return [
        {"duty": duty, "duty_zh": title, "state": state, "count": count}
        for (duty, title, state), count in sorted(
            counted.items(), key=lambda item: (order.get(item[0][2], 9), item[0])
        )
        if state in order
    ]


def _flags(found: Visit) -> list[dict[str, Any]]:
    """What each red flag found when it was last asked; also those in error or not asked yet.

    It is not kept: the flags are asked while the facts stand still.
    """
    with found.service.facts.connection() as connection:
        there = statuses(connection)
    return [
        {
            "id": rule.id,
            "zh": rule.title_zh,
            "en": rule.title_en,
            "about_looks": rule.about_looks,
            "status": status.status if status else "not_checked",
            "findings": status.findings if status else 0,
            "amount_fen": status.amount_fen if status else 0,
        }
        for rule in rules()
        if not ((status := there.get(rule.id)) and status.status == "clean")
    ]


_ASKED: Final = {
    "stock": ("/reports/townships", _stock),
    "subsidy": ("/reports/annual", _subsidy),
    "funds": ("/ledgers/funds", _funds),
    "targets": ("/indicators", _targets),
    "duties": ("/duties", _duties),
}
"""By dear block: the row of the permission table that opens it, and what it asks."""
