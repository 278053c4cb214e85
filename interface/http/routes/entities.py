"""Routes of accounts and persons across households and banks, by pseudonym."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from application.refusals import CursorMalformed
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import (
    After,
    AsOf,
    Cursor,
    KnownAt,
    Page,
    answered,
    county_service,
    opened,
    paged,
)
from projections.entities import EntityKind, appearances, entities
from projections.facts.reading import Table, View

router = APIRouter(prefix="/v1", tags=["资金流向 fund flow"], route_class=CheckedRoute)
_PSEUDONYM: Final = r"^(account|person)-[0-9a-f]{24}$"
Role = Literal["borrower", "member", "payee", "payer", "receiver", "subsidy_payee"]


@router.get("/entities", summary="人、账户归并 one account or person across households and banks")
async def entity_list(
    request: Request,
    kind: EntityKind = "account",
    shared: Annotated[bool, Query(description="only those of more than one household")] = False,
    role: Role | None = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    cursor: Cursor = None,
    limit: Page = 100,
    position: After = None,
) -> Response:
    await county_service(request)
    after = _before(cursor)

    def ask(view: View, most: int | None) -> Table:
        return entities(view, kind, shared=shared, role=role, after=after, most=most)

    name = f"{kind}-entities"
    return await paged(request, name, ask, as_of, known_at, position, limit, "pseudonym")


def _before(cursor: str | None) -> str | None:
    """The pseudonym of the line before a page. Raises CursorMalformed."""
    values = opened(cursor, 1)
    if values is None:
        return None
    if not re.match(_PSEUDONYM, values[0]):
        raise CursorMalformed
    return str(values[0])


@router.get("/entities/{pseudonym}", summary="出现记录 every event in which one appears")
async def entity(
    request: Request,
    pseudonym: Annotated[str, Path(pattern=_PSEUDONYM)],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    position: After = None,
) -> Response:
    await county_service(request)

    def ask(view: View) -> Table:
        found = appearances(view, pseudonym)
        if not found.rows:
            raise HTTPException(404)
        return found

    return await answered(request, pseudonym, ask, as_of, known_at, position)
