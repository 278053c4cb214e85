"""Routes of the programme: what rules, on whose word, and what other rules would have changed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Response

from application.fields import Day
from domain.calendar import civil_day, named_quarter
from domain.policy import Book, NoRuling, Ruling, table_names
from domain.programme import supposed
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import (
    Code,
    Instant,
    Quarter,
    Read,
    narrowed,
)
from projections.facts.reading import COUNTY, Scope, Table, View
from projections.settlement import Rules, replay
from projections.settlement.columns import REPLAY

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)


@router.get("/programme/rulings", summary="政策取值 what rules on a day, on whose word")
@s.answers(s.found("Rulings", lines=s.several(s.RULING)))
async def rulings(read: Read) -> Response:
    """One line a rule: the ruling in force on `as_of`, as known at `known_at`."""
    await read.reader()

    return await read.json(lambda view: {"lines": in_force(view)})


def in_force(view: View) -> list[dict[str, Any]]:
    """One line a rule that rules on the view's day, as known at its instant."""
    return [
        found.to_dict() | {"meaning": view.book.table(name).meaning}
        for name in table_names()
        for found in [_in_force(view.book, name, view.as_of, view.known_on)]
        if found is not None
    ]


def _in_force(book: Book, name: str, day: Day, known_on: Day) -> Ruling | None:
    try:
        return book.ruling(name, day, known_on)
    except NoRuling:
        return None


@router.get("/programme/replay", summary="政策回放 what other rules would have changed")
@s.answers(s.table("Replay", REPLAY, period=s.TEXT, difference_fen=s.WHOLE), s.refused(NoRuling))
async def replayed(
    read: Read,
    period: Quarter,
    rules_known_at: Annotated[
        Instant | None, Query(description="规则的认知时点 the rules as known then; default: as now")
    ] = None,
    rule: Annotated[
        str | None, Query(max_length=64, description="假设的规则 a rule to suppose")
    ] = None,
    value: Annotated[int | None, Query(ge=0, le=10**15, description="假设的取值 its value")] = None,
    words: Annotated[
        str | None, Query(max_length=400, description="或代码，逗号分隔 or codes, by comma")
    ] = None,
    rules_from: Annotated[Day | None, Query(description="自此日起 from which day it rules")] = None,
    township: Code = None,
    bank: Code = None,
) -> Response:
    """By bank and township: what is due by the rules, by the others, and how many lines move."""
    await read.reader()

    supposition = Supposition(period, rules_known_at, rule, value, words, rules_from)

    def query(view: View) -> tuple[Table, dict[str, Any]]:
        table = supposition.replayed(view, narrowed(view, COUNTY, bank, township))
        moved = (line["difference_fen"] for line in table.dicts())
        return table, {"period": period, "difference_fen": sum(moved)}

    return await read.table_saying(f"replay-{period}", query)


class Supposition(NamedTuple):
    """Which other rules a quarter is replayed by: those known at another instant, one supposed."""

    period: str
    rules_known_at: datetime | None = None
    rule: str | None = None
    value: int | None = None
    words: str | None = None
    rules_from: date | None = None

    def replayed(self, view: View, scope: Scope) -> Table:
        """Raises NoRuling, RuleUnknown, RuleMalformed."""
        last = named_quarter(self.period, view.book)
        known = min(self.rules_known_at or view.known_at, view.known_at)
        rules = Rules(view.book_known_at(known), civil_day(known))
        if self.rule is not None:
            told = self.words.split(",") if self.words else self.value
            supposed_value = tuple(told) if isinstance(told, list) else () if told is None else told
            first = self.rules_from or last.first
            book = supposed(rules.book, self.rule, supposed_value, first, rules.known_on)
            rules = Rules(book, rules.known_on)
        return replay(view, last, rules, scope=scope)
