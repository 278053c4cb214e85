"""Routes that ask for duties (履职): lists, counts, and a calendar for any calendar program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from domain.kernel import identity
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import (
    Code,
    Cursor,
    Page,
    Read,
    SeenDay,
    narrowed,
    opened,
)
from interface.http.responses import headers_of
from projections.duties import KEY, duties, summary
from projections.duties.columns import DUTIES, SUMMARY
from projections.facts.reading import Table, View

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)

Kind = Literal[
    "usage_check",
    "first_reminder",
    "written_reminder",
    "repayment_plan",
    "decision",
    "benefit",
    "public_notice",
]
State = Literal["pending", "done", "late", "not_done", "not_applicable"]
DueFrom = Annotated[SeenDay | None, Query(description="到期日不早于 due on or after")]
DueUntil = Annotated[SeenDay | None, Query(description="到期日不晚于 due on or before")]


@router.get("/duties", summary="履职清单 what is due, done, late and not done")
@s.answers(s.page("Duties", DUTIES))
async def duty_list(
    read: Read,
    township: Code = None,
    bank: Code = None,
    duty: Kind | None = None,
    state: State | None = None,
    due_from: DueFrom = None,
    due_until: DueUntil = None,
    village: Code = None,
    household_no: Code = None,
    loan_no: Code = None,
    cursor: Cursor = None,
    limit: Page = 200,
) -> Response:
    _, scope = await read.reader()

    def query(view: View, most: int | None) -> Table:
        return duties(
            view,
            scope=narrowed(view, scope, bank, township),
            duty=duty,
            state=state,
            due_from=due_from,
            due_until=due_until,
            village=village,
            household_no=household_no,
            loan_no=loan_no,
            after=opened(cursor, len(KEY)),
            most=most,
        )

    return await read.page("duties", query, limit, KEY)


@router.get("/duties/summary", summary="履职汇总 duties counted by township and bank")
@s.answers(s.table("DutySummary", SUMMARY))
async def duty_summary(
    read: Read,
    township: Code = None,
    bank: Code = None,
    due_from: DueFrom = None,
    due_until: DueUntil = None,
) -> Response:
    _, scope = await read.reader()
    return await read.table(
        "duties",
        lambda view: summary(
            view,
            scope=narrowed(view, scope, bank, township),
            due_from=due_from,
            due_until=due_until,
        ),
    )


@router.get("/duties/calendar.ics", summary="履职日历 what is open, as a calendar")
@s.answers(s.file("text/calendar"))
async def duty_calendar(
    read: Read,
    township: Code = None,
    bank: Code = None,
    duty: Kind | None = None,
    due_from: DueFrom = None,
    due_until: DueUntil = None,
) -> Response:
    _, scope = await read.reader()

    def answer(view: View) -> Response:
        own = narrowed(view, scope, bank, township)
        return calendar_of(view, scope=own, duty=duty, due_from=due_from, due_until=due_until)

    return await read.respond(answer)


def calendar_of(view: View, **wanted: Any) -> Response:
    """The open duties as a calendar; `wanted` narrows them as it does `duties`."""
    return Response(
        calendar(view, duties(view, **wanted)),
        media_type="text/calendar; charset=utf-8",
        headers={"Cache-Control": "no-store", **headers_of(view)},
    )


def calendar(view: View, table: Table) -> str:
    """The open duties of a table as all-day entries (RFC 5545); the same duty, the same UID."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//mingzhang//duties//ZH"]
    for line in table.dicts():
        if line["state"] not in ("pending", "not_done"):
            continue
        about = line["loan_no"] or line["household_no"]
        title = f"{line['duty_zh']} {about}" + (" 未完成" if line["state"] == "not_done" else "")
        text = f"乡镇 {line['township']} 户 {line['household_no']} 银行 {line['bank']}"
        lines += [
            "BEGIN:VEVENT",
            f"UID:{identity('duty', *(str(line[name]) for name in KEY))}",
            f"DTSTAMP:{view.known_at:%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{line['due_on']:%Y%m%d}",
            f"SUMMARY:{_escaped(title)}",
            f"DESCRIPTION:{_escaped(text)}",
            "END:VEVENT",
        ]
    return "".join(part + "\r\n" for line in [*lines, "END:VCALENDAR"] for part in _folded(line))


def _escaped(text: str) -> str:
    for sign in "\\;,":
        text = text.replace(sign, "\\" + sign)
    return "".join(c if c.isprintable() else " " for c in text)


def _folded(line: str) -> Iterator[str]:
    """Lines of at most 75 octets, none cutting a character; each but the first begins blank."""
    part = ""
    for character in line:
        if len((part + character).encode()) > 75:
            yield part
            part = " "
        part += character
    yield part
