"""Routes about the log itself: checkpoints, proofs, receipts, witnesses, evidence.

All of it is for people who do not trust the service: see docs/tamper-evidence.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from time import monotonic, sleep
from typing import Annotated, TypeVar

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from application.event_store.log_queries import last_position, position_of
from application.fields import EVENT_ID
from application.refusals import (
    BeyondLog,
    CosignatureRefused,
    EventUnknown,
    LeafWithheld,
    NotSealedYet,
)
from application.transparency_log.notes import NoteMalformed
from application.transparency_log.proofs import (
    NotSealed,
    Proofs,
    WitnessRefused,
    adding,
    trust_policy,
)
from domain.calendar import civil_day
from domain.kernel import Author
from domain.loan import PaymentUnknown
from domain.visibility import topics_seen_by
from interface.documents.checkpoint_page import page
from interface.exports.evidence import bundle
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import AsOf, KnownAt, No
from interface.http.responses import json_answer
from interface.http.service import Service, service_of
from interface.http.visibility import visible, visible_trace, with_open_leaves
from projections.facts.reading import COUNTY
from projections.history import happenings, trace

router = APIRouter(prefix="/v1", tags=["核验 proofs"], route_class=CheckedRoute)

_OF_THE_TREE = s.refused(BeyondLog, NotSealedYet)
_STATUS = s.answer(
    s.record(
        "LogStatus",
        origin=s.TEXT,
        position=s.WHOLE,
        sealed=s.WHOLE,
        not_sealed_yet=s.WHOLE,
        signed_at=s.optional(s.INSTANT),
        trouble=s.optional(s.TEXT),
        witnesses=s.several(
            s.record("Witness", organisation=s.TEXT, name=s.TEXT, cosigned=s.optional(s.WHOLE))
        ),
    )
)
_HASHES = s.several(s.TEXT)
_INCLUSION = s.answer(s.record("Inclusion", index=s.WHOLE, size=s.WHOLE, hashes=_HASHES))
_CONSISTENCY = s.answer(s.record("Consistency", old=s.WHOLE, size=s.WHOLE, hashes=_HASHES))

_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
_TEXT = "text/plain; charset=utf-8"

T = TypeVar("T")
Position = Annotated[int, Query(ge=1, lt=1 << 62)]
Size = Annotated[int, Query(ge=0, lt=1 << 62)]


@router.get("/log", summary="日志状态 how much is recorded and how much is sealed")
@s.answers(_STATUS)
async def status(request: Request) -> Response:
    service = service_of(request)
    await service.reader(request)

    def answer() -> Response:
        with service.facts.connection() as connection:
            proofs = Proofs(connection, service.deployment.origin)
            newest = proofs.newest()
            last = last_position(connection)
            sealed = newest.head.size if newest else 0
            return json_answer(
                {
                    "origin": proofs.origin,
                    "position": last,
                    "sealed": sealed,
                    "not_sealed_yet": last - sealed,
                    "signed_at": newest.signed_at if newest else None,
                    "trouble": service.sealing_trouble,
                    "witnesses": [
                        {"organisation": w.organisation, "name": w.key.name, "cosigned": w.size}
                        for w in proofs.witnesses()
                    ],
                }
            )

    return await run_in_threadpool(answer)


@router.get("/log/checkpoint", summary="检查点 the newest checkpoint, or an update for a witness")
@s.answers(s.file("text/plain"), _OF_THE_TREE)
async def checkpoint(
    request: Request,
    old: Annotated[
        int | None, Query(ge=0, lt=1 << 62, description="上次所见 last seen size")
    ] = None,
    position: Annotated[
        int | None, Query(ge=1, lt=1 << 62, description="等到此位置已封存 wait until it is sealed")
    ] = None,
) -> Response:
    def answer(proofs: Proofs) -> Response:
        newest = proofs.newest()
        if newest is None or newest.head.size < (position or 0):
            raise NotSealed(position or 0)
        text = newest.text() if old is None else proofs.update(old)
        return Response(text, media_type=_TEXT)

    return await proven(request, answer)


@router.get("/log/checkpoint/page", summary="检查点打印页 the newest checkpoint on paper")
@s.answers(s.file("text/html"), _OF_THE_TREE)
async def checkpoint_page(request: Request) -> Response:
    def answer(proofs: Proofs) -> Response:
        return Response(page(proofs.checkpoint()), media_type="text/html; charset=utf-8")

    return await proven(request, answer)


@router.get("/log/proofs/inclusion", summary="包含证明 that an event is in a tree")
@s.answers(_INCLUSION, _OF_THE_TREE)
async def inclusion(request: Request, position: Position, size: Size) -> Response:
    def answer(proofs: Proofs) -> Response:
        hashes = proofs.inclusion(position, size)
        return json_answer({"index": position - 1, "size": size, "hashes": _hex(hashes)})

    return await proven(request, answer)


@router.get("/log/proofs/consistency", summary="一致性证明 that a tree goes on from another")
@s.answers(_CONSISTENCY, _OF_THE_TREE)
async def consistency(request: Request, old: Size, size: Size) -> Response:
    def answer(proofs: Proofs) -> Response:
        hashes = proofs.consistency(old, size)
        return json_answer({"old": old, "size": size, "hashes": _hex(hashes)})

    return await proven(request, answer)


@router.get("/log/receipts/{event_id}", summary="回执 the receipt of an event")
@s.answers(s.file("text/plain"), _OF_THE_TREE, s.refused(EventUnknown))
async def receipt(request: Request, event_id: Annotated[str, Path(pattern=EVENT_ID)]) -> Response:
    """For who recorded the event, and for the county's offices if they may see it."""
    service = service_of(request)
    author, scope = await service.reader(request)
    originator_id, _, version = event_id.partition(".")

    def answer(proofs: Proofs) -> Response:
        position = position_of(proofs.connection, originator_id, version)
        events = happenings(proofs.connection, () if position is None else (position,))
        if scope != COUNTY:
            events = [event for event in events if event.organisation == author.organisation]
        if not visible(proofs.connection, author, events):
            raise EventUnknown(event_id=event_id)
        return Response(proofs.receipt(events[0].position), media_type=_TEXT)

    return await proven(request, answer)


@router.get("/log/receipts", summary="成批回执 the receipts of one's own events, as NDJSON")
@s.answers(s.file(s.NDJSON), _OF_THE_TREE)
async def receipts(
    request: Request,
    after: Annotated[int, Query(ge=0, lt=1 << 62, description="此位置之后 behind it")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """A line each: event_id, position, receipt. The last position is the next `after`."""
    service = service_of(request)
    author, scope = await service.reader(request)
    shown = topics_seen_by(author.role) if scope == COUNTY else frozenset()

    def answer(proofs: Proofs) -> Response:
        found = proofs.receipts(author.organisation, after, limit, others=shown)
        lines = [msgspec.json.encode(receipt._asdict()) for receipt in found]
        return Response(b"\n".join([*lines, b""]), media_type="application/x-ndjson")

    return await proven(request, answer)


@router.get("/subsidy-payments/{no}/evidence", summary="证据包 a payment's trace, proven")
@s.answers(s.answer(s.OPEN), _OF_THE_TREE, s.refused(PaymentUnknown, LeafWithheld))
async def evidence(
    request: Request, no: No, as_of: AsOf = None, known_at: KnownAt = None
) -> Response:
    service = service_of(request)
    author, _ = await service.reader(request)
    day = as_of or civil_day(service.clock())

    def answer(proofs: Proofs) -> Response:
        return evidence_file(service, proofs, author, no, day, known_at)

    return await proven(request, answer)


def evidence_file(
    service: Service,
    proofs: Proofs,
    author: Author,
    no: str,
    day: date,
    known_at: datetime | None,
) -> Response:
    """The evidence bundle of a payment that the reader may see.

    Raises PaymentUnknown, LeafWithheld, NotSealed.
    """
    connection = proofs.connection
    found = visible_trace(connection, author, trace(connection, no, known_at))
    if found is None:
        raise PaymentUnknown(payment_no=no)
    signer = service.deployment.signer()
    content = bundle(proofs, signer, no, with_open_leaves(found), day, known_at)
    file = {"Content-Disposition": 'attachment; filename="evidence.json"'}
    return json_answer(content, headers=file)


@router.get("/log/witness", summary="见证人与信任策略 who witnesses, as a trust policy")
@s.answers(s.file("text/plain"), _OF_THE_TREE)
async def witness(request: Request, quorum: Annotated[int, Query(ge=0, le=100)] = 0) -> Response:
    service = service_of(request)

    def answer(proofs: Proofs) -> Response:
        witnesses = proofs.witnesses()
        if quorum > len(witnesses):
            raise HTTPException(422)
        key = service.deployment.signer().key(proofs.origin)
        return Response(trust_policy(key, witnesses, quorum), media_type=_TEXT)

    return await proven(request, answer)


_A_NOTE = "mingzhang\n3\nqtP0…=\n\n— mingzhang Az3g…\n— witness.example Bk2p…\n"


@router.post(
    "/log/witness",
    summary="交回共签 a witness gives his cosignature",
    openapi_extra=s.body("text/plain", _A_NOTE),
)
@s.answers(s.answer(s.record("Cosigned", added=s.WHOLE), status=201), s.refused(CosignatureRefused))
async def cosign(request: Request) -> Response:
    service = service_of(request)
    await service.author(request)
    note = (await request.body()).decode("utf-8", "replace")

    def answer() -> Response:
        try:
            with adding(service.deployment.dsn, service.deployment.origin) as proofs:
                return json_answer({"added": proofs.keep_cosignatures(note)}, 201)
        except (NoteMalformed, WitnessRefused) as error:
            raise CosignatureRefused(problem=str(error)) from error

    return await run_in_threadpool(answer)


async def proven(request: Request, query: Callable[[Proofs], Response]) -> Response:
    """Ask the tree as a reader of this route; waits a while for what is not sealed yet.

    Raises NotSealedYet; BeyondLog, for what is not recorded.
    """
    service = service_of(request)
    await service.reader(request)
    return await run_in_threadpool(patiently, service, query)


def patiently(service: Service, query: Callable[[Proofs], T]) -> T:
    """As `proven`, for a reader who is known already."""
    until = monotonic() + _PATIENCE_SECONDS
    while True:
        with service.facts.connection() as connection, connection.transaction():
            try:
                return query(Proofs(connection, service.deployment.origin))
            except ValueError as error:
                raise HTTPException(422) from error
            except NotSealed as error:
                told = last_position(connection)
                if error.position > told:
                    raise BeyondLog(position=error.position, last=told) from error
                coming = service.sealing and not service.sealing_trouble and error.position <= told
                if not coming or monotonic() > until:
                    raise NotSealedYet(position=error.position) from error
        sleep(_PAUSE_SECONDS)


def _hex(hashes: list[bytes]) -> list[str]:
    return [node.hex() for node in hashes]
