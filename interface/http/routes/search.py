"""Finding by number: one text is what a reader may see of that number, by kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Response

from application.event_store.log_queries import position_by_reference
from application.fields import NUMBER
from domain.batch import Batch
from domain.case import Case
from domain.household import Household
from domain.kernel import Author
from domain.publication import Publication
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.permissions import QUERIES, scope_of
from interface.http.query_params import Read
from interface.http.routes.events import ANY_EVENT
from interface.http.visibility import opens, visible
from projections import households
from projections.events import event_at, position_called
from projections.facts.reading import View
from projections.history import happenings, history
from projections.loan_ledger import loan_ledger
from projections.search import is_entity, payment_position, payments_by_voucher

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)

Asked = Annotated[
    str,
    Query(
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        description="要找的编号 the number looked for",
    ),
]
_NUMBER: Final = re.compile(NUMBER)
_EVENT: Final = re.compile(ANY_EVENT)
_PSEUDONYM: Final = re.compile(r"(account|person)-[0-9a-f]{24}")


class Hit(NamedTuple):
    """What a text names: its kind, its own number, and the page of it."""

    kind: str
    no: str
    address: str


_ANSWER = s.found(
    "Search",
    count=s.WHOLE,
    kinds=s.several(s.record("SearchKind", kind=s.TEXT, count=s.WHOLE)),
    found=s.several(s.record("SearchHit", kind=s.TEXT, no=s.TEXT, address=s.TEXT)),
)


@router.get("/search", summary="按编号查询 what a number names, within the reader's scope")
@s.answers(_ANSWER)
async def search(read: Read, q: Asked) -> Response:
    """A payment, loan, batch, case, household, publication, event, position, pseudonym, voucher,
    or the reader's own `ref`. Nothing personal is found here.
    """
    author, _ = await read.reader()

    def query(view: View) -> dict[str, Any]:
        found = hits(view, author, q)
        kinds: dict[str, int] = {}
        for each in found:
            kinds[each.kind] = kinds.get(each.kind, 0) + 1
        return {
            "count": len(found),
            "kinds": [{"kind": kind, "count": count} for kind, count in kinds.items()],
            "found": [each._asdict() for each in found],
        }

    return await read.json(query)


def hits(view: View, author: Author, text: str) -> list[Hit]:
    """All that a text names and the reader may see, by kind; one thing once.

    What is no number of the ledger is looked for among the vouchers of payments.
    """
    asked = text.strip()
    found = [hit for find in _KINDS for hit in find(view, author, asked)]
    found = found or list(_vouchers(view, author, asked))
    return list({hit.address: hit for hit in reversed(found)}.values())[::-1]


def may(author: Author, query: str) -> bool:
    return QUERIES[query].get(author.role, "-") != "-"


def _path(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _payments(view: View, author: Author, no: str) -> Iterator[Hit]:
    if not may(author, "/subsidy-payments/{no}/trace"):
        return
    place = payment_position(view.connection, no)
    if place and visible(view.connection, author, happenings(view.connection, [place])):
        yield Hit("payment", no, _path("subsidy-payments", no))


def _loans(view: View, author: Author, no: str) -> Iterator[Hit]:
    if may(author, "/loans/{no}"):
        for line in loan_ledger(view, scope=scope_of(author, "/loans/{no}"), loan_no=no).dicts():
            yield Hit("loan", no, _path("loans", line["bank"], no))


def _households(view: View, author: Author, no: str) -> Iterator[Hit]:
    if not (may(author, "/households/{no}") and _NUMBER.fullmatch(no)):
        return
    there = households.household(view, no, scope=scope_of(author, "/households/{no}")).rows
    if there and opens(view.connection, author, Household.id_for(no)):
        yield Hit("household", no, _path("households", no))


def _of_aggregate(
    kind: str, query: str, id_for: Callable[[str], UUID], *path: str
) -> Callable[[View, Author, str], Iterator[Hit]]:
    """A finder of what is one aggregate, by its number."""

    def find(view: View, author: Author, no: str) -> Iterator[Hit]:
        if may(author, query):
            events = history(view.connection, [id_for(no)], view.known_at)
            if visible(view.connection, author, events):
                yield Hit(kind, no, _path(*path, no))

    return find


def _events(view: View, author: Author, no: str) -> Iterator[Hit]:
    if not _EVENT.fullmatch(no):
        return
    position = position_called(view.connection, no)
    stored = None if position is None else event_at(view.connection, position)
    if stored is not None and visible(view.connection, author, [stored]):
        yield Hit("event", f"#{stored.position}", _path("events", str(stored.position)))


def _entities(view: View, author: Author, no: str) -> Iterator[Hit]:
    if may(author, "/entities/{pseudonym}") and _PSEUDONYM.fullmatch(no) and is_entity(view, no):
        yield Hit("entity", no, _path("entities", no))


def _vouchers(view: View, author: Author, no: str) -> Iterator[Hit]:
    if may(author, "/ledgers/subsidies"):
        scope = scope_of(author, "/ledgers/subsidies")
        for payment_no in payments_by_voucher(view, no, scope):
            yield Hit("voucher", payment_no, _path("subsidy-payments", payment_no))


def _references(view: View, author: Author, no: str) -> Iterator[Hit]:
    position = position_by_reference(view.connection, author.organisation, no)
    if position is not None:
        stored = event_at(view.connection, position)
        if stored is not None and visible(view.connection, author, [stored]):
            yield Hit("ref", f"#{position}", _path("events", str(position)))


_KINDS: Final = (
    _payments,
    _loans,
    _households,
    _of_aggregate("batch", "/batches/{no}", Batch.id_for, "batches"),
    _of_aggregate("case", "/cases/{no}", Case.id_for, "cases"),
    _of_aggregate("publication", "/publications/{no}", Publication.id_for, "publications"),
    _events,
    _entities,
    _references,
)
