"""Routes of the programme: what rules, on whose word, and what other rules would have changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from application.commands import Day
from domain.calendar import civil_day, named_quarter
from domain.policy import Book, NoRuling, Ruling, table_names
from domain.programme import supposed
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import (
    After,
    AsOf,
    Code,
    Instant,
    KnownAt,
    Quarter,
    narrowed,
    view_of,
)
from interface.http.responses import form_of, head_of, headers_of, json_answer, table_file
from interface.http.service import service_of
from projections.facts.reading import COUNTY
from projections.settlement import Rules, replay

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)


@router.get("/programme/rulings", summary="政策取值 what rules on a day, on whose word")
async def rulings(
    request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
) -> Response:
    """One line a rule: the ruling in force on `as_of`, as known at `known_at`."""
    service = service_of(request)
    await service.reader(request)

    def answer() -> Response:
        with view_of(service, as_of, known_at, position) as view:
            lines = [
                found.to_dict() | {"meaning": view.book.table(name).meaning}
                for name in table_names()
                for found in [_in_force(view.book, name, view.as_of, view.known_on)]
                if found is not None
            ]
            return json_answer(head_of(view) | {"lines": lines}, headers=headers_of(view))

    return await run_in_threadpool(answer)


def _in_force(book: Book, name: str, day: Day, known_on: Day) -> Ruling | None:
    try:
        return book.ruling(name, day, known_on)
    except NoRuling:
        return None


@router.get("/programme/replay", summary="政策回放 what other rules would have changed")
async def replayed(
    request: Request,
    period: Quarter,
    rules_known_at: Annotated[
        Instant | None, Query(description="the rules as they were known then; default: as now")
    ] = None,
    rule: Annotated[str | None, Query(max_length=64, description="a rule to suppose")] = None,
    value: Annotated[int | None, Query(ge=0, le=10**15, description="its value")] = None,
    words: Annotated[str | None, Query(max_length=400, description="or codes, by comma")] = None,
    rules_from: Annotated[Day | None, Query(description="from which day it rules")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    township: Code = None,
    bank: Code = None,
    position: After = None,
) -> Response:
    """By bank and township: what is due by the rules, by the others, and how many lines move."""
    service = service_of(request)
    _, scope = await service.reader(request)
    if scope != COUNTY:
        raise HTTPException(403)
    form = form_of(request)

    def answer() -> Response:
        with view_of(service, as_of, known_at, position) as view:
            last = named_quarter(period, view.book)
            known = min(rules_known_at or view.known_at, view.known_at)
            rules = Rules(view.book_known_at(known), civil_day(known))
            if rule is not None:
                told = tuple(words.split(",")) if words else value if value is not None else ()
                first = rules_from or last.first
                rules = Rules(
                    supposed(rules.book, rule, told, first, rules.known_on), rules.known_on
                )
            table = replay(view, last, rules, scope=narrowed(view, scope, bank, township))
            if form != "json":
                return table_file(table, form, f"replay-{period}", headers_of(view))
            lines = list(table.dicts())
            return json_answer(
                head_of(view)
                | {
                    "period": period,
                    "difference_fen": sum(line["difference_fen"] for line in lines),
                    "lines": lines,
                },
                headers=headers_of(view),
            )

    return await run_in_threadpool(answer)
