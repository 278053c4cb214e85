"""Finding (查询): by number in the address; by an identity or account number with a reason."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from domain.household import Household
from interface.console.forms import signed_form
from interface.console.frame import (
    Elsewhere,
    Visit,
    Wrong,
    assure_allowed,
    form_token,
    page,
    visit,
)
from interface.console.looks import NotLooked, assure_may_look, is_reason, may_look, record_look
from interface.console.page_route import PageRoute
from interface.http.permissions import scope_of
from interface.http.query_params import view_of
from interface.http.routes.search import Hit, hits
from interface.http.visibility import opens
from projections import households
from projections.search import households_of, is_entity

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_PATH: Final = "/search"
_NAME: Final = re.compile(r"[\u3400-\u9fff·]{2,12}")
_ID_NO: Final = re.compile(r"\d{17}[\dXx]")
_ACCOUNT: Final = re.compile(r"[ -]*(?:\d[ -]*){12,30}")
_MOST_HOUSEHOLDS: Final = 5


@router.get("/search")
async def search(
    found: Visiting, q: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """The page of what a number names; several are listed by kind."""
    assure_allowed(found, "/search")
    asked = (q or "").strip()
    if not asked:
        return await _page(found)
    if not asked.isprintable():
        raise Wrong(400, "search.unprintable")

    def query() -> list[Hit]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            return hits(view, found.author, asked)

    there = await run_in_threadpool(query)
    if len(there) == 1:
        raise Elsewhere(found.address(there[0].address))
    if not there and _is_personal(asked):
        return await _page(found, status=400, wrong="personal")
    return await _page(found, asked=asked, hits=there)


def _is_personal(text: str) -> bool:
    """Whether it looks like a name, an identity number or an account: nothing for an address."""
    return any(form.fullmatch(text) for form in (_NAME, _ID_NO, _ACCOUNT))


async def _page(
    found: Visit, *, status: int = 200, asked: str = "", hits: list[Hit] | None = None,
    wrong: str = "", reason: str = "", homes: list[str] | None = None,
) -> Response:  # fmt: skip
    counted = Counter(each.kind for each in hits or ())
    return await page(
        found,
        "search.html",
        status=status,
        asked=asked,
        groups=[
            (kind, count, [(h.no, found.address(h.address)) for h in hits or () if h.kind == kind])
            for kind, count in counted.items()
        ],
        wrong=wrong,
        reason=reason,
        homes=[(no, found.to("households", no)) for no in homes or ()],
        may_look=may_look(found),
        look={"ref": f"find-{secrets.token_hex(8)}", "token": form_token(found.request, _PATH)},
    )


@router.post(_PATH)
async def find_person(request: Request) -> Response:
    """The households of a person or an account by number: a look at each, on record, before it."""
    _, fields = await signed_form(request)
    found = await visit(request)
    assure_may_look(found)
    number, reason = fields.get("number", "").strip(), fields.get("reason", "").strip()
    kind = "person" if _ID_NO.fullmatch(number) else "account"
    wrong = _wrong(number, reason)
    if wrong:
        return await _page(found, status=422, wrong=wrong, reason=reason)
    pseudonym = found.service.vault.pseudonym(kind, number)
    homes, entity = await run_in_threadpool(_open_homes, found, pseudonym)
    if len(homes) > _MOST_HOUSEHOLDS:
        return await _page(found, status=422, wrong="many", reason=reason)
    for place, no in enumerate(homes):
        try:
            await record_look(found, no, f"{fields.get('ref', '')}-{place}", reason)
        except NotLooked as error:
            return await _page(found, status=error.status, wrong=error.key)
    if entity and homes:
        raise Elsewhere(found.to("entities", pseudonym))
    if len(homes) == 1:
        raise Elsewhere(found.to("households", homes[0]))
    return await _page(found, homes=homes, wrong="" if homes else "nobody", reason=reason)


def _wrong(number: str, reason: str) -> str:
    """What is missing; empty when nothing is."""
    if not is_reason(reason):
        return "reason"
    if _NAME.fullmatch(number):
        return "name"
    return "" if _ID_NO.fullmatch(number) or _ACCOUNT.fullmatch(number) else "number"


def _open_homes(found: Visit, pseudonym: str) -> tuple[list[str], bool]:
    """Those of its households that the reader sees, and whether he may open the entity's page."""
    scope = scope_of(found.author, "/households/{no}")
    with view_of(found.service, found.as_of, found.known_at, None) as view:
        homes = [
            no
            for no in households_of(view, pseudonym)
            if households.household(view, no, scope=scope).rows
            and opens(view.connection, found.author, Household.id_for(no))
        ]
        entity = found.allowed("/entities/{pseudonym}") and is_entity(view, pseudonym)
    return homes, entity and len(homes) > 1
