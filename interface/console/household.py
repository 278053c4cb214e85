"""The record of a household (户): its members, categories, loans, and who looked at it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from domain.household import Household
from domain.policy import NoRuling
from interface.console.compared_record import ComparedRecord, compared_record
from interface.console.comparing import Comparing, Comparison
from interface.console.dates import in_china
from interface.console.drawing.band import Band, band
from interface.console.forms import signed_form
from interface.console.frame import (
    Visit,
    assure_allowed,
    form_token,
    page,
    path_of,
    visit,
)
from interface.console.loan import category_name, finding_lines, loan_address
from interface.console.looks import NotLooked, assure_may_look, may_look, record_look
from interface.console.page_route import PageRoute
from interface.console.pinned import Answer
from interface.console.record_answer import record_answer
from interface.console.timeline import Entry, entries
from interface.http.masked_names import looks_at
from interface.http.permissions import scope_of
from interface.http.query_params import No, view_of
from interface.http.routes.ledgers import household_events, household_found, shown_events
from projections.facts.reading import View
from projections.links import benefits, ratings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_QUERY: Final = "/households/{no}"
_SAYS_CATEGORY: Final = ("household.registered.v1", "household.status-changed.v1")


class Record(NamedTuple):
    """All that stands on the page of a household; None: not for the reader."""

    home: dict[str, Any]
    members: list[dict[str, Any]]
    loans: list[dict[str, Any]]
    cap_fen: int | None
    owed_fen: int
    picture: Band | None
    ratings: list[dict[str, Any]]
    benefits: list[dict[str, Any]] | None
    looks: list[dict[str, Any]] | None
    findings: list[dict[str, Any]] | None
    lines: list[Entry]
    names: Mapping[str, str]
    erased: bool
    answer: Answer | None
    compared: ComparedRecord | None


@router.get("/households/{no}")
async def household(found: Visiting, no: No, other: Comparing) -> Response:
    assure_allowed(found, _QUERY)
    return await _shown(found, no, other)


async def _shown(
    found: Visit, no: str, other: Comparison | None = None, *, status: int = 200, **look: Any
) -> Response:
    record = await run_in_threadpool(_record, found, no, other)
    words, path = found.words, path_of("households", no)
    return await page(
        found,
        "household.html",
        status=status,
        pinned=record.answer,
        comparing=True,
        compared_with=other and other.moment,
        no=no,
        record=record,
        category=category_name(words, record.home["category"]),
        called=lambda code: category_name(words, code),
        in_china=in_china,
        is_own=found.author.role.reach.value,
        may_look=may_look(found) and not record.erased,
        list_address=found.address("/ledgers/loans"),
        loans_address=found.address("/ledgers/loans", household_no=no),
        payments_address=found.address("/ledgers/subsidies", household_no=no),
        agreement_address=found.address("/benefits", household_no=no),
        flow=found.address("/fund-flow", household_no=no) if found.allowed("/fund-flow") else None,
        look={"shown": None, "wrong": "", "reason": ""}
        | look
        | {"ref": f"look-{secrets.token_hex(8)}", "path": path}
        | {"token": form_token(found.request, path)},
    )


def _record(found: Visit, no: str, other: Comparison | None) -> Record:
    """Raises HouseholdUnknown."""
    service, author = found.service, found.author

    def loans_of(view: View) -> list[dict[str, Any]]:
        loans: list[dict[str, Any]] = household_found(
            service, view, author, scope_of(author, _QUERY), no
        )["loans"]
        return loans

    compared = compared_record(found, other, loans_of) if other else None
    with view_of(service, found.as_of, found.known_at, None) as view:
        told = household_found(service, view, author, scope_of(author, _QUERY), no)
        home = told["household"]
        happened = household_events(view.connection, author, no, view.known_at, found.as_of)
        events = shown_events(service, view.connection, happened)
        names = {each.code: each.name for each in service.people.organisations()}
        loans = [
            each | {"address": loan_address(found, each["bank"], each["loan_no"])}
            for each in told["loans"]
        ]
        rated, agreed = _ratings(found, view, no), _benefits(found, view, no)
        parts = {
            "household": home,
            "members": [each | {"name": None} for each in told["members"]],
            "loans": told["loans"],
            "cap": _cap(view),
            "ratings": rated,
            "benefits": agreed,
            "events": events,
        }
        return Record(
            home=home,
            members=told["members"],
            loans=loans,
            cap_fen=parts["cap"],
            owed_fen=sum(each["outstanding_fen"] for each in loans),
            picture=_picture(view, events),
            ratings=rated,
            benefits=agreed,
            looks=_looks(found, view, no),
            findings=_findings(found, view, {event.position for event in happened}),
            lines=entries(found, events, names),
            names=names,
            erased=any(event.topic == Household.Erased.TOPIC for event in happened),
            answer=record_answer(found.words, "household", view.known_at, parts, compared),
            compared=compared,
        )


def _cap(view: View) -> int | None:
    """The most principal of a household that is subsidised on the day; None: no ruling says."""
    try:
        return view.book.ruling("credit_cap_fen", view.as_of, view.known_on).number
    except NoRuling:
        return None


def _picture(view: View, events: Sequence[Mapping[str, Any]]) -> Band | None:
    told = [
        (event["effective_on"], event["position"], event["content"]["category"])
        for event in events
        if event["event"] in _SAYS_CATEGORY and event["corrected_by"] is None
    ]
    statuses = [(date.fromisoformat(day), category) for day, _, category in sorted(told)]
    try:
        eligible = view.book.ruling("eligible_categories", view.as_of, view.known_on).words
    except NoRuling:
        eligible = ()
    return band(statuses, view.as_of, list(eligible))


def _ratings(found: Visit, view: View, no: str) -> list[dict[str, Any]]:
    if not found.allowed("/ratings"):
        return []
    scope = scope_of(found.author, "/ratings")
    return list(ratings(view, scope=scope, household_no=no).dicts())


def _benefits(found: Visit, view: View, no: str) -> list[dict[str, Any]] | None:
    if not found.allowed("/benefits"):
        return None
    scope = scope_of(found.author, "/benefits")
    return list(benefits(view, scope=scope, household_no=no).dicts())


def _looks(found: Visit, view: View, no: str) -> list[dict[str, Any]] | None:
    if not found.allowed("/households/{no}/looks"):
        return None
    table = looks_at(view.connection, Household.id_for(no), view.known_at, found.as_of)
    return [] if table is None else list(table.dicts())[::-1]


def _findings(found: Visit, view: View, positions: set[int]) -> list[dict[str, Any]] | None:
    if not found.allowed("/red-flags"):
        return None
    return finding_lines(found, view, positions)


# ---- in clear -----------------------------------------------------------------------------


@router.post("/households/{no}")
async def look(request: Request, no: No) -> Response:
    """Names and numbers in clear, in this answer alone; the look is in the log before it."""
    _, fields = await signed_form(request)
    found = await visit(request)
    assure_allowed(found, _QUERY)
    assure_may_look(found)
    await run_in_threadpool(_assure_known, found, no)
    reason = fields.get("reason", "").strip()
    try:
        shown = await record_look(found, no, fields.get("ref", ""), reason)
    except NotLooked as error:
        return await _shown(found, no, status=error.status, wrong=error.key, reason=reason)
    if shown is None:
        return await _shown(found, no, wrong="again", reason=reason)
    return await _shown(found, no, shown=shown, reason=reason)


def _assure_known(found: Visit, no: str) -> None:
    """Raises HouseholdUnknown: nothing is recorded of a household that the reader does not see."""
    with view_of(found.service, found.as_of, found.known_at, None) as view:
        scope = scope_of(found.author, _QUERY)
        household_found(found.service, view, found.author, scope, no)
