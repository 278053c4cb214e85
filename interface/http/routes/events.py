"""One event of the log: what was reported, its stored bytes and proof, and what rests on it."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response

from application.fields import EVENT_ID
from application.refusals import EventUnknown
from application.transparency_log.notes import parse_checkpoint
from application.transparency_log.proofs import NotSealed, Proofs
from domain.kernel import Author
from domain.roles import SUPERVISION
from domain.visibility import OPEN_REPORTS
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.permissions import QUERIES, scope_of
from interface.http.query_params import Read
from interface.http.routes.ledgers import shown_events
from interface.http.routes.red_flags import hidden_from
from interface.http.service import Service
from interface.http.visibility import visible
from projections.events import (
    MOST,
    about,
    cases_resting_on,
    corrections,
    event_at,
    payment_of,
    payments_resting_on,
    position_called,
    publications_resting_on,
)
from projections.facts.reading import COUNTY, Connection, View
from projections.history import Happening
from projections.red_flags.columns import STANDING
from projections.red_flags.runs import standing_on

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)

ANY_EVENT: Final = rf"^(?:{EVENT_ID[1:-1]}|#?[0-9]{{1,18}})$"
"""An event's id, or its position in the log."""
EventNo = Annotated[
    str, Path(pattern=ANY_EVENT, description="事件编号，或日志位置 an event's id, or its position")
]
_STORED: Final = s.record("StoredEvent", content=s.TEXT, leaf=s.TEXT, leaf_hash=s.TEXT, hash=s.TEXT)
_PROOF: Final = s.record(
    "EventProof",
    index=s.WHOLE,
    size=s.WHOLE,
    hashes=s.several(s.TEXT),
    root=s.TEXT,
    checkpoint=s.TEXT,
    cosigned=s.several(s.TEXT),
)
_PAYMENT: Final = s.record(
    "RestingPayment",
    payment_no=s.TEXT,
    period=s.TEXT,
    paid_on=s.DAY,
    amount_fen=s.WHOLE,
    position=s.WHOLE,
)
_ANSWER = s.found(
    "EventFound",
    event=s.EVENT,
    about=s.optional(s.record("EventAbout", kind=s.TEXT, no=s.TEXT, bank=s.TEXT)),
    corrects=s.optional(s.EVENT),
    reversed_by=s.optional(s.EVENT),
    stored=s.optional(_STORED),
    proof=s.optional(_PROOF),
    rests=s.record(
        "Resting",
        payments=s.optional(s.several(_PAYMENT)),
        payment_count=s.optional(s.WHOLE),
        findings=s.several(s.line("RestingFinding", STANDING)),
        publications=s.several(
            s.record("RestingPublication", publication_no=s.TEXT, report=s.TEXT, as_of=s.DAY)
        ),
        cases=s.several(s.record("RestingCase", case_no=s.TEXT, title=s.TEXT)),
    ),
)


@router.get("/events/{event_id}", summary="事件 one event, its proof, and what rests on it")
@s.answers(_ANSWER, s.refused(EventUnknown))
async def one_event(read: Read, event_id: EventNo) -> Response:
    """By id or position. What a reader may not see is not found, as what does not exist.

    `stored` is null where the reader is shown less of the event than is stored; `payments` is null
    for a policy, which every payment that cites it rests on.
    """
    author, _ = await read.reader()
    return await read.json(
        lambda view: event_found(read.service, view, author, event_id, read.known_at)
    )


def event_found(
    service: Service, view: View, author: Author, event_id: str, known_at: datetime | None
) -> dict[str, Any]:
    """The event as the reader may see it. Raises EventUnknown."""
    connection = view.connection
    position = position_called(connection, event_id)
    stored = None if position is None else event_at(connection, position, known_at)
    seen = [] if stored is None else visible(connection, author, [stored])
    if stored is None or not seen:
        raise EventUnknown(event_id=event_id)
    event = seen[0]
    told = [
        visible(connection, author, [each])[:1] if each else []
        for each in corrections(connection, stored, known_at)
    ]
    whole = event.content == stored.content
    shown = shown_events(service, connection, [event, *told[0], *told[1]])
    places = {each["position"]: each for each in shown}
    bytes_, proof = _proven(service, connection, event.position)
    return {
        "event": places[event.position],
        "about": about(connection, event),
        "corrects": places[told[0][0].position] if told[0] else None,
        "reversed_by": places[told[1][0].position] if told[1] else None,
        "stored": bytes_ if whole else None,
        "proof": proof if whole else None,
        "rests": _rests(view, author, event, known_at),
    }


def _proven(
    service: Service, connection: Connection, position: int
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The leaf, and its way to a signed root; None where no checkpoint covers it yet."""
    proofs = Proofs(connection, service.deployment.origin)
    data = proofs.leaf(position)
    stored = {
        "content": data[data.find(b"{") : data.rfind(b"}") + 1].decode("utf-8", "replace"),
        "leaf": base64.b64encode(data).decode(),
        "leaf_hash": proofs.hash.digest(b"\0" + data).hex(),
        "hash": proofs.hash.name,
    }
    try:
        checkpoint = proofs.checkpoint(covering=position)
    except NotSealed:
        return stored, None
    size = checkpoint.head.size
    _, lines = parse_checkpoint(checkpoint.text())
    cosigners = {(line.name, line.key_id) for line in lines}
    return stored, {
        "index": position - 1,
        "size": size,
        "hashes": [node.hex() for node in proofs.inclusion(position, size)],
        "root": checkpoint.head.root.hex(),
        "checkpoint": checkpoint.text(),
        "cosigned": [
            each.key.name
            for each in proofs.witnesses()
            if (each.key.name, each.key.id) in cosigners
        ],
    }


def _rests(
    view: View, author: Author, event: Happening, known_at: datetime | None
) -> dict[str, Any]:
    """What rests on the event, as far as the reader may see each."""
    connection = view.connection
    paid = payments_resting_on(connection, event, known_at)
    seen = None if paid is None else visible(connection, author, paid)
    return {
        "payments": None if seen is None else [payment_of(each) for each in seen[:MOST]],
        "payment_count": None if seen is None else len(seen),
        "findings": _findings(view, author, event.position),
        "publications": _publications(view, author, event),
        "cases": cases_resting_on(view, event) if author.role == SUPERVISION else [],
    }


def _may(author: Author, query: str) -> bool:
    return QUERIES[query].get(author.role, "-") != "-"


def _findings(view: View, author: Author, position: int) -> list[dict[str, Any]]:
    if not _may(author, "/red-flags"):
        return []
    hidden = hidden_from(author)
    return list(standing_on(view.connection, {position}, hidden, view.known_at).dicts())


def _publications(view: View, author: Author, event: Happening) -> list[dict[str, Any]]:
    if not _may(author, "/publications"):
        return []
    reports = None if scope_of(author, "/publications") == COUNTY else OPEN_REPORTS
    return [
        {
            "publication_no": each["publication_no"],
            "report": each["report"],
            "as_of": each["report_as_of"],
        }
        for each in publications_resting_on(view, event, reports).dicts()
    ]
