"""Routes of published reports: publish, read back as it was, reproduce, compare with today."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from application.commands.publication import PublishReport
from application.event_store.log_queries import last_position
from application.workflows.publish_report import with_edition
from domain.calendar import civil_day
from domain.kernel import Author
from domain.publication import Edition, Publication, PublicationUnknown
from domain.visibility import OPEN_REPORTS
from interface.documents.publication import differences, edition
from interface.http import schemas as s
from interface.http.query_params import (
    No,
    Read,
    view_of,
)
from interface.http.responses import json_answer
from interface.http.routes.commands import command_route, submitted
from interface.http.service import Service, service_of
from interface.http.strict_json import StrictRoute
from interface.http.visibility import visible
from projections.facts.reading import COUNTY, Table, View
from projections.history import history
from projections.publications import edition_before, publications
from projections.publications.columns import PUBLICATIONS

router = APIRouter(prefix="/v1", tags=["报表公布 publications"], route_class=StrictRoute)

_DIFFERENCE = s.record(
    "ReportDifference",
    line=s.TEXT,
    column=s.TEXT,
    published=s.optional(s.TEXT),
    now=s.optional(s.TEXT),
)
_CHECK = s.answer(
    s.record(
        "PublicationCheck",
        publication_no=s.TEXT,
        report=s.TEXT,
        as_of=s.DAY,
        known_at=s.INSTANT,
        checked_on=s.DAY,
        sha256=s.TEXT,
        unaltered=s.FLAG,
        reproduced=s.FLAG,
        rules_then=s.TEXT,
        rules_now=s.TEXT,
        differences=s.several(_DIFFERENCE),
        previous=s.optional(s.TEXT),
        previous_differs=s.several(_DIFFERENCE),
    )
)


@command_route(router, PublishReport)
async def publish(request: Request, command: PublishReport) -> Response:
    """Answer with the publication; its bytes are stored with it."""
    service = service_of(request)
    by = await service.author(request)
    whole = await run_in_threadpool(with_edition, command, by, _Editions(service))
    return await submitted(request, whole)


class _Editions(NamedTuple):
    """`Editions` from the facts."""

    service: Service

    def edition(self, command: PublishReport) -> Edition:
        with self.service.facts.connection() as connection:
            last = last_position(connection)
        with view_of(self.service, command.as_of, command.known_at, last) as view:
            return edition(view, command.report)


@router.get("/publications", summary="已公布报表 what was published, when, and its digest")
@s.answers(s.table("Publications", PUBLICATIONS))
async def published(read: Read) -> Response:
    """A bank and a township see the reports that are open to them, the county's offices all."""
    _, scope = await read.reader()
    reports = None if scope == COUNTY else OPEN_REPORTS

    def query(view: View) -> Table:
        return publications(view, reports)

    return await read.table("publications", query)


@router.get("/publications/{no}", summary="一份已公布报表 the file as it went out, byte for byte")
@s.answers(s.file(s.CSV), s.refused(PublicationUnknown))
async def publication(request: Request, no: No) -> Response:
    service = service_of(request)
    author, _ = await service.reader(request)

    return await run_in_threadpool(as_it_went_out, service, no, author)


def as_it_went_out(service: Service, no: str, reader: Author) -> Response:
    """The file that was published, byte for byte. Raises PublicationUnknown."""
    content = _told(service, no, reader)["content"].encode()
    return Response(
        content,
        media_type="text/csv; charset=utf-8",
        headers={"X-Sha256": hashlib.sha256(content).hexdigest(), "Cache-Control": "no-store"},
    )


@router.get("/publications/{no}/check", summary="复现与差异 made again, and what differs by now")
@s.answers(_CHECK, s.refused(PublicationUnknown))
async def check(request: Request, no: No) -> Response:
    """`reproduced`: the same two dates give the same bytes. `differences`: the day as known now.

    `previous_differs`: what late entries had changed in the edition before when this one went out.
    """
    service = service_of(request)
    await service.reader(request)

    return await run_in_threadpool(lambda: json_answer(checked(service, no)))


def checked(service: Service, no: str) -> dict[str, Any]:
    """An edition made again at its dates; what differs by now. Raises PublicationUnknown."""
    told = _told(service, no)
    as_of = datetime.fromisoformat(told["as_of"]).date()
    with view_of(service, as_of, datetime.fromisoformat(told["known_at"]), None) as view:
        again = edition(view, told["report"], like=told["content"])
    with view_of(service, as_of, None, None) as view:
        now = edition(view, told["report"], like=told["content"])
        earlier = edition_before(view, told["report"], no)
    late = _told_since(service, earlier, told["known_at"]) if earlier else []
    return {
        **{name: told[name] for name in ("publication_no", "report", "as_of", "known_at")},
        "checked_on": civil_day(service.clock()),
        "sha256": told["sha256"],
        "unaltered": hashlib.sha256(told["content"].encode()).hexdigest() == told["sha256"],
        "reproduced": again.content == told["content"],
        "rules_then": told["rules"],
        "rules_now": now.rules,
        "differences": differences(told["content"], now.content),
        "previous": earlier,
        "previous_differs": late,
    }


def _told_since(service: Service, no: str, known_at: str) -> list[dict[str, Any]]:
    """What an edition would have said, had it known what was known at another instant."""
    told = _told(service, no)
    as_of = datetime.fromisoformat(told["as_of"]).date()
    with view_of(service, as_of, datetime.fromisoformat(known_at), None) as view:
        known_then = edition(view, told["report"], like=told["content"])
        return differences(told["content"], known_then.content)


def _told(service: Service, no: str, reader: Author | None = None) -> dict[str, Any]:
    """The event that published it, if `reader` may see it. Raises PublicationUnknown."""
    with service.facts.connection() as connection:
        events = history(connection, [Publication.id_for(no)])
        if reader is not None:
            events = visible(connection, reader, events)
    if not events:
        raise PublicationUnknown(publication_no=no)
    return events[0].content
