"""Duties (履职): the list of a span of days, how many stand how, and the month as a calendar."""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from domain.calendar import last_of_month
from domain.duties import DUTIES as KINDS
from domain.duties import STATES
from domain.roles import Role
from interface.console.awaited import AwaitedRoute, ready
from interface.console.frame import Elsewhere, Visit, Wrong, assure_allowed, page, visit
from interface.console.lists import ListPage, list_page
from interface.http.permissions import scope_of
from interface.http.query_params import Code, SeenDay, narrowed, view_of
from interface.http.routes.duties import Kind, State, calendar_of
from projections import columns as c
from projections.duties import duties, summary
from projections.duties.columns import DUTIES
from projections.facts.reading import Table, View

router = APIRouter(route_class=AwaitedRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_EVIDENCE: Final = c.text("evidence", "依据", "evidence")
_TAGS: Final = {
    "pending": "pending",
    "late": "late",
    "not_done": "wrong",
    "not_applicable": "none",
}
"""By state: the shape it is shown in. What was done in time is ordinary."""
_OPEN_STATES: Final = ("not_done", "pending", "late")


# ---- the list -------------------------------------------------------------------------


def _to_loan(found: Visit, line: Mapping[str, Any]) -> str | None:
    if not line["loan_no"]:
        return None
    return found.to("loans", line["bank"], line["loan_no"])


def _to_household(found: Visit, line: Mapping[str, Any]) -> str | None:
    no = line["household_no"]
    return found.to("households", no) if no else None


def _to_evidence(found: Visit, line: Mapping[str, Any]) -> str | None:
    """The event that did it; where none did, the one that made it due."""
    return found.to("events", line["position"] or line["opened_by"])


LIST = ListPage(
    name="duties",
    query="/duties",
    columns=(*DUTIES, _EVIDENCE),
    key=("due_on", "bank", "loan_no", "household_no", "duty", "opened_by", "township"),
    shown=(
        "due_on", "duty", "loan_no", "household_no", "township", "village", "responsible", "bank",
        "state", "evidence",
    ),
    facets=("state", "duty", "township", "bank"),
    filters=("village", "household_no", "loan_no"),
    ranges=("due_on",),
    leads={
        "loan_no": _to_loan,
        "household_no": _to_household,
        "evidence": _to_evidence,
        "position": _to_evidence,
        "opened_by": lambda found, line: found.to("events", line["opened_by"]),
    },
    tags=lambda line, key: _TAGS.get(line["state"]) if key == "state" else None,
    summed=(),
    template="duties.html",
)  # fmt: skip


def _frame_of_list(found: Visit, *_: Any) -> Mapping[str, Any]:
    return {"calendar": _ics_address(found)}


@list_page(router, "/duties", LIST, _frame_of_list)
def lines(found: Visit, view: View) -> Table:
    """The duties of a span of days; without one the address gets the month of the day shown."""
    first, until = _span(found)
    scope = scope_of(found.author, "/duties")
    key = ("duties", scope, first, until, view.place)
    kept: Table | None = view.memory.recall(key) if view.memory else None
    if kept is None:
        kept = duties(view, scope=scope, due_from=first, due_until=until)
        if view.memory:
            view.memory.keep(key, kept, len(kept.rows))
    say = _Evidence(found, view.position)
    rows = [(*row, say.of(line)) for row, line in zip(kept.rows, kept.dicts(), strict=True)]
    return Table(LIST.columns, rows)


def _span(found: Visit) -> tuple[date | None, date | None]:
    """Due from, due until. Raises Elsewhere where neither is given: no query is without bounds."""
    given = found.request.query_params
    first, until = given.get("due_from"), given.get("due_until")
    if first is None and until is None:
        raise Elsewhere(found.address(**_month_span(found.as_of)))
    return (
        None if first is None else date.fromisoformat(first),
        None if until is None else date.fromisoformat(until),
    )


def _month_span(day: date) -> dict[str, Any]:
    first = day.replace(day=1)
    return {"due_from": first, "due_until": last_of_month(f"{day:%Y-%m}")}


class _Evidence:
    """Why a duty stands as it does: what did it, or which days were searched in vain."""

    def __init__(self, found: Visit, position: int) -> None:
        self._words, self._position = found.words, position

    def of(self, line: Mapping[str, Any]) -> str:
        words, remark = self._words, in_language(self._words.language, line["remark"])
        if line["state"] == "not_applicable":
            return remark
        if line["position"] is not None:
            if line["state"] == "late":
                late = (line["done_on"] - line["due_on"]).days
                return words("duties.was_late", day=line["done_on"], days=late)
            return words("duties.was_done", day=line["done_on"]) + self._and(remark)
        if line["state"] == "pending" and line["searched_until_on"] is None:
            return remark
        said = words(
            "duties.searched",
            first=line["searched_from_on"],
            last=line["searched_until_on"],
            deed=words(f"duties.deed_{line['duty']}"),
            position=f"{self._position:,}",
        )
        return said + self._and(remark)

    def _and(self, remark: str) -> str:
        return self._words("duties.and", remark=remark) if remark else ""


_ENGLISH = re.compile(r" (?=[\x20-\x7e]*[A-Za-z]{2})[\x20-\x7e]+$")


def in_language(language: str, remark: str | None) -> str:
    """A remark in one language; it is stored as Chinese, a space, English."""
    text = remark or ""
    found = _ENGLISH.search(text)
    if found is None:
        return text
    return text[: found.start()] if language == "zh" else found[0].strip()


# ---- the matrix -----------------------------------------------------------------------


By = Literal["township", "bank"]


class Count(NamedTuple):
    """How many duties, and where they are listed."""

    duties: int
    href: str


class MatrixRow(NamedTuple):
    """A township or a bank: how many duties of each kind, and of all."""

    code: str
    name: str
    cells: list[Count]
    total: Count


@router.get("/duties/summary")
async def matrix(
    found: Visiting,
    township: Code = None,
    bank: Code = None,
    state: State | None = None,
    by: By = "township",
    due_from: SeenDay | None = None,
    due_until: SeenDay | None = None,
) -> Response:
    assure_allowed(found, "/duties/summary")
    if due_from is None and due_until is None:
        raise Elsewhere(found.address(**_month_span(found.as_of)))
    scope = scope_of(found.author, "/duties/summary")

    def counted(view: View) -> list[dict[str, Any]]:
        own = narrowed(view, scope, bank, township)
        return list(summary(view, scope=own, due_from=due_from, due_until=due_until).dicts())

    heading = found.words("duties.matrix_title")
    key = ("duties", township, bank, due_from, due_until)
    block = await ready(found, heading, key, counted)
    lines: list[dict[str, Any]] = block.value
    names = await _names(found)
    span = {"due_from": due_from, "due_until": due_until}
    wanted = state or "not_done"
    return await page(
        found,
        "duties_summary.html",
        calendar=_ics_address(found),
        block=block,
        by=by,
        other=found.address(by=None if by == "bank" else "bank"),
        state=wanted,
        states=[
            (each, sum(line[each] for line in lines), found.address(state=each)) for each in STATES
        ],
        kinds=_kinds(lines),
        rows=_rows(found, lines, by, wanted, span | {"bank": bank, "township": township}, names),
        totals=_totals(found, lines, wanted, span | {"bank": bank, "township": township}),
        span=span,
        wider=_wider(found),
    )


async def _names(found: Visit) -> dict[str, str]:
    told = await run_in_threadpool(found.service.people.organisations)
    return {each.code: each.name for each in told if each.role in (Role.BANK, Role.TOWNSHIP)}


def _kinds(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """The kinds of duties that there are, in the order of the declaration."""
    there = {line["duty"] for line in lines}
    return [kind for kind in KINDS if kind in there]


def _rows(
    found: Visit,
    lines: Sequence[Mapping[str, Any]],
    by: By,
    state: str,
    span: Mapping[str, Any],
    names: Mapping[str, str],
) -> list[MatrixRow]:
    counted: Counter[tuple[str, str]] = Counter()
    for line in lines:
        counted[line[by] or "", line["duty"]] += line[state]
    rows = []
    for code in sorted({line[by] or "" for line in lines}):
        of_row: dict[str, Any] = {**span, by: code or "-", "state": state}
        cells = [
            Count(counted[code, kind], found.address("/duties", **of_row, duty=kind))
            for kind in _kinds(lines)
        ]
        total = Count(sum(cell.duties for cell in cells), found.address("/duties", **of_row))
        rows.append(MatrixRow(code, names.get(code, ""), cells, total))
    return rows


def _totals(
    found: Visit, lines: Sequence[Mapping[str, Any]], state: str, span: Mapping[str, Any]
) -> list[Count]:
    """The last row: of each kind, and of all."""
    sums = [
        Count(
            sum(line[state] for line in lines if line["duty"] == kind),
            found.address("/duties", **span, state=state, duty=kind),
        )
        for kind in _kinds(lines)
    ]
    whole = found.address("/duties", **span, state=state)
    return [*sums, Count(sum(each.duties for each in sums), whole)]


# ---- the month ------------------------------------------------------------------------


class DueThatDay(NamedTuple):
    """What falls due on a day of one kind; `open`: the states that are not ordinary."""

    kind: str
    all: Count
    open: list[tuple[str, Count]]


class DayOfMonth(NamedTuple):
    """A day of the sheet."""

    day: date
    href: str
    due: list[DueThatDay]
    is_shown: bool
    """Whether it is the day that the page is about."""


@router.get("/duties/month")
async def month_sheet(
    found: Visiting,
    month: Annotated[str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] = None,
    township: Code = None,
    bank: Code = None,
    duty: Kind | None = None,
) -> Response:
    """What falls due in a month, as a calendar to print; without one that of the day shown."""
    assure_allowed(found, "/duties")
    first = _first_of(month or f"{found.as_of:%Y-%m}", found)
    last = first.replace(day=monthrange(first.year, first.month)[1])
    scope = scope_of(found.author, "/duties")

    def due(view: View) -> list[dict[str, Any]]:
        own = narrowed(view, scope, bank, township)
        return list(duties(view, scope=own, duty=duty, due_from=first, due_until=last).dicts())

    heading = found.words("duties.month_title")
    block = await ready(found, heading, ("month", first, township, bank, duty), due)
    lines: list[dict[str, Any]] = block.value
    narrow = {"township": township, "bank": bank, "duty": duty}
    names = await _names(found)
    return await page(
        found,
        "duties_month.html",
        calendar=_ics_address(found),
        block=block,
        first=first,
        weeks=_weeks(found, first, last, lines, narrow),
        earlier=found.address(month=f"{first - timedelta(days=1):%Y-%m}"),
        later=found.address(month=f"{last + timedelta(days=1):%Y-%m}"),
        sums=_sums_of_month(found, lines, {"due_from": first, "due_until": last, **narrow}),
        count=len(lines),
        states=STATES,
        tags=_TAGS,
        wider=_wider(found),
        whose=" ".join(filter(None, (township or bank, names.get(township or bank or "", "")))),
    )


def _first_of(month: str, found: Visit) -> date:
    first = date.fromisoformat(f"{month}-01")
    if not 1990 <= first.year <= found.as_of.year + 10:
        raise Wrong(400, "error.day", field="month", value=month)
    return first


def _weeks(
    found: Visit,
    first: date,
    last: date,
    lines: Iterable[Mapping[str, Any]],
    narrow: Mapping[str, Any],
) -> list[list[DayOfMonth | None]]:
    """Weeks from Monday; None outside the month."""
    counted = Counter((line["due_on"], line["duty"], line["state"]) for line in lines)
    days: list[DayOfMonth | None] = [None] * first.weekday()
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        of_day = {"due_from": day, "due_until": day, **narrow}
        due = [
            _due_that_day(found, kind, {s: counted[day, kind, s] for s in STATES}, of_day)
            for kind in KINDS
            if any(counted[day, kind, s] for s in STATES)
        ]
        href = found.address("/duties", **of_day)
        days.append(DayOfMonth(day, href, due, day == found.as_of))
    days += [None] * (-len(days) % 7)
    return [days[place : place + 7] for place in range(0, len(days), 7)]


def _due_that_day(
    found: Visit, kind: str, counts: Mapping[str, int], of_day: Mapping[str, Any]
) -> DueThatDay:
    of_kind = {**of_day, "duty": kind}
    return DueThatDay(
        kind,
        Count(sum(counts.values()), found.address("/duties", **of_kind)),
        [
            (state, Count(counts[state], found.address("/duties", **{**of_kind, "state": state})))
            for state in _OPEN_STATES
            if counts[state]
        ],
    )


def _sums_of_month(
    found: Visit, lines: Sequence[Mapping[str, Any]], span: Mapping[str, Any]
) -> list[tuple[str, list[Count]]]:
    """A row a kind of duty: how many in each state, each a link."""
    counted = Counter((line["duty"], line["state"]) for line in lines)
    return [
        (
            kind,
            [
                Count(
                    counted[kind, state],
                    found.address("/duties", **{**span, "duty": kind, "state": state}),
                )
                for state in STATES
            ],
        )
        for kind in _kinds(lines)
    ]


# ---- the calendar for other programs ------------------------------------------------------


def _wider(found: Visit) -> str:
    """The list of three months, from the one before the day shown."""
    before = (found.as_of.replace(day=1) - timedelta(days=1)).replace(day=1)
    return found.address("/duties", due_from=before, due_until=found.as_of + timedelta(days=61))


def _ics_address(found: Visit) -> str:
    given = found.request.query_params
    kept = {name: given.get(name) for name in ("township", "bank", "duty")}
    return found.address("/duties/calendar.ics", **{k: v for k, v in kept.items() if v != "-"})


@router.get("/duties/calendar.ics")
async def calendar(
    found: Visiting,
    township: Code = None,
    bank: Code = None,
    duty: Kind | None = None,
    due_from: SeenDay | None = None,
    due_until: SeenDay | None = None,
) -> Response:
    """What is open, for any calendar program: the same bytes as the route's."""
    assure_allowed(found, "/duties/calendar.ics")
    scope = scope_of(found.author, "/duties/calendar.ics")

    def made() -> Response:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            own = narrowed(view, scope, bank, township)
            return calendar_of(view, scope=own, duty=duty, due_from=due_from, due_until=due_until)

    return await run_in_threadpool(made)
